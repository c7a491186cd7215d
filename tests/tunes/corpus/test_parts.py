from fractions import Fraction

import pytest

from sluice.tunes.corpus import parts
from sluice.tunes.notation.score import Score, parse


def score(body: str, meter: str = "2/4") -> Score:
    return parse([f"M:{meter}", "K:Cmaj", *body.split()])


@pytest.mark.parametrize(
    ("body", "sizes"),
    [
        ("c 4 | d 4 |", [2]),
        ("c 4 | d 4 :| e 4 :|", [2, 1]),
        ("|: c 4 | d 4 :| |: e 4 :|", [2, 1]),
        ("c 4 :: e 4 | f 4 :|", [1, 2]),
        ("c 4 || e 4 | f 4 ||", [1, 2]),
        ("|: c 4 |1 d 4 :| |2 e 4 || f 4 | g 4 :|", [3, 2]),
        ("|: c 4 |1 d 4 :| |2 e 4 :| |: f 4 | g 4 :|", [3, 2]),
        ("c 4 | |: d 4 :|", [1, 1]),
    ],
)
def test_parts_end_at_repeats_and_double_bars(body: str, sizes: list[int]) -> None:
    assert [len(part) for part in parts.split_parts(score(body).bars)] == sizes


@pytest.mark.parametrize(
    ("body", "length"),
    [
        ("c 4 | d 2 c 3/2 |", Fraction(3, 2)),
        ("c 4 | d 2 c z |", 1),
        ("c 4 | d 3 c - | c 4 |", 5),
        ("d 3 c - | d 4 |", 4),
        ("(3 c d c |", Fraction(2, 3)),
    ],
)
def test_the_last_note_with_its_ties(body: str, length: Fraction) -> None:
    assert parts.measure_last_note(score(body)) == length


@pytest.mark.parametrize(
    ("body", "broken"),
    [
        ("|: G | c 4 | d 3 :| |: e | f 4 | c 3 :|", False),
        ("|: G | c 4 | d 3 :| |: f 4 | c 3 :|", True),
        ("|: c 4 | d 4 :| |: e | f 4 | c 3 :|", True),
        ("G | c 4 | d 3 || e | f 4 | c 3 ||", False),
        ("c 4 | d 4 || f 4 | c 4 ||", False),
        ("c 4 | d 2 || f 4 | c 4 ||", True),
        ("c 4 | d 4 | e 4 |", None),
        ("|: c 4 | d 4 :| |: e 4 :| |: f 4 :|", None),
        ("|: c 4 |1 d 2 :| |2 d 4 :| |: f 4 | c 4 :|", None),
    ],
)
def test_from_a_to_b(body: str, broken: bool | None) -> None:
    assert parts.is_turn_broken(score(body)) is broken


@pytest.mark.parametrize(
    ("body", "long"),
    [
        ("|: G 2 | c 4 | d 2 :| |: e 2 | f 4 | c 2 :|", False),
        ("|: G 3 | c 4 | d :| |: e | f 4 | c 3 :|", True),
        ("|: c 4 | d :| |: e 5/2 | f 4 | c 3 :|", True),
        ("|: c 4 | d 4 :| |: f 4 | c 4 :|", False),
        ("G 3 | c 4 |", None),
    ],
)
def test_pickups(body: str, long: bool | None) -> None:
    assert parts.has_long_pickup(score(body)) is long


@pytest.mark.parametrize(
    ("body", "unopened"),
    [
        ("|: c 4 :| d 4 :|", True),
        ("c 4 :| d 4 :|", True),
        ("c 4 :| |: d 4 :|", False),
        ("c 4 :: d 4 :|", False),
        ("|: c 4 |1 d 4 :| |2 e 4 :| |: f 4 :|", False),
        ("|: c 4 |1 d 4 :| |2 e 4 || f 4 :|", True),
        ("|: c 4 :| |: d 4 :| e 4 :|", True),
        ("|: c 4 :| d 4 ||", None),
        ("c 4 :|", None),
        ("|: c 4 || d 4 :|", None),
        ("|: c 4 :| |: d 4 || e 4 :|", False),
        ("|: c 4 :| |: d 4 |1 e 4 :| |2 f 4 :|", False),
        ("|: c 4 :| d 4 |1 e 4 :| |2 f 4 :|", True),
        ("c 4 || d 4 :|", True),
    ],
)
def test_repeats_that_are_never_opened(body: str, unopened: bool | None) -> None:
    assert parts.has_unopened_repeat(score(body)) is unopened
