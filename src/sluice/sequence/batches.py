"""Sequences of different lengths, put together into padded batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import torch
from torch import Tensor

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
