"""Unigrams and bigrams that learn from the data while they read them: baselines of tokens."""

from __future__ import annotations

import numpy as np

from sluice.sequence.data.ragged import Array, Indices

_BLOCK = 1 << 20
"""Tokens that are counted at a time."""


class NgramBaselines:
    """The cost in nats of tokens under adaptive unigrams and bigrams.

    A token's probability comes from the tokens before it alone, so that the baselines have seen
    nothing else than the data judged on. Unigrams add one to each count (Laplace); bigrams fall
    back to unigrams by Witten & Bell (1991, method C): p(b | a) = (count of ab + kinds after a ×
    p(b)) / (count of a + kinds after a).

    >>> import math
    >>> ngrams = NgramBaselines(tokens=2)
    >>> ngrams.add(np.array([0, 1, 1]), np.array([1, 1, 1]))    # 0 1 1 1
    >>> nats = ngrams.compute()
    >>> round(math.exp(-nats["unigram"]), 4), round(math.exp(-nats["bigram"]), 4)
    (0.25, 0.2917)

    Args:
        tokens: how many different ones can come.
    """

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self._unigrams, self._contexts = _Counts(), _Counts()
        self._pairs, self._kinds = _Counts(), _Counts()
        self._seen, self._nats = 0, {"unigram": 0.0, "bigram": 0.0}
        self._waiting: list[tuple[Array, Array]] = []

    def add(self, before: Array, targets: Array) -> None:
        """Read tokens (items,), int, each after the one `before` it."""
        self._waiting.append((before, targets))
        if sum(len(one) for _, one in self._waiting) >= _BLOCK:
            self._read_waiting()

    def compute(self) -> dict[str, float]:
        """The cost of all tokens so far, in nats."""
        self._read_waiting()
        return dict(self._nats)

    def _read_waiting(self) -> None:
        if not self._waiting:
            return
        before, targets = (
            np.concatenate(part).astype(np.int64) for part in zip(*self._waiting, strict=True)
        )
        self._waiting = []
        ones = np.ones(len(targets), np.int64)
        earlier = self._seen + np.arange(len(targets))
        unigram = (self._unigrams.add(targets, ones) + 1) / (earlier + self.tokens)
        of_pair = self._pairs.add(before << 32 | targets, ones)
        kinds = self._kinds.add(before, (of_pair == 0).astype(np.int64))
        of_context = self._contexts.add(before, ones)
        whole = of_context + kinds
        bigram = np.where(whole > 0, (of_pair + kinds * unigram) / np.maximum(whole, 1), unigram)
        self._seen += len(targets)
        self._nats["unigram"] -= float(np.log(unigram).sum())
        self._nats["bigram"] -= float(np.log(bigram).sum())


class _Counts:
    """Sums of weights by key, as they were before each item of a sequence."""

    def __init__(self) -> None:
        self._keys = np.empty(0, np.int64)
        self._sums = np.empty(0, np.int64)

    def add(self, keys: Indices, weights: Indices) -> Indices:
        """The sum of the weights of the same key before each item; then the items are added."""
        order = np.argsort(keys, kind="stable")
        found, first, counts = np.unique(keys[order], return_index=True, return_counts=True)
        sums = np.cumsum(weights[order]) - weights[order]
        within = np.empty(len(keys), np.int64)
        within[order] = sums - np.repeat(sums[first], counts) + np.repeat(self._get(found), counts)
        totals = np.add.reduceat(weights[order], first)
        every = np.concatenate((self._keys, found))
        self._keys, places = np.unique(every, return_inverse=True)
        joined = np.zeros(len(self._keys), np.int64)
        np.add.at(joined, places, np.concatenate((self._sums, totals)))
        self._sums = joined
        return within

    def _get(self, keys: Indices) -> Indices:
        """The sum of each key so far."""
        if not len(self._keys):
            return np.zeros(len(keys), np.int64)
        places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[places] == keys, self._sums[places], 0)
