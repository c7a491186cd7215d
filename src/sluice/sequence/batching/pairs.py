"""Batches of pairs of sequences, source and target, for `Seq2Seq`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from sluice.sequence.batch import Batch
from sluice.sequence.data.ragged import Array
from sluice.sequence.errors import SequenceError
from sluice.sequence.vocabulary import END

_POOL = 16
"""Batches that are sorted together, by the length of the sources."""


@dataclass(frozen=True)
class PairBatches:
    """A `BatchSource` of pairs of ids in batches of similar length, reshuffled every epoch.

    `sources` and `targets` are without `START` and `END`; `END` is added to each target.

    Raises:
        SequenceError: not one target per source, or an empty source.

    >>> pairs = PairBatches([[7, 8], [9]], [[5], [6, 4]], batch_size=2, seed=0)
    >>> (batch,) = pairs.batches(epoch=0)
    >>> batch.inputs.T.tolist(), batch.targets.T.tolist(), batch.lengths.tolist()
    ([[9, 0], [7, 8]], [[6, 4, 2], [5, 2, 0]], [1, 2])
    """

    sources: Sequence[Sequence[int] | Array]
    targets: Sequence[Sequence[int] | Array]
    batch_size: int
    seed: int

    stateful: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if len(self.sources) != len(self.targets):
            raise SequenceError(
                f"targets must have one entry for each of {len(self.sources)} sources, got "
                f"{len(self.targets)}."
            )
        if not all(len(source) for source in self.sources):
            raise SequenceError("A source needs at least one token; remove empty ones.")

    def __len__(self) -> int:
        return math.ceil(len(self.sources) / self.batch_size)

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """As `BatchSource.batches`; the order depends on `seed` and `epoch` alone."""
        return map(self._make_batch, islice(self._iterate_batch_indices(epoch), first, None))

    def _iterate_batch_indices(self, epoch: int) -> Iterator[list[int]]:
        """The indices of each batch: shuffled, and sorted by length within a pool."""
        generator = torch.Generator().manual_seed(hash((self.seed, epoch)) % 2**63)
        order = iter(torch.randperm(len(self.sources), generator=generator).tolist())
        while pool := list(islice(order, self.batch_size * _POOL)):
            pool.sort(key=lambda place: len(self.sources[place]))
            starts = range(0, len(pool), self.batch_size)
            for number in torch.randperm(len(starts), generator=generator).tolist():
                yield pool[starts[number] : starts[number] + self.batch_size]

    def _make_batch(self, places: list[int]) -> Batch:
        return collate_pairs(
            [self.sources[place] for place in places],
            [[*self.targets[place], END] for place in places],
        )


def collate_pairs(
    sources: Sequence[Sequence[int] | Array], targets: Sequence[Sequence[int] | Array]
) -> Batch:
    """One batch of pairs, padded at the ends, with the lengths of the sources.

    Args:
        sources: ids, without `START` and `END`.
        targets: ids, with `END`.
    """
    inputs, lengths = pad_ids(sources)
    return Batch(inputs, pad_ids(targets)[0], lengths)


def pad_ids(sequences: Sequence[Sequence[int] | Array]) -> tuple[Tensor, Tensor]:
    """Ids (time, batch), int64, padded at the ends, and their lengths (batch,)."""
    lengths = torch.tensor([len(ids) for ids in sequences])
    return pad_sequence([_to_tensor(ids) for ids in sequences]), lengths


def _to_tensor(ids: Sequence[int] | Array) -> Tensor:
    return torch.from_numpy(np.asarray(ids, np.int64))
