"""The measures, on tunes whose values are counted by hand."""

from __future__ import annotations

import random

import pytest

from sluice.tunes.errors import TuneError
from sluice.tunes.measures import Index, as_figures, from_figures, measure
from sluice.tunes.tokens import Tune


def tune(body: str) -> Tune:
    return Tune(("M:2/4", "K:Cmaj", *body.split()))


def test_counted_by_hand() -> None:
    # Inside stand four bars (the first and last are left out), one a beat short.
    mine = tune("G | C D E F | C D E F | C D E | G A B c | c 4 |")
    found = measure([mine], Index([["C", "D", "E", "F", "|", "G", "G"]]))
    assert found.exact_bars == pytest.approx(3 / 4)
    assert found.on_tonic == 1
    assert found.unique_bars == pytest.approx(5 / 6)
    assert found.copied == 5  # C D E F | and then another note
    assert found.copied_part == pytest.approx(5 / len(mine.tokens[2:]))


def test_bars_at_a_repeat_need_not_be_full() -> None:
    mine = tune("G | C D E F | C D E :| G | C D E F | G A B c | c 3 |")
    # what remains inside and away from the repeat: two full bars and the one before the last
    assert measure([mine], Index([["C"]])).exact_bars == 1


def test_longest_run_against_plain_search() -> None:
    chance = random.Random(0)
    corpus = [[chance.choice("CDEF") for _ in range(60)] for _ in range(8)]
    index = Index(corpus)
    for _ in range(20):
        asked = [chance.choice("CDEFx") for _ in range(30)]
        runs = {tuple(asked[a:b]) for a in range(len(asked)) for b in range(a + 1, len(asked) + 1)}
        expected = max(
            (len(r) for r in runs for c in corpus if _within(list(r), c)),
            default=0,
        )
        assert index.longest_run(asked) == expected


def _within(run: list[str], whole: list[str]) -> bool:
    return any(whole[k : k + len(run)] == run for k in range(len(whole) - len(run) + 1))


def test_figures_come_back_and_missing_ones_are_told() -> None:
    found = measure([tune("C D E F | C 4 |")], Index([["C"]]))
    assert from_figures(as_figures(found)) == found
    with pytest.raises(TuneError, match="train again"):
        from_figures({})
    with pytest.raises(TuneError, match="no tunes"):
        measure([], Index([["C"]]))
