import pytest

from sluice.tunes.corpus.index import TuneIndex
from sluice.tunes.corpus.statistics import (
    TuneStatistics,
    compute_dance_statistics,
    compute_statistics,
    from_dict,
    measure_tune,
    to_dict,
)
from sluice.tunes.errors import TuneError
from sluice.tunes.tune import Tune


def tune(body: str, rhythm: str = "") -> Tune:
    return Tune(("M:2/4", "K:Cmaj", *body.split()), rhythm=rhythm)


def test_measures_by_hand() -> None:
    """Bars: an upbeat, one exact, one short, one exact again as before, and the last."""
    found = compute_statistics(
        [tune("G | c 2 e 2 | c | c 2 e 2 | c 3 |")], TuneIndex(["x c 2 e 2 y".split()])
    )
    assert found.exact_bars == pytest.approx(2 / 3)
    assert found.on_tonic == 1
    assert found.unique_bars == pytest.approx(4 / 5)
    assert (found.copied, found.copied_part) == (4, pytest.approx(4 / 17))


def test_means_over_tunes() -> None:
    found = compute_statistics(
        [tune("c 4 | d 4 | e 4 |"), tune("c 4 | d 2 | c' 4 |")], TuneIndex([])
    )
    assert (found.exact_bars, found.on_tonic) == (0.5, 0.5)
    assert (found.copied, found.copied_part) == (None, None)


def test_bars_at_repeats_do_not_count_as_interior() -> None:
    found = compute_statistics([tune("G | c 4 | d 3 :| |: e | f 4 | c 4 |")], TuneIndex([]))
    assert found.exact_bars == 1


def test_nothing_to_measure() -> None:
    with pytest.raises(TuneError, match="no tunes"):
        compute_statistics([], TuneIndex([]))


def test_figures_round_trip() -> None:
    measures = TuneStatistics(0.1, 0.2, 0.3, 4.0, 0.5, 0.6, None, 0.8, 0.9)
    assert from_dict(to_dict(measures)) == measures


def test_older_files_lack_the_newer_figures() -> None:
    older = {"exact_bars": 0.1, "on_tonic": 0.2, "unique_bars": 0.3, "copied": 4.0}
    assert from_dict(older) == TuneStatistics(0.1, 0.2, 0.3, 4.0)
    for wrong in ({"exact_bars": 0.1}, {**older, "on_tonic": "much"}, {**older, "copied": None}):
        with pytest.raises(TuneError, match="train again"):
            from_dict(wrong)  # type: ignore[arg-type]


def test_a_double_bar_ends_a_section() -> None:
    """Neither of the bars at it must fill the meter."""
    found = compute_statistics([tune("c 4 | d 3 || e | f 4 | c 4 |")], TuneIndex([]))
    assert found.exact_bars == 1


def test_phrases_by_hand() -> None:
    """Two tunes of two parts: the first stumbles from A to B, where two eighths are missing, and
    never opens its second repeat; the second begins with a pickup of three eighths of four. Both
    end on a quarter or longer; a third tune has no parts and ends on an eighth."""
    tunes = [
        tune("|: c 4 | d 2 :| e 4 | c 4 :|"),
        tune("|: G 3 | c 4 | d :| |: e 3 | f 4 | c 2 :|"),
        tune("c 4 | d 2 e c |"),
    ]
    found = compute_statistics(tunes, TuneIndex([]))
    assert found.long_endings == pytest.approx(2 / 3)
    assert (found.broken_turns, found.long_pickups, found.unopened_repeats) == (0.5, 0.5, 0.5)


def test_measures_of_one_tune_are_those_that_are_defined() -> None:
    assert set(measure_tune(tune("c 4 | d 2 e c |"))) == {
        "exact_bars", "on_tonic", "unique_bars", "long_endings",
    }  # fmt: skip
    measured = measure_tune(tune("|: c 4 | d 2 :| e 4 | c 4 :|"))
    assert (measured["broken_turns"], measured["unopened_repeats"]) == (1, 1)


def test_statistics_of_each_dance() -> None:
    tunes = [
        tune("c 4 | c 4 |", "polka"),
        tune("c 4 | d 2 c d |", "single polka"),
        tune("c 4 | c 2 e c |", "march"),
        tune("c 4 |", "Long Dance"),
        tune("c 4 |"),
    ]
    found = compute_dance_statistics(tunes, TuneIndex([]))
    assert list(found) == ["polka", "march", "long dance"]
    assert (found["polka"].long_endings, found["march"].long_endings) == (0.5, 0)
    assert (found["polka"].on_tonic, found["march"].on_tonic) == (0.5, 1)
