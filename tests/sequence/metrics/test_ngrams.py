"""Adaptive unigrams and bigrams, beside plain loops over counts."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

import numpy as np
import pytest

from sluice.sequence.metrics import ngrams
from sluice.sequence.metrics.ngrams import NgramBaselines


def cost_in_loops(before: list[int], targets: list[int], tokens: int) -> dict[str, float]:
    seen, after = Counter[int](), defaultdict[int, Counter[int]](Counter)
    nats = {"unigram": 0.0, "bigram": 0.0}
    for number, (a, b) in enumerate(zip(before, targets, strict=True)):
        unigram = (seen[b] + 1) / (number + tokens)
        kinds = len(after[a])
        whole = sum(after[a].values()) + kinds
        bigram = (after[a][b] + kinds * unigram) / whole if whole else unigram
        nats["unigram"] -= math.log(unigram)
        nats["bigram"] -= math.log(bigram)
        seen[b] += 1
        after[a][b] += 1
    return nats


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_as_in_plain_loops(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngrams, "_BLOCK", block)
    draws = np.random.default_rng(0)
    ids = np.minimum(draws.geometric(0.3, 400), 9)
    before, targets = ids[:-1], ids[1:]
    baselines = NgramBaselines(tokens=9)
    for first in range(0, 399, 50):
        baselines.add(before[first : first + 50], targets[first : first + 50])
    assert baselines.compute() == pytest.approx(cost_in_loops([*before], [*targets], 9))


def test_a_cycle_is_cheap_for_bigrams_alone() -> None:
    ids = np.tile(np.arange(8), 100)
    baselines = NgramBaselines(tokens=8)
    baselines.add(ids[:-1], ids[1:])
    nats = baselines.compute()
    assert nats["unigram"] / 799 == pytest.approx(math.log(8), rel=0.02)
    assert nats["bigram"] / 799 < 0.1


def test_nothing_costs_nothing() -> None:
    assert NgramBaselines(tokens=3).compute() == {"unigram": 0.0, "bigram": 0.0}
