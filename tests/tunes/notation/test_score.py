from fractions import Fraction

import pytest

from sluice.tunes.errors import InvalidTokensError
from sluice.tunes.notation.score import Bar, parse


def bars_of(tokens: str) -> tuple[Bar, ...]:
    return parse(tokens.split()).bars


def test_durations_are_exact() -> None:
    bar = bars_of("M:3/4 K:Cmaj (3 c d e f 3/2 [ c e ] /2 z |")[0]
    durations = [event.duration for event in bar.events]
    assert durations == [Fraction(2, 3)] * 3 + [Fraction(3, 2), Fraction(1, 2), Fraction(1)]
    assert (bar.duration, bar.length) == (5, 6)
    assert [event.pitches for event in bar.events[3:]] == [(77,), (72, 76), ()]


def test_repeats_and_endings() -> None:
    bars = bars_of("M:2/4 K:Cmaj |: c | d |1 e :| |2 f | g |: a :|")
    assert [bar.opens for bar in bars] == [True, False, False, False, False, True]
    assert [bar.closes for bar in bars] == [False, False, True, False, False, True]
    assert [bar.ending for bar in bars] == [(), (), (1,), (2,), (2,), ()]


def test_a_double_bar_ends_a_section_and_an_ending() -> None:
    bars = bars_of("M:2/4 K:Cmaj c |1 d :| |2 e || f | g ||")
    assert [bar.is_double for bar in bars] == [False, False, True, False, True]
    assert [bar.ending for bar in bars] == [(), (1,), (2,), (), ()]


@pytest.mark.parametrize(
    ("tokens", "place"),
    [
        ("", 0),
        ("K:Cmaj M:2/4 c |", 0),
        ("M:2/4 c |", 1),
        ("M:2/4 K:Cmaj z |", 4),
        ("M:2/4 K:Cmaj c 2 3 |", 4),
        ("M:2/4 K:Cmaj (3 c d |", 5),
        ("M:2/4 K:Cmaj [ c |", 4),
        ("M:2/4 K:Cmaj c /0 |", 3),
        ("M:2/4 K:Cmaj (3 (3 c d e |", 3),
    ],
)
def test_invalid_tunes_are_refused(tokens: str, place: int) -> None:
    with pytest.raises(InvalidTokensError) as caught:
        bars_of(tokens)
    assert caught.value.position == place
