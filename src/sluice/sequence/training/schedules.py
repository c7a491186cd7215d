"""How the learning rate moves while a budget is spent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from sluice.sequence.errors import SequenceError


class ScheduleState(NamedTuple):
    """Where training stands: the part (0 to 1) of the budget spent, epochs, falls on a plateau."""

    fraction: float
    epoch: float = 0.0
    reductions: int = 0


@dataclass(frozen=True)
class Constant:
    """The same learning rate throughout."""

    name: ClassVar[str] = "constant"

    def factor(self, state: ScheduleState, warmup: float) -> float:
        return 1.0


@dataclass(frozen=True)
class Cosine:
    """Along a half cosine from the end of the warm-up to `floor` times the peak at the end
    (Loshchilov & Hutter 2017).
    """

    floor: float = 0.0
    name: ClassVar[str] = "cosine"

    def factor(self, state: ScheduleState, warmup: float) -> float:
        fall = (state.fraction - warmup) / (1 - warmup)
        height = 0.5 * (1 + math.cos(math.pi * min(max(fall, 0.0), 1.0)))
        return self.floor + (1 - self.floor) * height


@dataclass(frozen=True)
class StepDecay:
    """Times `decay` after every `every` epochs.

    Raises:
        SequenceError: a decay outside (0, 1], or epochs that are not positive.
    """

    decay: float = 0.1
    every: float = 10
    name: ClassVar[str] = "steps"

    def __post_init__(self) -> None:
        _check_decay(self.decay, self.every)

    def factor(self, state: ScheduleState, warmup: float) -> float:
        return self.decay ** math.floor(state.epoch / self.every)


@dataclass(frozen=True)
class Exponential:
    """Times `decay` after every epoch from epoch `after` on, as in char-rnn (Karpathy 2015).

    Raises:
        SequenceError: a decay outside (0, 1], or epochs that are not positive.
    """

    decay: float = 0.97
    after: int = 10
    name: ClassVar[str] = "exponential"

    def __post_init__(self) -> None:
        _check_decay(self.decay, self.after)

    def factor(self, state: ScheduleState, warmup: float) -> float:
        return self.decay ** max(0, math.floor(state.epoch) - self.after + 1)


@dataclass(frozen=True)
class Plateau:
    """Times `decay` whenever `patience` validations in a row have brought no new lowest loss.

    Raises:
        SequenceError: a decay outside (0, 1], or a patience below one.
    """

    decay: float = 0.5
    patience: int = 2
    name: ClassVar[str] = "plateau"

    def __post_init__(self) -> None:
        _check_decay(self.decay, self.patience)

    def factor(self, state: ScheduleState, warmup: float) -> float:
        return float(self.decay**state.reductions)


Schedule = Constant | Cosine | StepDecay | Exponential | Plateau
SCHEDULES = {kind.name: kind for kind in (Constant, Cosine, StepDecay, Exponential, Plateau)}


def _check_decay(decay: float, often: float) -> None:
    if not 0 < decay <= 1:
        raise SequenceError(f"A schedule's decay lies in (0, 1], but {decay} came.")
    if not 0 < often < math.inf:
        raise SequenceError(f"How often a schedule decays is above 0, but {often} came.")
