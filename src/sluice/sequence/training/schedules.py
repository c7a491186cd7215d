"""Learning-rate schedules."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from sluice.sequence.errors import SequenceError


class ScheduleState(NamedTuple):
    """Progress of training: fraction of the budget (0 to 1), epochs, reductions on a plateau."""

    fraction: float
    epoch: float = 0.0
    reductions: int = 0


@dataclass(frozen=True)
class ConstantRate:
    """A constant learning rate."""

    name: ClassVar[str] = "constant"

    def factor(self, state: ScheduleState, warmup: float) -> float:
        """The factor on the peak, 0 to 1; `warmup` is the fraction of the budget before it."""
        return 1.0


@dataclass(frozen=True)
class Cosine:
    """A half cosine from the peak to `floor` times the peak (Loshchilov & Hutter 2017)."""

    floor: float = 0.0
    name: ClassVar[str] = "cosine"

    def factor(self, state: ScheduleState, warmup: float) -> float:
        """As `ConstantRate.factor`."""
        done = (state.fraction - warmup) / (1 - warmup)
        height = 0.5 * (1 + math.cos(math.pi * min(max(done, 0.0), 1.0)))
        return self.floor + (1 - self.floor) * height


class _Decay:
    """What the three decaying schedules share: `decay` to the power of a number of reductions."""

    decay: float

    def factor(self, state: ScheduleState, warmup: float) -> float:
        """As `ConstantRate.factor`."""
        return float(self.decay ** self._count_reductions(state))

    def _count_reductions(self, state: ScheduleState) -> int:
        raise NotImplementedError

    def _require_valid(self, **intervals: float) -> None:
        if not 0 < self.decay <= 1:
            raise SequenceError(f"decay must be in (0, 1], got {self.decay}.")
        for name, value in intervals.items():
            if not 0 < value < math.inf:
                raise SequenceError(f"{name} must be above 0, got {value}.")


@dataclass(frozen=True)
class StepDecay(_Decay):
    """Multiply by `decay` after every `every` epochs.

    Raises:
        SequenceError: a decay outside (0, 1], or epochs that are not positive.

    >>> [StepDecay(0.5, every=2).factor(ScheduleState(0, epoch), 0) for epoch in (1, 2, 4)]
    [1.0, 0.5, 0.25]
    """

    decay: float = 0.1
    every: float = 10
    name: ClassVar[str] = "steps"

    def __post_init__(self) -> None:
        self._require_valid(every=self.every)

    def _count_reductions(self, state: ScheduleState) -> int:
        return math.floor(state.epoch / self.every)


@dataclass(frozen=True)
class Exponential(_Decay):
    """Multiply by `decay` after every epoch from epoch `after` on, as char-rnn (Karpathy 2015).

    Raises:
        SequenceError: a decay outside (0, 1], or epochs that are not positive.
    """

    decay: float = 0.97
    after: int = 10
    name: ClassVar[str] = "exponential"

    def __post_init__(self) -> None:
        self._require_valid(after=self.after)

    def _count_reductions(self, state: ScheduleState) -> int:
        return max(0, math.floor(state.epoch) - self.after + 1)


@dataclass(frozen=True)
class Plateau(_Decay):
    """Multiply by `decay` after `patience` validations in a row without a new lowest loss.

    Raises:
        SequenceError: a decay outside (0, 1], or a patience below one.
    """

    decay: float = 0.5
    patience: int = 2
    name: ClassVar[str] = "plateau"

    def __post_init__(self) -> None:
        self._require_valid(patience=self.patience)

    def _count_reductions(self, state: ScheduleState) -> int:
        return state.reductions


Schedule = ConstantRate | Cosine | StepDecay | Exponential | Plateau
