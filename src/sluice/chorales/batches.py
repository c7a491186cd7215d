"""Batches of rolls for training: windows, each in another key at every epoch; and whole pieces."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sluice.cached import cached_property
from sluice.chorales.roll import Roll
from sluice.sequence.batch import Batch
from sluice.sequence.batching.bucketed import bucket_by_length, check_shards, make_generator
from sluice.sequence.errors import SequenceError
from sluice.sequence.models.biaxial import HELD

_FARTHEST = 6
"""Semitones by which a piece is transposed at most."""


@dataclass(frozen=True)
class RollBatches:
    """A `BatchSource` of windows of pieces, or of whole ones, for a `BiaxialModel`.

    Args:
        rolls: the pieces.
        low, high: the lowest and the highest note of the model; each piece lies within.
        batch_size: windows or pieces in a batch, all processes together.
        seed: for order, places and keys, with the epoch.
        steps: the steps of a window, whose place in the piece is drawn; None for whole pieces.
        transposes: whether each is transposed by up to six semitones, drawn anew every epoch, as
            far as it stays within the model's notes.
        strikes: whether struck notes are marked.
        rank, world_size: as for `BucketBatches`.

    Raises:
        SequenceError: as `check_shards`; a piece with notes outside the model's.
    """

    rolls: Sequence[Roll]
    low: int
    high: int
    batch_size: int
    seed: int
    steps: int | None = None
    transposes: bool = False
    strikes: bool = True
    rank: int = 0
    world_size: int = 1

    stateful: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_shards(len(self.rolls), self.batch_size, self.rank, self.world_size)
        for roll in self.rolls:
            low, high = roll.span
            if low <= high and not self.low <= low <= high <= self.high:
                raise SequenceError(
                    f"{roll.name or 'A piece'} has notes from {low} to {high}, but the model's are "
                    f"{self.low} to {self.high} (MIDI numbers)."
                )

    @cached_property
    def _windows(self) -> list[tuple[int, int]]:
        """The piece and the number of each window of an epoch."""
        size = self.steps
        counts = [1 if size is None else math.ceil(len(roll) / size) for roll in self.rolls]
        return [(place, number) for place, count in enumerate(counts) for number in range(count)]

    def __len__(self) -> int:
        return math.ceil(len(self._windows) / self.batch_size)

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """As `BatchSource.batches`; all depends on `seed` and `epoch` alone."""
        generator = make_generator(self.seed, epoch)
        chance = np.random.default_rng([self.seed, epoch])
        # Each piece begins somewhere in its first window, and is transposed as a whole.
        shifts = [self._draw_shift(roll, chance) for roll in self.rolls]
        offsets = [
            0 if self.steps is None else int(chance.integers(self.steps)) for _ in self.rolls
        ]
        lengths = np.array([self._bounds(window, offsets)[1] for window in self._windows])
        lengths = lengths - np.array([self._bounds(window, offsets)[0] for window in self._windows])
        order = bucket_by_length(lengths.astype(np.int64), self.batch_size, generator)
        for number, places in enumerate(order):
            if number >= first:
                mine = [self._windows[place] for place in places[self.rank :: self.world_size]]
                yield self._build(mine, shifts, offsets)

    def _draw_shift(self, roll: Roll, chance: np.random.Generator) -> int:
        low, high = roll.span
        if not self.transposes or low > high:
            return 0
        down, up = min(_FARTHEST, low - self.low), min(_FARTHEST, self.high - high)
        return int(chance.integers(-down, up + 1))

    def _bounds(self, window: tuple[int, int], offsets: Sequence[int]) -> tuple[int, int]:
        place, number = window
        whole = len(self.rolls[place])
        if self.steps is None:
            return 0, whole
        # As many windows as without an offset: the last takes what the first lacks.
        count = math.ceil(whole / self.steps)
        begin = 0 if number == 0 else min(number * self.steps - offsets[place], whole)
        last = number == count - 1
        return begin, whole if last else min((number + 1) * self.steps - offsets[place], whole)

    def _build(
        self, windows: Sequence[tuple[int, int]], shifts: Sequence[int], offsets: Sequence[int]
    ) -> Batch:
        examples = []
        for window in windows:
            roll, shift = self.rolls[window[0]], shifts[window[0]]
            states = select_notes(roll.transpose(shift), self.low, self.high, self.strikes)
            begin, end = self._bounds(window, offsets)
            examples.append(
                (shift_steps(states)[begin:end], roll.clock()[begin:end], states[begin:end])
            )
        return collate_rolls(examples)


RollExample = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""The step before each, its clock, and the step: (steps, notes), (steps, clock), (steps, notes)."""


def collate_rolls(examples: Sequence[RollExample]) -> Batch:
    """One batch, padded at the ends: inputs with zeros, targets with NaN."""
    lengths = [len(states) for _, _, states in examples]
    longest = max(lengths)
    inputs = [np.concatenate((before, clock), axis=1) for before, clock, _ in examples]
    return Batch(
        _pad(inputs, longest, 0.0),
        _pad([states for _, _, states in examples], longest, np.nan),
        torch.tensor(lengths) if min(lengths) < longest else None,
    )


def select_notes(roll: Roll, low: int, high: int, strikes: bool) -> NDArray[np.float32]:
    """(steps, notes), float32: what the notes from low to high do."""
    states = roll.states[:, low : high + 1].astype(np.float32)
    return states if strikes else np.minimum(states, HELD)


def shift_steps(states: NDArray[np.float32]) -> NDArray[np.float32]:
    """The step before each; silence before the first."""
    return np.concatenate((np.zeros_like(states[:1]), states[:-1]))


def _pad(columns: Sequence[NDArray[np.float32]], longest: int, value: float) -> Tensor:
    whole = np.full((longest, len(columns), columns[0].shape[1]), value, np.float32)
    for place, column in enumerate(columns):
        whole[: len(column), place] = column
    return torch.from_numpy(whole)
