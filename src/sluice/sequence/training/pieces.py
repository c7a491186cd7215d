"""Batches cut in time and among processes: what truncated backpropagation runs over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sluice.sequence.batch import Batch, Source
from sluice.sequence.errors import SequenceError
from sluice.sequence.training.cutting import detached, span
from sluice.sequence.training.processes import Group


class Place(NamedTuple):
    """A place in the data: the piece of a batch of an epoch that comes next."""

    epoch: int = 0
    batch: int = 0
    piece: int = 0


class Piece(NamedTuple):
    """A batch, or some steps of one.

    `fresh` where no state comes before it; `counts` unless another process has all of the batch;
    `then` is the place of the next.
    """

    batch: Batch
    fresh: bool
    counts: bool
    then: Place


class Window(NamedTuple):
    """What one loss is computed on: the steps before it, and the state that they start from.

    Gradients flow through `head` and `batch`; `before` only moves the state on.
    """

    before: Batch | None
    head: list[Batch]
    batch: Batch
    state: Any


def pieces(source: Source, every: int | None, place: Place, group: Group) -> Iterator[Piece]:
    """One process's pieces of an epoch, each of at most `every` steps, from a place on.

    Raises:
        SequenceError: one label for a whole sequence, which cannot be cut.
    """
    for number, batch in enumerate(source.batches(place.epoch, place.batch), place.batch):
        cut = _cut(group.share(batch), every)
        for index, part in enumerate(cut):
            if number == place.batch and index < place.piece:
                continue
            last = index + 1 == len(cut)
            then = Place(place.epoch, number + last, 0 if last else index + 1)
            if then.batch >= len(source):
                then = Place(place.epoch + 1)
            fresh = index == 0 and (number == 0 or not source.carries)
            yield Piece(part, fresh, group.counts(batch), then)


def _cut(batch: Batch, every: int | None) -> list[Batch]:
    steps = batch.inputs.shape[0]
    if every is None or steps <= every:
        return [batch]
    if batch.targets.dim() == 1:
        raise SequenceError(
            "bptt cuts batches in time and needs a target at every step, but these have one label "
            "a sequence; leave bptt out."
        )
    return [span(batch, first, first + every) for first in range(0, steps, every)]


class Memory:
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

    def window(self, piece: Piece) -> Window:
        """What the loss of a piece is computed on."""
        if piece.fresh:
            self.past, self.state = [], None
        if not self.past:
            return Window(None, [], piece.batch, self.state)
        (oldest, state), *rest = self.past
        extra = sum(len(batch.inputs) for batch, _ in self.past) - self.overlap
        before = span(oldest, 0, extra) if extra > 0 else None
        first = span(oldest, max(extra, 0), len(oldest.inputs))
        return Window(before, [first, *(batch for batch, _ in rest)], piece.batch, state)

    def keep(self, batch: Batch, state: Any) -> None:
        """Note the state that a piece has left behind."""
        self.past.append((batch, self.state))
        while sum(len(old.inputs) for old, _ in self.past[1:]) >= self.overlap and self.past:
            del self.past[0]
        self.state = detached(state)

    def as_plain(self) -> Any:
        """All of it, of tensors and lists alone."""
        return self.state, [(list(vars(batch).values()), state) for batch, state in self.past]

    def restore(self, plain: Any) -> None:
        """Take back what `as_plain` gave."""
        self.state, past = plain
        self.past = [(Batch(*values), state) for values, state in past]
