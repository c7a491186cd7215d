"""What training counts, and what it reports after each step and at its end."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from typing import Literal, get_args

import torch

from sluice.sequence.errors import CheckpointError
from sluice.sequence.training.config import TrainingConfig
from sluice.sequence.training.schedules import ScheduleState

StopReason = Literal["budget", "patience", "interrupted"]
_MOST = 1 << 62


@dataclass(frozen=True)
class Progress:
    """Where training is after a step; losses are means per item (nats per token, for example).

    `loss` is a running mean over the last steps, `validation_loss` the latest one, `best_loss` the
    lowest so far; both are None before the first validation. `has_new_validation` is true if
    `validation_loss` is new in this report. `gradient_norm` is the norm before clipping. Items
    (tokens, labels, values) are called tokens here.
    """

    step: int
    fraction: float
    epoch: float
    seconds: float
    seconds_left: float
    tokens_per_second: float
    loss: float
    validation_loss: float | None
    best_loss: float | None
    has_new_validation: bool
    learning_rate: float
    gradient_norm: float


@dataclass(frozen=True)
class TrainingResult:
    """How training ended; the model holds the weights that gave `validation_loss`.

    `skipped_validations` were left out, as validations take at most 15 % of a budget of time.
    """

    validation_loss: float
    steps: int
    tokens: int
    seconds: float
    stop_reason: StopReason
    skipped_validations: int = 0


@dataclass
class TrainerState:
    """What a training has counted so far; every checkpoint holds it.

    `epoch`, `batch` and `chunk` are the position of the next chunk of data; `stale_validations`
    counts validations since the lowest loss, `reductions` those of the learning rate on a plateau;
    `validation_seconds` is what `measured_validations` took.
    """

    epoch: int = 0
    batch: int = 0
    chunk: int = 0
    steps: int = 0
    tokens: int = 0
    loss: float = math.nan
    learning_rate: float = 0.0
    gradient_norm: float = 0.0
    seconds: float = 0.0
    validation_loss: float | None = None
    best_loss: float | None = None
    validations: int = 0
    stale_validations: int = 0
    reductions: int = 0
    validation_seconds: float = 0.0
    measured_validations: int = 0
    skipped_validations: int = 0
    stop_reason: StopReason | None = None

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            whole = one.type == "int"
            if whole and not (isinstance(value, int) and value >= 0):
                raise ValueError(f"{one.name} must be a number of at least 0, got {value!r:.40}")
        for name in ("loss", "validation_loss", "best_loss", "gradient_norm"):
            if not isinstance(getattr(self, name), float | int | None):
                raise ValueError(f"{name} must be a number, got {getattr(self, name)!r:.40}")
        for name in ("seconds", "validation_seconds"):
            spent = getattr(self, name)
            if not (isinstance(spent, float | int) and 0 <= spent < math.inf):
                raise ValueError(f"{name} must be at least 0, got {spent!r:.40}")
        if max(self.epoch, self.steps, self.tokens) >= _MOST:
            raise ValueError(f"epoch, steps and tokens must be below {_MOST}")
        if self.stop_reason not in (None, *get_args(StopReason)):
            raise ValueError(f"{self.stop_reason!r:.40} is no reason to stop")

    def compute_schedule_state(self, config: TrainingConfig, num_batches: int) -> ScheduleState:
        """The fraction of the budget that is spent; `num_batches` is the length of an epoch."""
        epoch = self.epoch + self.batch / num_batches
        if config.seconds is not None:
            fraction = self.seconds / config.seconds
        elif config.steps is not None:
            fraction = self.steps / config.steps
        else:
            assert config.epochs is not None
            done = self.epoch * num_batches + self.batch
            fraction = done / (config.epochs * num_batches)
        return ScheduleState(min(fraction, 1.0), epoch, self.reductions)

    def start_budget(self, config: TrainingConfig, num_batches: int) -> None:
        """Go on with another budget than before, from the step that is reached.

        The fraction that is spent, and with it the learning rate, is from now on that of the new
        budget, as are the validations that are behind. Patience starts anew.

        Raises:
            CheckpointError: nothing is left of it.
        """
        fraction = self.compute_schedule_state(config, num_batches).fraction
        if fraction >= 1:
            raise CheckpointError(f"It has had {self._describe_spent(config, num_batches)} already")
        self.validations = math.floor(fraction * config.validations)
        self.stale_validations, self.stop_reason = 0, None

    def _describe_spent(self, config: TrainingConfig, num_batches: int) -> str:
        name, _ = config.budget
        epochs = self.epoch + self.batch / num_batches
        return {
            "seconds": f"{self.seconds / 60:.3g} minutes",
            "epochs": f"{epochs:.4g} epochs",
            "steps": f"{self.steps} steps",
        }[name]

    def to_progress(self, schedule: ScheduleState, has_new_validation: bool) -> Progress:
        """The report after a step."""
        seconds, fraction = self.seconds, schedule.fraction
        return Progress(
            step=self.steps,
            fraction=fraction,
            epoch=schedule.epoch,
            seconds=seconds,
            seconds_left=seconds * (1 - fraction) / fraction if fraction > 0 else math.inf,
            tokens_per_second=self.tokens / seconds if seconds > 0 else 0.0,
            loss=self.loss,
            validation_loss=self.validation_loss,
            best_loss=self.best_loss,
            has_new_validation=has_new_validation,
            learning_rate=self.learning_rate,
            gradient_norm=self.gradient_norm,
        )

    def to_result(self, stop_reason: StopReason) -> TrainingResult:
        """How training ended, after at least one validation."""
        assert self.best_loss is not None
        return TrainingResult(
            self.best_loss,
            self.steps,
            self.tokens,
            self.seconds,
            stop_reason,
            self.skipped_validations,
        )


def preserve_rng() -> AbstractContextManager[None]:
    """Restore torch's random states at the end of the ``with`` block."""
    return torch.random.fork_rng(devices=range(torch.cuda.device_count()))
