"""Batches of parts of sequences: streams with carried state, and windows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from sluice.cached import cached_property
from sluice.sequence.batch import Batch
from sluice.sequence.batching.bucketed import check_shards, make_generator
from sluice.sequence.data.ragged import Array, Indices
from sluice.sequence.data.targets import Example, SupervisedSequences, collate
from sluice.sequence.errors import SequenceError


@dataclass(frozen=True)
class StreamBatches:
    """A `BatchSource` for truncated BPTT (Williams & Peng 1990), with state carried over.

    All sequences of an epoch, in random order, are concatenated and cut into `batch_size` streams
    of equal length; a batch is the next `seq_len` steps of each. `resets` marks where a sequence
    starts. Only the end of the last stream is padded.

    Args:
        sequences: any but those with one label per sequence.
        batch_size: streams in a batch, all processes together.
        seq_len: steps in a batch, the k1 = k2 of truncated BPTT.
        seed: for the order, with the epoch.
        rank: the rank of this process.
        world_size: the number of processes; each reads every `world_size`-th stream.

    Raises:
        SequenceError: as `check_shards`, a `seq_len` below 1, or one label per sequence.

    >>> from sluice.sequence.data.ragged import RaggedArray
    >>> from sluice.sequence.data.targets import NextToken
    >>> steps = NextToken(RaggedArray.of([[3, 4, 5, 6, 7]]))
    >>> source = StreamBatches(steps, batch_size=2, seq_len=2, seed=0)
    >>> [batch.inputs.T.tolist() for batch in source.batches(epoch=0)]
    [[[1, 3], [5, 6]], [[4], [7]]]
    """

    sequences: SupervisedSequences
    batch_size: int
    seq_len: int
    seed: int
    rank: int = 0
    world_size: int = 1

    stateful: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_shards(int(self._lengths.sum()), self.batch_size, self.rank, self.world_size)
        if self.seq_len < 1:
            raise SequenceError(f"seq_len must be at least 1 step, got {self.seq_len}.")
        if self.sequences.read(0, 0, 0)[1].ndim == 0:
            raise SequenceError(
                "StreamBatches needs a target for every step, but these sequences have one "
                "label each; use BucketBatches."
            )

    @cached_property
    def _lengths(self) -> Indices:
        return self.sequences.lengths

    @cached_property
    def _stream_length(self) -> int:
        """Steps in a stream."""
        return math.ceil(int(self._lengths.sum()) / self.batch_size)

    def __len__(self) -> int:
        return math.ceil(self._stream_length / self.seq_len)

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """As `BatchSource.batches`; the order depends on `seed` and `epoch` alone."""
        order = torch.randperm(
            len(self._lengths), generator=make_generator(self.seed, epoch)
        ).numpy()
        ends = np.cumsum(self._lengths[order])
        for number in range(first, len(self)):
            yield self._make_batch(order, ends, number * self.seq_len)

    def _make_batch(self, order: Array, ends: Array, first: int) -> Batch:
        last = min(first + self.seq_len, self._stream_length)
        all_steps, stride = (
            self.batch_size * self._stream_length,
            self.world_size * self._stream_length,
        )
        begins = range(self.rank * self._stream_length, all_steps, stride)
        read = [self._read_between(order, ends, at + first, at + last) for at in begins]
        batch = collate(self.sequences, [part for part, _ in read])
        resets = torch.zeros(batch.inputs.shape[:2], dtype=torch.bool)
        for column, (_, starts) in enumerate(read):
            resets[starts, column] = True
        return replace(batch, lengths=None, resets=resets)

    def _read_between(
        self, order: Array, ends: Array, first: int, last: int
    ) -> tuple[Example, list[int]]:
        """Steps `first` to `last` of all sequences concatenated, and which of them start one."""
        parts, starts, at = [self.sequences.read(0, 0, 0)], [], first
        last = min(last, int(ends[-1]))
        number = int(np.searchsorted(ends, at, side="right"))
        while at < last:
            begin = int(ends[number] - self._lengths[order[number]])
            until = min(int(ends[number]), last)
            if at == begin and until > at:
                starts.append(at - first)
            parts.append(self.sequences.read(int(order[number]), at - begin, until - begin))
            at, number = until, number + 1
        inputs, targets = zip(*parts, strict=True)
        return (np.concatenate(inputs), np.concatenate(targets)), starts


@dataclass(frozen=True)
class WindowBatches:
    """A `BatchSource` of windows of `seq_len` steps, in random order, mostly for forecasting.

    Windows start every `stride` steps (default `seq_len`), and the last one ends with the
    sequence; a shorter sequence is one window.

    Args:
        sequences: any but those with one label per sequence.
        seq_len: steps in a window.
        batch_size: windows in a batch, all processes together.
        seed: for the order, with the epoch.
        stride: steps between the starts of windows.
        once: let each step's targets count in the first window that holds it alone; in later ones
            they are NaN. For evaluation: no step counts twice, and each has at least
            `seq_len - stride` steps before it, if its sequence has. Needs targets of values.
        rank: the rank of this process.
        world_size: the number of processes; each reads every `world_size`-th window of a batch.

    Raises:
        SequenceError: as `check_shards`, a `seq_len` or stride below 1, or one label per sequence.

    >>> from sluice.sequence.data.ragged import RaggedArray
    >>> from sluice.sequence.data.targets import NextValues
    >>> values = RaggedArray.of([[[0.0], [1.0], [2.0], [3.0], [4.0]]], np.float32)
    >>> steps = NextValues(values, values, horizon=2)
    >>> source = WindowBatches(steps, seq_len=3, batch_size=2, seed=0)
    >>> (batch,) = source.batches(epoch=0)
    >>> sorted(batch.inputs[:, :, 0].T.tolist()), tuple(batch.targets.shape)
    ([[0.0, 1.0, 2.0], [1.0, 2.0, 3.0]], (3, 2, 2))
    """

    sequences: SupervisedSequences
    seq_len: int
    batch_size: int
    seed: int
    stride: int | None = None
    once: bool = False
    rank: int = 0
    world_size: int = 1

    stateful: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for name, value in (("seq_len", self.seq_len), ("stride", self._stride)):
            if value < 1:
                raise SequenceError(f"{name} must be at least 1 step, got {value}.")
        check_shards(int(self._ends[-1]), self.batch_size, self.rank, self.world_size)
        if self.sequences.read(0, 0, 0)[1].ndim == 0:
            raise SequenceError(
                "WindowBatches needs a target for every step, but these sequences have one "
                "label each; use BucketBatches."
            )

    @property
    def _stride(self) -> int:
        return self.seq_len if self.stride is None else self.stride

    @cached_property
    def _lengths(self) -> Indices:
        return self.sequences.lengths

    @cached_property
    def _ends(self) -> Indices:
        """The number of windows up to the end of each sequence."""
        beyond = np.maximum(self._lengths - self.seq_len, 0)
        windows = -(-beyond // self._stride) + (self._lengths > 0)
        return np.concatenate(([0], np.cumsum(windows)))

    def __len__(self) -> int:
        return math.ceil(int(self._ends[-1]) / self.batch_size)

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """As `BatchSource.batches`; the order depends on `seed` and `epoch` alone."""
        order = torch.randperm(int(self._ends[-1]), generator=make_generator(self.seed, epoch))
        for number in range(first, len(self)):
            chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
            mine = chosen[self.rank :: self.world_size].tolist()
            yield collate(self.sequences, [self._read_window(window) for window in mine])

    def _read_window(self, number: int) -> Example:
        place = int(np.searchsorted(self._ends, number, side="right")) - 1
        steps = int(self._lengths[place])
        begin = (number - int(self._ends[place])) * self._stride
        read_before = begin - self._stride + self.seq_len if begin else 0
        begin = min(begin, max(steps - self.seq_len, 0))
        inputs, targets = self.sequences.read(place, begin, min(begin + self.seq_len, steps))
        if self.once and read_before:
            targets = targets.copy()
            targets[: read_before - begin] = np.nan
        return inputs, targets
