from rich.console import Console
from rich.table import Table

from sluice.tunes.corpus.comparison import build_dance_table, build_table
from sluice.tunes.corpus.index import TuneIndex
from sluice.tunes.corpus.statistics import TuneStatistics
from sluice.tunes.tune import Tune

COMPOSED = [Tune(tuple("M:2/4 K:Cmaj c 4 | d 4 | c 4 |".split()))]


def lines(table: Table) -> list[str]:
    console = Console(width=100)
    with console.capture() as capture:
        console.print(table)
    return [" ".join(line.split()) for line in capture.get().splitlines()]


def test_composed_tunes_are_compared_with_the_corpus() -> None:
    class Trained:
        corpus = TuneStatistics(0.12, 0.34, 0.56, 7.0, 0.89, 0.21, 0.22, 0.23, 0.24)
        index = TuneIndex(["c 4 d".split(), "d 4 | e 4 |".split()], ["The One", "The Other"])

    assert lines(build_table(COMPOSED, Trained()))[2:] == [
        "interior bars of exact length 100% 12%",
        "ends on the tonic 100% 34%",
        "last note a quarter or longer 100% 21%",
        "end of A and pickup of B make no bar – 22%",
        "pickup longer than half a bar – 23%",
        "later repeat never opened – 24%",
        "different bars 67% 56%",
        "longest copied run, tokens 3 7",
        "the same, part of the tune 33% 89%",
        "Nearest training tune: The Other, 3 tokens in a row.",
    ]


def test_a_model_without_its_training_tunes_says_so() -> None:
    """The file of an older version: without the newer measures too."""

    class Trained:
        corpus = TuneStatistics(0.12, 0.34, 0.56, 7.0, 0.89)
        index = TuneIndex([])

    shown = lines(build_table(COMPOSED, Trained()))
    assert not any("copied" in line for line in shown)
    assert "last note a quarter or longer 100% –" in shown
    end = " ".join(shown[-2:])
    assert end == "Nearest training tune: unknown, since the model file holds none."


def test_the_nearest_of_several_tunes_and_of_none() -> None:
    class Trained:
        corpus = TuneStatistics(1, 1, 1)
        index = TuneIndex(["c 4 | d 4 | c 4 |".split(), "g 4".split()])

    far = Tune(tuple("M:2/4 K:Cmaj ^A, 3/2 ^G,".split()))
    assert lines(build_table([far, *COMPOSED], Trained()))[-1].endswith(
        ": number 1, 9 tokens in a row."
    )
    assert lines(build_table([far], Trained()))[-1] == "Nearest training tune: none."


def test_dances_are_compared_one_by_one() -> None:
    composed = {"jig": TuneStatistics(1, 1, 1, long_endings=0.9), "reel": TuneStatistics(1, 0, 1)}
    corpus = {"jig": TuneStatistics(1, 0.5, 1, long_endings=0.85)}
    shown = lines(build_dance_table(composed, corpus))
    assert "last note a quarter or longer 90% 85%" in shown
    assert "jig interior bars of exact length 100% 100%" in shown
    assert "reel interior bars of exact length 100% –" in shown
