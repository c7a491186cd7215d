"""Sequences of different lengths, put together into padded batches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

import torch
from torch import Tensor

from sluice.sequence.batch import Batch
from sluice.sequence.vocabulary import END, PADDING, START

_POOL = 16
"""Batches that are sorted together: enough for little padding, few enough to mix the lengths."""


def pad(sequences: Sequence[Sequence[int]]) -> Tensor:
    """One batch (time, batch), int64: each sequence between `START` and `END`, then padding.

    >>> pad([[7, 8], [9]]).T.tolist()
    [[1, 7, 8, 2], [1, 9, 2, 0]]
    """
    longest = max(len(sequence) for sequence in sequences) + 2
    batch = torch.full((longest, len(sequences)), PADDING)
    for column, sequence in enumerate(sequences):
        batch[: len(sequence) + 2, column] = torch.tensor([START, *sequence, END])
    return batch


def by_length(sequences: Sequence[Sequence[int]], batch_size: int) -> Iterator[Tensor]:
    """All sequences in batches of similar length, short ones first: for measuring."""
    ordered = sorted(sequences, key=len)
    for first in range(0, len(ordered), batch_size):
        yield pad(ordered[first : first + batch_size])


def shuffled(
    sequences: Sequence[Sequence[int]], batch_size: int, generator: torch.Generator
) -> Iterator[Tensor]:
    """One epoch in random order, in batches of similar length: for training.

    The sequences are shuffled and cut into pools of 16 batches; a pool is sorted by length, cut
    into batches, and its batches come in random order.
    """
    order = iter(torch.randperm(len(sequences), generator=generator).tolist())
    while pool := [sequences[place] for place in islice(order, batch_size * _POOL)]:
        batches = list(by_length(pool, batch_size))
        for place in torch.randperm(len(batches), generator=generator).tolist():
            yield batches[place]


@dataclass(frozen=True)
class Bucketed:
    """A `Source` of whole sequences of ids, in batches of similar length, anew for each epoch.

    >>> source = Bucketed([[7, 8], [9], [7]], batch_size=2, seed=0)
    >>> len(source), [batch.inputs.shape[1] for batch in source.batches(epoch=0)]
    (2, [1, 2])
    """

    sequences: Sequence[Sequence[int]]
    batch_size: int
    seed: int

    carries: ClassVar[bool] = False

    def __len__(self) -> int:
        return math.ceil(len(self.sequences) / self.batch_size)

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """As `Source.batches`; the order depends on `seed` and `epoch` alone."""
        generator = torch.Generator().manual_seed(hash((self.seed, epoch)) % 2**63)
        for tokens in islice(shuffled(self.sequences, self.batch_size, generator), first, None):
            yield Batch(tokens[:-1], tokens[1:])
