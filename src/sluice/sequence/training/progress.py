"""What training tells on its way and at its end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

StopReason = Literal["budget", "patience", "interrupted"]


@dataclass(frozen=True)
class Progress:
    """Where training stands after a step; losses are means per item (nats per token, say).

    `loss` is a running mean over the last steps, `validation` the latest figure, `best` the
    lowest so far; both are None before the first validation. `validated` says that `validation`
    is new with this report. `gradient_norm` is the one before clipping. Items (tokens, labels,
    values) are called tokens here.
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
    """How training ended; the model holds the weights that gave `validation`."""

    validation_loss: float
    steps: int
    tokens: int
    seconds: float
    stop_reason: StopReason


@dataclass
class TrainerState:
    """What a training has counted so far: a part of every checkpoint."""

    epoch: int = 0
    batch: int = 0
    piece: int = 0
    steps: int = 0
    tokens: int = 0
    loss: float = math.nan
    learning_rate: float = 0.0
    gradient_norm: float = 0.0
    seconds: float = 0.0
    latest: float | None = None
    best: float | None = None
    validations: int = 0
    waited: int = 0
    falls: int = 0
    ended: StopReason | None = None
