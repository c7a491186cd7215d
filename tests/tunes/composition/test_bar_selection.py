"""Bars that a musician marks: to vary, to fill, or to continue behind."""

import pytest

from sampling import thin_out
from sluice.sequence import GenerationCancelledError
from sluice.tunes.composition.bar_selection import clear_bars, keep_bars
from sluice.tunes.composition.composer import Composer
from sluice.tunes.composition.gaps import mark_bars
from sluice.tunes.composition.inputs import read_tune
from sluice.tunes.errors import TuneError
from sluice.tunes.tune import Tune

HEAD = "X:1\nT:A\nR:jig\nM:6/8\nL:1/8\nK:C\n"
JIG = "|:G|GEG c2e|dBd g2f|GEG c2e|c3 c2:|:e|ege cBc|dBd g2f|ege cBc|c3 c2:|"


def read(body: str) -> Tune:
    return read_tune(f"{HEAD}{body}\n")


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer.load()


def music(tune: Tune) -> list[tuple[str, ...]]:
    return [tune.tokens[bar.start : bar.stop] for bar in tune.score.bars]


@pytest.mark.parametrize(
    "numbers",
    thin_out([[2], [3], [1], [5], [10], [1, 5, 6], [2, 4], [7, 9], [*range(1, 11)]], 4, 1),
    ids=str,
)
def test_only_marked_bars_vary_and_keep_their_length(
    composer: Composer, numbers: list[int]
) -> None:
    tune = read(JIG)
    varied = composer.vary(tune, seed=4, bars=numbers)
    bars, new = tune.score.bars, varied.score.bars
    assert [bar.duration for bar in new] == [bar.duration for bar in bars]
    for number, (before, after) in enumerate(zip(music(tune), music(varied), strict=True), 1):
        assert (before != after) == (number in numbers), number
    for first, second in ((2, 4), (7, 9)):
        if {first, second} <= {*numbers}:
            assert music(varied)[first - 1] == music(varied)[second - 1]
    assert composer.vary(tune, seed=4, bars=[*reversed(numbers), numbers[0]]) == varied


def test_a_bar_behind_a_tie_begins_with_the_note_held(composer: Composer) -> None:
    tune = read("GEG c2e|dBd g2-g-|gfe cBc|c3 c3|")
    varied = composer.vary(tune, seed=1, bars=[3])
    assert varied.score.bars[2].events[0].pitches == (79,)
    assert music(varied)[:2] == music(tune)[:2]


@pytest.mark.parametrize(
    ("body", "number", "message"),
    [
        (JIG, 0, "numbers from 1 to 10, got 0"),
        (JIG, 11, "numbers from 1 to 10, got 11"),
        ("GEG c2e|dBd g2g-|gfe cBc|c3 c3|", 2, "Bar 2 is tied to the next one"),
        ("GEG c2e|[M:9/8]dBd g2g gag|gfe cBc c3|", 2, "Bar 2 changes the meter"),
        ("GEG c2e|[M:none]dBd g2g gag|gfe cBc c3|", 3, "Bar 3 is in free meter"),
    ],
)
def test_bars_that_cannot_be_replaced(body: str, number: int, message: str) -> None:
    with pytest.raises(TuneError, match=message):
        mark_bars(read(body), [number])


def test_no_bar_and_a_tune_with_gaps_are_refused() -> None:
    with pytest.raises(TuneError, match="got none"):
        mark_bars(read(JIG), [])
    with pytest.raises(TuneError, match="gaps"):
        mark_bars(clear_bars(read(JIG), [2]), [3])


def test_cleared_bars_are_filled_and_what_stands_around_others_stays(composer: Composer) -> None:
    tune = read('|:G|"C"GEG c2e|~dBd g2f|GEG c2e|"G"c3 c2:|')
    cleared = clear_bars(tune, [3, 5])
    assert cleared.tokens.count("*") == 2 and cleared.title == tune.title
    filled = composer.fill(cleared, seed=2)
    assert [bar.duration for bar in filled.score.bars] == [1, 6, 6, 6, 5]
    kept = [0, 1, 3]
    assert [music(filled)[place] for place in kept] == [music(tune)[place] for place in kept]
    assert '"C"' in filled.abc() and "~" not in filled.abc()
    twice = clear_bars(clear_bars(tune, [3]), [5])
    assert twice == cleared


def test_a_tune_is_continued_behind_a_bar(composer: Composer) -> None:
    tune = read(JIG)
    start = keep_bars(tune, 3)
    assert start.tokens == tune.tokens[: len(start.tokens)] and start.tokens[-1] == "|"
    fractions: list[float] = []
    longer = composer.extend(start, seed=1, on_progress=fractions.append)
    assert longer == composer.extend(start, seed=1)
    assert longer.tokens[: len(start.tokens)] == start.tokens
    assert fractions == sorted(fractions) and fractions[-1] == 1.0 and len(fractions) > 20
    assert keep_bars(tune, 10) == tune
    with pytest.raises(TuneError, match="from 1 to 10"):
        keep_bars(tune, 11)


def test_continuing_stops_when_asked_to(composer: Composer) -> None:
    answers = iter([False] * 10)
    with pytest.raises(GenerationCancelledError):
        composer.extend(keep_bars(read(JIG), 3), should_stop=lambda: next(answers, True))
