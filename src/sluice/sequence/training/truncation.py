"""Truncated backpropagation through time: chunks of batches, and the state between them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor

from sluice.sequence.batch import Batch, BatchSource, ModelState
from sluice.sequence.errors import SequenceError
from sluice.sequence.training.processes import ProcessGroup
from sluice.sequence.training.slicing import detach_state, slice_steps


class DataPosition(NamedTuple):
    """The next chunk of data: its epoch, batch, and number within the batch."""

    epoch: int = 0
    batch: int = 0
    chunk: int = 0


class Chunk(NamedTuple):
    """A batch, or some steps of one.

    `starts_fresh` if no state is carried into it; `is_counted` unless the sequences belong to
    other processes.
    """

    batch: Batch
    starts_fresh: bool
    is_counted: bool
    next_position: DataPosition


class BpttWindow(NamedTuple):
    """What one loss is computed on: `batch`, earlier steps, and the state that they start from.

    `before` runs without gradients, to advance the state; gradients flow through `overlap` and
    `batch`.
    """

    before: Batch | None
    overlap: list[Batch]
    batch: Batch
    state: ModelState


HistoryState = tuple[
    ModelState,
    list[tuple[tuple[Tensor, Tensor, Tensor | None, Tensor | None], ModelState]],
]
"""A `BpttHistory` as plain tuples, for a checkpoint."""


def split_into_chunks(
    source: BatchSource, chunk_steps: int | None, position: DataPosition, group: ProcessGroup
) -> Iterator[Chunk]:
    """One process's chunks of an epoch, each of at most `chunk_steps` steps, from a position on.

    Raises:
        SequenceError: batches with one label per sequence, which cannot be cut.
    """
    for number, batch in enumerate(source.batches(position.epoch, position.batch), position.batch):
        cut = _cut_batch(group.shard(batch), chunk_steps)
        for index, part in enumerate(cut):
            if number == position.batch and index < position.chunk:
                continue
            last = index + 1 == len(cut)
            then = DataPosition(position.epoch, number + last, 0 if last else index + 1)
            if then.batch >= len(source):
                then = DataPosition(position.epoch + 1)
            fresh = index == 0 and (number == 0 or not source.stateful)
            yield Chunk(part, fresh, group.has_shard(batch), then)


def _cut_batch(batch: Batch, chunk_steps: int | None) -> list[Batch]:
    steps = batch.inputs.shape[0]
    if chunk_steps is None or steps <= chunk_steps:
        return [batch]
    if batch.targets.dim() == 1:
        raise SequenceError(
            "bptt cuts batches in time and needs a target at every step, got one label per "
            "sequence; leave bptt out."
        )
    return [
        slice_steps(batch, first, first + chunk_steps) for first in range(0, steps, chunk_steps)
    ]


class BpttHistory:
    """The carried state, and the earlier chunks that windows still overlap.

    With k2 > k1 a window ends with the new chunk of k1 steps, and starts `overlap` = k2 - k1 steps
    earlier, from the state at that point. Those steps run again, forward with the current weights
    and backward. The backward pass covers k2 steps in any case; the extra cost is a forward pass
    over k2 - k1 steps, and no old graph is kept, whose weights have changed. If a window starts
    inside an older chunk, the steps before it in that chunk run without gradients.
    """

    def __init__(self, overlap: int) -> None:
        self.overlap = overlap
        self.past: list[tuple[Batch, ModelState]] = []
        self.state: ModelState = None

    def build_window(self, chunk: Chunk) -> BpttWindow:
        """What the loss of a chunk is computed on."""
        if chunk.starts_fresh:
            self.past, self.state = [], None
        if not self.past:
            return BpttWindow(None, [], chunk.batch, self.state)
        (oldest, state), *rest = self.past
        extra = sum(len(batch.inputs) for batch, _ in self.past) - self.overlap
        before = slice_steps(oldest, 0, extra) if extra > 0 else None
        first = slice_steps(oldest, max(extra, 0), len(oldest.inputs))
        return BpttWindow(before, [first, *(batch for batch, _ in rest)], chunk.batch, state)

    def append(self, batch: Batch, state: ModelState) -> None:
        """Add a chunk with the state after it."""
        self.past.append((batch, self.state))
        while sum(len(old.inputs) for old, _ in self.past[1:]) >= self.overlap and self.past:
            del self.past[0]
        self.state = detach_state(state)

    def export_state(self) -> HistoryState:
        """All of it as tensors, lists and tuples."""
        return self.state, [
            ((batch.inputs, batch.targets, batch.lengths, batch.resets), state)
            for batch, state in self.past
        ]

    def restore_state(self, saved: HistoryState) -> None:
        """Restore what `export_state` returned."""
        self.state, past = saved
        self.past = [(Batch(*values), state) for values, state in past]
