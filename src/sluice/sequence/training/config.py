"""The configuration of a training: its budget, optimizer and checkpoints."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Literal, get_args

import torch
from torch import Tensor

from sluice.option_names import name_argument
from sluice.sequence.errors import SequenceError
from sluice.sequence.training.schedules import Cosine, Schedule, ScheduleState
from sluice.sequence.training.sparse_embeddings import SparseAdamW

OptimizerName = Literal["adamw", "sgd", "rmsprop"]
BudgetName = Literal["seconds", "epochs", "steps"]
BUDGETS: tuple[BudgetName, ...] = get_args(BudgetName)


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How to train, and for how long: `seconds` of wall clock, `epochs` or `steps`, one of them.

    With `epochs` or `steps` a seed reproduces a run exactly (on one machine, with the same number
    of threads); with `seconds` the number of steps depends on the machine's speed.

    Args:
        seconds, epochs, steps: the budget; a step is one update of the weights.
        optimizer: `"adamw"` (Loshchilov & Hutter 2019), `"sgd"`, or `"rmsprop"` (as in char-rnn).
        learning_rate: the peak learning rate.
        schedule: how the learning rate falls; see `sluice.sequence.training.schedules`.
        warmup: the fraction of the budget over which it rises linearly to the peak.
        weight_decay: decoupled for AdamW; an L2 penalty for the others.
        betas: the decay rates of AdamW's moments.
        momentum: for SGD.
        smoothing: the decay of RMSprop's moving average of squares.
        max_grad_norm: the maximum norm of the gradients (Pascanu et al. 2013); None for no limit.
        bptt: None for backpropagation through whole batches. A number k cuts batches into chunks
            of k steps, with one update each; the state is carried over and detached. A pair
            (k1, k2) updates every k1 steps with gradients over k2 (Williams & Peng 1990).
        accumulation_steps: batches (or chunks) per update; the gradient is the mean over all their
            items. The last update of an epoch may have fewer.
        ema_decay: the decay of a moving average of the weights, such as 0.999 (Polyak & Juditsky
            1992; with Adam's bias correction); it is validated and kept instead of the weights.
        patience: stop after this many validations in a row without a new lowest loss.
        validations: how many, evenly over the budget.
        precision: of the matrix products in the kernels, `"float32"` or `"bfloat16"`; None keeps
            each layer's setting.
        sparse_embeddings: whether an update changes only those rows of embeddings that its batches
            look up, as `SparseAdamW` does; for AdamW. With a large vocabulary it saves the pass
            over all rows, but rows that are not looked up neither drift with their old moments nor
            decay. Refused for weights with another use, such as a tied readout.
        seed: for dropout; the order of the data has a seed of its own.
        save_seconds: seconds between checkpoints, if training has a folder; None for no limit.
        save_steps: steps between checkpoints, besides.

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
    max_grad_norm: float | None = 1.0
    bptt: int | tuple[int, int] | None = None
    accumulation_steps: int = 1
    ema_decay: float | None = None
    patience: int | None = None
    validations: int = 10
    precision: Literal["float32", "bfloat16"] | None = None
    sparse_embeddings: bool = False
    seed: int = 0
    save_seconds: float | None = 60.0
    save_steps: int | None = None

    def __post_init__(self) -> None:
        if sum(one is not None for one in (self.seconds, self.epochs, self.steps)) != 1:
            raise SequenceError("Training needs exactly one of seconds, epochs and steps.")
        for name in ("seconds", "epochs", "learning_rate", "max_grad_norm", "save_seconds"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise SequenceError(f"{name_argument(name)} must be above 0, got {value}.")
        for name in ("steps", "accumulation_steps", "patience", "validations", "save_steps"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SequenceError(f"{name_argument(name)} must be at least 1, got {value}.")
        for name in ("warmup", "momentum", "smoothing", "ema_decay"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < 1:
                raise SequenceError(f"{name_argument(name)} must be in [0, 1), got {value}.")
        if self.optimizer not in _OPTIMIZERS:
            known = ", ".join(_OPTIMIZERS)
            raise SequenceError(f"optimizer must be one of {known}, got {self.optimizer!r}.")
        if self.sparse_embeddings and self.optimizer != "adamw":
            raise SequenceError(
                f"sparse_embeddings needs the optimizer adamw, got {self.optimizer}; leave one out."
            )
        every, back = self.bptt_stride, self.bptt_length
        if every is not None and back is not None and not 1 <= every <= back:
            raise SequenceError(
                f"{name_argument('bptt')} must satisfy 1 <= k1 <= k2, got ({every}, {back})."
            )

    @property
    def bptt_stride(self) -> int | None:
        """k1 of truncated backpropagation; None if batches are not cut."""
        return self.bptt[0] if isinstance(self.bptt, tuple) else self.bptt

    @property
    def bptt_length(self) -> int | None:
        """k2 of truncated backpropagation; None if batches are not cut."""
        return self.bptt[1] if isinstance(self.bptt, tuple) else self.bptt

    def learning_rate_at(self, state: ScheduleState) -> float:
        """The learning rate at some progress of training."""
        if state.fraction < self.warmup:
            return self.learning_rate * max(state.fraction / self.warmup, 0.01)
        return self.learning_rate * self.schedule.factor(state, self.warmup)

    @property
    def budget(self) -> tuple[BudgetName, float]:
        """The name and the amount of what is given of seconds, epochs and steps."""
        for name in BUDGETS:
            amount: float | None = getattr(self, name)
            if amount is not None:
                return name, amount
        raise AssertionError

    def export_settings(self) -> dict[str, object]:
        """What decides the result, as JSON values: all but how often checkpoints are saved."""
        values = asdict(self)
        del values["save_seconds"], values["save_steps"]
        values["betas"] = list(self.betas)
        if not self.sparse_embeddings:  # unknown to trainings of earlier versions
            del values["sparse_embeddings"]
        values["bptt"] = [self.bptt_stride, self.bptt_length] if self.bptt else None
        schedule = {"name": self.schedule.name, **values["schedule"]}
        return {**values, "schedule": schedule}

    def build_optimizer(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        """The optimizer; its learning rate is set before every step."""
        return _OPTIMIZERS[self.optimizer](self, parameters)


def _build_adamw(config: TrainingConfig, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
    kind = SparseAdamW if config.sparse_embeddings else torch.optim.AdamW
    return kind(parameters, betas=config.betas, weight_decay=config.weight_decay, fused=True)


def _build_sgd(config: TrainingConfig, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, momentum=config.momentum, weight_decay=config.weight_decay)


def _build_rmsprop(config: TrainingConfig, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
    return torch.optim.RMSprop(parameters, alpha=config.smoothing, weight_decay=config.weight_decay)


_OPTIMIZERS = {"adamw": _build_adamw, "sgd": _build_sgd, "rmsprop": _build_rmsprop}
