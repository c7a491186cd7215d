"""Batches cut in time and among processes: what truncated backpropagation runs over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sluice.sequence.batch import Batch, BatchSource
from sluice.sequence.errors import SequenceError
from sluice.sequence.training.processes import ProcessGroup
from sluice.sequence.training.slicing import detach_state, slice_steps


class DataPosition(NamedTuple):
    """A place in the data: the piece of a batch of an epoch that comes next."""

    epoch: int = 0
    batch: int = 0
    chunk: int = 0


class Chunk(NamedTuple):
    """A batch, or some steps of one.

    `fresh` where no state comes before it; `counts` unless another process has all of the batch;
    `then` is the place of the next.
    """

    batch: Batch
    starts_fresh: bool
    is_counted: bool
    next_position: DataPosition


class BpttWindow(NamedTuple):
    """What one loss is computed on: the steps before it, and the state that they start from.

    Gradients flow through `head` and `batch`; `before` only moves the state on.
    """

    before: Batch | None
    overlap: list[Batch]
    batch: Batch
    state: Any


def split_into_chunks(
    source: BatchSource, chunk_steps: int | None, position: DataPosition, group: ProcessGroup
) -> Iterator[Chunk]:
    """One process's pieces of an epoch, each of at most `every` steps, from a place on.

    Raises:
        SequenceError: one label for a whole sequence, which cannot be cut.
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
            "bptt cuts batches in time and needs a target at every step, but these have one label "
            "a sequence; leave bptt out."
        )
    return [
        slice_steps(batch, first, first + chunk_steps) for first in range(0, steps, chunk_steps)
    ]


class BpttHistory:
    """The state that is carried, and the pieces that windows still reach back to.

    With k2 > k1 a window ends with the new piece of k1 steps, and begins `overlap` = k2 - k1 steps
    earlier, from the state that was carried to there. It runs those steps again, forward with
    today's weights and back: any way must go back over k2 steps for k1 new ones, so that all it
    costs is a forward pass over k2 - k1 steps, and nothing is kept of old graphs, whose weights
    have changed meanwhile. Where a window begins inside an older piece, the steps of that piece
    before it run without gradients.
    """

    def __init__(self, overlap: int) -> None:
        self.overlap = overlap
        self.past: list[tuple[Batch, Any]] = []
        self.state: Any = None

    def build_window(self, piece: Chunk) -> BpttWindow:
        """What the loss of a piece is computed on."""
        if piece.starts_fresh:
            self.past, self.state = [], None
        if not self.past:
            return BpttWindow(None, [], piece.batch, self.state)
        (oldest, state), *rest = self.past
        extra = sum(len(batch.inputs) for batch, _ in self.past) - self.overlap
        before = slice_steps(oldest, 0, extra) if extra > 0 else None
        first = slice_steps(oldest, max(extra, 0), len(oldest.inputs))
        return BpttWindow(before, [first, *(batch for batch, _ in rest)], piece.batch, state)

    def append(self, batch: Batch, state: Any) -> None:
        """Note the state that a piece has left behind."""
        self.past.append((batch, self.state))
        while sum(len(old.inputs) for old, _ in self.past[1:]) >= self.overlap and self.past:
            del self.past[0]
        self.state = detach_state(state)

    def export_state(self) -> Any:
        """All of it, of tensors and lists alone."""
        return self.state, [(list(vars(batch).values()), state) for batch, state in self.past]

    def restore_state(self, plain: Any) -> None:
        """Take back what `as_plain` gave."""
        self.state, past = plain
        self.past = [(Batch(*values), state) for values, state in past]
