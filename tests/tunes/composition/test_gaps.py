"""How long gaps last, and which bars may change: hand-worked."""

import random
from fractions import Fraction

import pytest

from sluice.tunes.composition import gaps
from sluice.tunes.errors import TuneError
from sluice.tunes.notation import abc_file
from sluice.tunes.notation.model_tokens import ModelTokens
from sluice.tunes.tune import Tune, from_abc


def read(body: str, meter: str = "6/8") -> Tune:
    text = f"X:1\nT:A\nM:{meter}\nL:1/8\nK:C\n{body}\n"
    return from_abc(abc_file.split_blocks(text, "test")[0], gaps=True)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("g3 g3|*|g6|", [6]),
        ("g2 *|g6|", [4]),
        ("d|g3 g3|*|", [5]),
        ("|:d|g3 g3|g2*:|", [3]),
        ("|:d|g3 g3|1g3*:|2*|]", [2, 5]),
        ("*|g6|*|", [6, 6]),
        ("(3gab *|g6|", [4]),
        ("g3 g3|*|[M:9/8]*g|g6|", [6, 8]),
        ("g3 g3||d|*|g5|]", [6]),
    ],
)
def test_a_gap_lasts_as_long_as_its_bar_lacks(body: str, expected: list[int]) -> None:
    assert [gap.length for gap in gaps.find_gaps(read(body))] == expected


def test_a_gap_knows_its_meter_and_what_is_held_into_it() -> None:
    found = gaps.find_gaps(read("g3 c3-|*|[M:3/4][ce]2-*|[M:6/8]d3*|"))
    assert [(gap.meter, gap.tied_pitches) for gap in found] == [
        ("6/8", {72}),
        ("3/4", {72, 76}),
        ("6/8", set()),
    ]


@pytest.mark.parametrize(
    ("tune", "message"),
    [
        (read("g**|"), "Bar 1 has 2 gaps"),
        (read("g6|g3 g3*|g6|"), "Bar 2 is full"),
        (read("g6|(3ga*g|g6|"), "Bar 2 .* tuplet"),
        (read("gab *|g6|", "none"), "Bar 1 has no meter"),
        (read("g6|g6|"), "no gap"),
    ],
)
def test_invalid_gaps_are_refused(tune: Tune, message: str) -> None:
    with pytest.raises(TuneError, match=message):
        gaps.find_gaps(tune)


def choose_all(body: str, meter: str = "6/8") -> list[tuple[int, str, Fraction]]:
    """The numbers of the bars that may change, from 1, with what each name and length is."""
    tune = read(body, meter)
    bars = tune.score.bars
    starts = {bar.start: number for number, bar in enumerate(bars, 1)}
    found = gaps.choose_bars(tune, 1.0, random.Random(0))
    assert [gap.start for gap in found] == sorted(gap.start for gap in found)
    return [(starts[gap.start], gap.meter, gap.length) for gap in found]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("|:gbg gbg|d3 d3|bgb gbg|g6:|gbd b3|g6|", [1, 2, 3, 5]),
        ("gbg g3|d3 d3-|d3 d3|b3 b3|g6|", [1, 4]),  # hangs on a tie
        ("gbg g3|d3 d3||bgb g3|g3 d3|", [1, 3]),  # ends a section
        ("gbg g3|bgb g3|1d3 d3:|2d3 g3|b3 b3|", [1, 2, 4]),  # a first ending
        ("d|gbg g3|d5:|", [2]),  # a pickup, and the bar that makes up for it
        ("gbg g3|d3 d3|gbg g3|d3 d3|", [1, 3]),  # like the last bar
        ("gbg g3|[M:9/8]g3 g3 g3|b3 b3 b3|g9|", [1, 3]),  # begins with a meter
    ],
)
def test_bars_that_may_change(body: str, expected: list[int]) -> None:
    assert [number for number, _, _ in choose_all(body)] == expected


def test_a_meter_that_changes_says_how_long_bars_are() -> None:
    assert choose_all("gbg g3|[M:9/8]g3 g3 g3|b3 b3 b3|g9|") == [(1, "6/8", 6), (3, "9/8", 9)]
    assert choose_all("gb|dbgb|g4|", "none") == [(1, "none", 2), (2, "none", 4)]


def test_bars_that_sound_alike_are_gaps_of_one_name() -> None:
    tune = read("gbg g3|d3 d3|gbg g3|bgb g3|g6|")
    found = gaps.choose_bars(tune, 1.0, random.Random(1))
    assert found[0].name == found[2].name
    assert len({gap.name for gap in found}) == 3
    filled = gaps.insert_fillings(tune.tokens, found, {gap.name: ["z", "6"] for gap in found})
    assert " ".join(filled) == "M:6/8 K:Cmaj" + " z 6 |" * 4 + " g 6 |"


@pytest.mark.parametrize("strength", [0.0, -1.0, 1.1, float("nan")])
def test_strengths_out_of_range(strength: float) -> None:
    with pytest.raises(TuneError, match="at most 1"):
        gaps.choose_bars(read("gbg g3|g6|"), strength, random.Random(0))


def test_a_tune_without_a_bar_to_vary() -> None:
    with pytest.raises(TuneError, match="longer tune"):
        gaps.choose_bars(read("g6|"), 0.5, random.Random(0))


def test_a_tune_with_gaps_is_not_varied() -> None:
    with pytest.raises(TuneError, match="fill them before"):
        gaps.choose_bars(read("gbg g3|*|g3 g3|g6|"), 0.5, random.Random(0))


def test_a_model_reads_how_many_bars_follow_a_gap() -> None:
    tune = read("|:d|*|g3 *|g5:|*|g6|]")
    spelt = ModelTokens().encode(tune.tokens, "")
    parts = gaps.split_at_gaps(spelt, tune, gaps.find_gaps(tune))
    assert [" ".join(part) for part in parts] == [
        "M:6/8 K:Cmaj |:{3} d |{3}",
        "|{2} g 3",
        "|{1} g 5 :|{2}",
        "|{1} g 6 ||{0}",
    ]
