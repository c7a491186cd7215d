"""How long to train and how fast to learn."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from sluice.sequence.errors import SequenceError
from sluice.sequence.training.schedules import Cosine, Schedule, ScheduleState

OptimizerName = Literal["adamw", "sgd", "rmsprop"]


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How to train, and for how long: `seconds` of wall clock, `epochs` or `steps`, one of them.

    With `epochs` and `steps` a seed repeats a run exactly (on one machine, for a fixed number of
    threads); with `seconds` the number of steps depends on the machine's speed.

    Args:
        seconds, epochs, steps: the budget; a step is one update of the weights.
        optimizer: `"adamw"` (Loshchilov & Hutter 2019), `"sgd"`, or `"rmsprop"` (as in char-rnn).
        learning_rate: its peak.
        schedule: how it falls; see `sluice.sequence.training.schedules`.
        warmup: the part of the budget over which it rises linearly to the peak.
        weight_decay: AdamW's, decoupled; for the others an L2 penalty.
        betas: AdamW's.
        momentum: of SGD.
        smoothing: RMSProp's moving average of squares.
        clip: the highest norm of the gradients (Pascanu et al. 2013); None for no limit.
        bptt: None for backpropagation through whole batches. A number k cuts batches into chunks
            of k steps, each an update, with the state carried and detached. A pair (k1, k2)
            updates every k1 steps and goes back k2 (Williams & Peng 1990).
        accumulate: this many batches (or chunks) make one update, whose gradient is the mean over
            all their items; at an epoch's end what is there makes one.
        average: the decay of a moving average of the weights, such as 0.999 (Polyak & Juditsky
            1992; its bias at the start corrected as in Adam); validated and kept in their place.
        patience: end after this many validations in a row without a new lowest loss.
        validations: how many, evenly over the budget.
        precision: what layers on the kernels multiply in, `"float32"` or `"bfloat16"`; None
            leaves them as they are set.
        seed: decides dropout; the data's order is the source's business.
        save_seconds: a checkpoint at least this often, where training has a folder.
        save_steps: and after every so many steps.

    Raises:
        SequenceError: no budget or two, or a value outside its range.
    """

    seconds: float | None = None
    epochs: float | None = None
    steps: int | None = None
    optimizer: OptimizerName = "adamw"
    learning_rate: float = 4e-3
    schedule: Schedule = field(default_factory=Cosine)
    warmup: float = 0.1
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    momentum: float = 0.9
    smoothing: float = 0.95
    clip: float | None = 1.0
    bptt: int | tuple[int, int] | None = None
    accumulate: int = 1
    average: float | None = None
    patience: int | None = None
    validations: int = 10
    precision: Literal["float32", "bfloat16"] | None = None
    seed: int = 0
    save_seconds: float = 60.0
    save_steps: int | None = None

    def __post_init__(self) -> None:
        if sum(one is not None for one in (self.seconds, self.epochs, self.steps)) != 1:
            raise SequenceError("Give training seconds or epochs or steps, one of the three.")
        for name in ("seconds", "epochs", "learning_rate", "clip", "save_seconds"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise SequenceError(f"{name} is above 0, but {value} came.")
        for name in ("steps", "accumulate", "patience", "validations", "save_steps"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SequenceError(f"{name} is at least 1, but {value} came.")
        for name in ("warmup", "momentum", "smoothing", "average"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < 1:
                raise SequenceError(f"{name} lies in [0, 1), but {value} came.")
        if self.optimizer not in _OPTIMIZERS:
            known = ", ".join(_OPTIMIZERS)
            raise SequenceError(f"The optimizer is one of {known}, but {self.optimizer!r} came.")
        every, back = self.bptt_stride, self.bptt_length
        if every is not None and back is not None and not 1 <= every <= back:
            raise SequenceError(f"bptt needs 1 <= k1 <= k2, but ({every}, {back}) came.")

    @property
    def bptt_stride(self) -> int | None:
        """k1 of truncated backpropagation; None where batches are not cut."""
        return self.bptt[0] if isinstance(self.bptt, tuple) else self.bptt

    @property
    def bptt_length(self) -> int | None:
        """k2 of truncated backpropagation; None where batches are not cut."""
        return self.bptt[1] if isinstance(self.bptt, tuple) else self.bptt

    def learning_rate_at(self, state: ScheduleState) -> float:
        """The learning rate when training stands there."""
        if state.fraction < self.warmup:
            return self.learning_rate * max(state.fraction / self.warmup, 0.01)
        return self.learning_rate * self.schedule.factor(state, self.warmup)

    def export_settings(self) -> dict[str, Any]:
        """What decides the result, as JSON: all but when checkpoints are written."""
        values = asdict(self)
        del values["save_seconds"], values["save_steps"]
        values["betas"] = list(self.betas)
        values["bptt"] = [self.bptt_stride, self.bptt_length] if self.bptt else None
        return {**values, "schedule": {"name": self.schedule.name, **values["schedule"]}}

    def build_optimizer(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        """The optimizer asked for; its learning rate is set before every step."""
        return _OPTIMIZERS[self.optimizer](self, parameters)


def _build_adamw(config: TrainingConfig, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        parameters, betas=config.betas, weight_decay=config.weight_decay, fused=True
    )


def _build_sgd(config: TrainingConfig, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, momentum=config.momentum, weight_decay=config.weight_decay)


def _build_rmsprop(config: TrainingConfig, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
    return torch.optim.RMSprop(parameters, alpha=config.smoothing, weight_decay=config.weight_decay)


_OPTIMIZERS = {"adamw": _build_adamw, "sgd": _build_sgd, "rmsprop": _build_rmsprop}
