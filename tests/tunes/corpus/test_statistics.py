import random

import pytest
from rich.console import Console

from sluice.tunes.corpus.statistics import (
    TuneIndex,
    TuneStatistics,
    build_table,
    compute_statistics,
    from_dict,
    to_dict,
)
from sluice.tunes.errors import TuneError
from sluice.tunes.tune import Tune


def tune(body: str) -> Tune:
    return Tune(("M:2/4", "K:Cmaj", *body.split()))


def index(*tunes: str) -> TuneIndex:
    return TuneIndex([tokens.split() for tokens in tunes])


def run(training: TuneIndex, tokens: str) -> int:
    return training.find_longest_run(tokens.split())


def test_the_longest_run_is_of_tokens_and_within_one_tune() -> None:
    training = index("c d e f", "g a b")
    assert run(training, "x d e f g a y") == 3
    assert run(training, "e f g a b") == 3
    assert run(training, "x y") == 0


def test_the_nearest_is_the_tune_of_the_longest_run() -> None:
    training = index("c d e f", "g a b c d", "e g a")
    assert training.find_nearest("x f g a b y".split()) == (1, 3, 2)
    assert training.find_nearest("c d e".split()) == (0, 3, 0)
    assert training.find_nearest("f e g a".split()) == (2, 3, 1)
    assert training.find_nearest(["x"]).run == 0


def test_long_runs_are_those_of_a_plain_search() -> None:
    chance = random.Random(0)
    tunes = [chance.choices("abc", k=60) for _ in range(20)]
    training = TuneIndex(tunes)
    for _ in range(20):
        asked = [
            *chance.choice(tunes)[10 : chance.randrange(11, 50)],
            *chance.choices("abcd", k=30),
        ]
        text, known = "".join(asked), ["".join(tune) for tune in tunes]
        runs = {text[i:j] for i in range(len(text)) for j in range(i + 1, len(text) + 1)}
        assert training.find_longest_run(asked) == max(
            len(run) for run in runs if any(run in tune for tune in known)
        )


def test_measures_by_hand() -> None:
    """Bars: an upbeat, one exact, one short, one exact again as before, and the last."""
    found = compute_statistics([tune("G | c 2 e 2 | c | c 2 e 2 | c 3 |")], index("x c 2 e 2 y"))
    assert found.exact_bars == pytest.approx(2 / 3)
    assert found.on_tonic == 1
    assert found.unique_bars == pytest.approx(4 / 5)
    assert (found.copied, found.copied_part) == (4, pytest.approx(4 / 17))


def test_means_over_tunes() -> None:
    found = compute_statistics([tune("c 4 | d 4 | e 4 |"), tune("c 4 | d 2 | c' 4 |")], index())
    assert (found.exact_bars, found.on_tonic, found.copied) == (0.5, 0.5, 0)


def test_bars_at_repeats_do_not_count_as_interior() -> None:
    found = compute_statistics([tune("G | c 4 | d 3 :| |: e | f 4 | c 4 |")], index())
    assert found.exact_bars == 1


def test_nothing_to_measure() -> None:
    with pytest.raises(TuneError, match="no tunes"):
        compute_statistics([], index())


def test_figures_round_trip_or_are_missing() -> None:
    measures = TuneStatistics(0.1, 0.2, 0.3, 4.0, 0.5)
    assert from_dict(to_dict(measures)) == measures
    with pytest.raises(TuneError, match="train again"):
        from_dict({"exact_bars": 0.1})


def test_composed_tunes_are_compared_with_the_corpus() -> None:
    class Trained:
        corpus = TuneStatistics(0.12, 0.34, 0.56, 7.0, 0.89)
        index = TuneIndex(["d 4 | e 4 |".split()])

    console = Console(width=80)
    with console.capture() as capture:
        console.print(build_table([tune("c 4 | d 4 | c 4 |")], Trained()))
    rows = [line.split()[-2:] for line in capture.get().splitlines()[-5:]]
    assert rows == [["100%", "12%"], ["100%", "34%"], ["67%", "56%"], ["3", "7"], ["33%", "89%"]]


def test_copies_are_not_reported_without_the_training_tunes() -> None:
    class Trained:
        corpus = TuneStatistics(0.12, 0.34, 0.56, 7.0, 0.89)
        index = TuneIndex([])

    assert build_table([tune("c 4 | d 4 | c 4 |")], Trained()).row_count == 3
