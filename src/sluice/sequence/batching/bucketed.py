"""Padded batches of whole sequences of similar lengths."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from sluice.cached import cached_property
from sluice.sequence.batch import Batch
from sluice.sequence.data.ragged import Indices, RaggedArray
from sluice.sequence.data.targets import Example, NextToken, SupervisedSequences, collate
from sluice.sequence.errors import SequenceError
from sluice.sequence.vocabulary import END, PADDING, START

_POOL = 16
"""Batches that are sorted together: enough for little padding, few enough to mix lengths."""


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


def shuffle_batches(
    sequences: Sequence[Sequence[int]], batch_size: int, generator: torch.Generator
) -> Iterator[Tensor]:
    """One epoch in the order of `bucket_by_length`, for training."""
    lengths = np.array([len(sequence) for sequence in sequences], np.int64)
    for places in bucket_by_length(lengths, batch_size, generator):
        yield pad([sequences[place] for place in places])


def bucket_by_length(
    lengths: Indices, batch_size: int, generator: torch.Generator
) -> Iterator[list[int]]:
    """The indices of each batch of an epoch: batches of similar lengths, in random order.

    The sequences are shuffled and cut into pools of 16 batches; a pool is sorted by length, cut
    into batches, and its batches come in random order.
    """
    order = torch.randperm(len(lengths), generator=generator).numpy()
    for first in range(0, len(order), batch_size * _POOL):
        pool = order[first : first + batch_size * _POOL]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches = [pool[place : place + batch_size] for place in range(0, len(pool), batch_size)]
        for place in torch.randperm(len(batches), generator=generator).tolist():
            yield batches[place].tolist()


def make_generator(seed: int, epoch: int) -> torch.Generator:
    """The random generator for an epoch's order."""
    return torch.Generator().manual_seed(hash((seed, epoch)) % 2**63)


def check_shards(sequences: int, batch_size: int, rank: int, world_size: int) -> None:
    """Check that there are sequences, and a share of each batch for each process.

    Raises:
        SequenceError: no sequences, a batch size below the number of processes, or a rank outside
            `world_size`.
    """
    if not sequences:
        raise SequenceError("There are no sequences to make batches of; add data.")
    if not 0 <= rank < world_size:
        raise SequenceError(f"rank must be from 0 to {world_size - 1}, got {rank}.")
    if batch_size < world_size:
        raise SequenceError(
            f"batch_size counts all {world_size} processes and must be at least {world_size}, "
            f"got {batch_size}."
        )


@dataclass(frozen=True)
class BucketBatches:
    """A `BatchSource` of whole sequences, in batches of similar length, reshuffled every epoch.

    Args:
        sequences: ids, for next-token prediction, or any `SupervisedSequences`.
        batch_size: sequences in a batch, all processes together.
        seed: for the order, with the epoch.
        rank: the rank of this process.
        world_size: the number of processes that share a batch; each reads every `world_size`-th
            sequence of it.

    Raises:
        SequenceError: as `check_shards`.

    >>> source = BucketBatches([[7, 8], [9], [7]], batch_size=2, seed=0)
    >>> len(source), [batch.inputs.shape[1] for batch in source.batches(epoch=0)]
    (2, [1, 2])
    """

    sequences: Sequence[Sequence[int]] | SupervisedSequences
    batch_size: int
    seed: int
    rank: int = 0
    world_size: int = 1

    stateful: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_shards(len(self._lengths), self.batch_size, self.rank, self.world_size)

    @cached_property
    def _to_supervised(self) -> SupervisedSequences:
        if isinstance(self.sequences, Sequence):
            return NextToken(RaggedArray.of(self.sequences))
        return self.sequences

    @cached_property
    def _lengths(self) -> Indices:
        return self._to_supervised.lengths

    def __len__(self) -> int:
        return math.ceil(len(self._lengths) / self.batch_size)

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """As `BatchSource.batches`; the order depends on `seed` and `epoch` alone."""
        order = bucket_by_length(self._lengths, self.batch_size, make_generator(self.seed, epoch))
        for places in islice(order, first, None):
            mine = places[self.rank :: self.world_size]
            yield collate(self._to_supervised, [self._read_whole(place) for place in mine])

    def _read_whole(self, place: int) -> Example:
        return self._to_supervised.read(place, 0, int(self._lengths[place]))
