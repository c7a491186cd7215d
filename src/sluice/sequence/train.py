"""Learning a language model from sequences of ids."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_

from sluice.sequence.batches import by_length, shuffled
from sluice.sequence.errors import SequenceError, TrainingDiverged
from sluice.sequence.model import LanguageModel
from sluice.sequence.plan import Plan, learning_rate
from sluice.sequence.vocabulary import PADDING

Sequences = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Progress:
    """Where training stands after a step; losses are in nats per token.

    `loss` is a running mean over the last steps, `validation` the latest figure, `best` the
    lowest so far; both are None before the first validation. `validated` says that `validation`
    is new with this report.
    """

    step: int
    part: float
    seconds: float
    seconds_left: float
    tokens_per_second: float
    loss: float
    validation: float | None
    best: float | None
    validated: bool


@dataclass(frozen=True)
class Outcome:
    """How training ended; the model holds the weights that gave `validation`."""

    validation: float
    steps: int
    tokens: int
    seconds: float
    ended: Literal["budget", "interrupted"]


def loss_per_token(model: LanguageModel, sequences: Sequences, batch_size: int = 64) -> float:
    """Mean cross-entropy in nats of every next token, ends included, in evaluation mode."""
    was_training = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.inference_mode():
        for batch in by_length(sequences, batch_size):
            tokens = int((batch[1:] != PADDING).sum())
            total += _loss(model, batch).item() * tokens
            count += tokens
    model.train(was_training)
    return total / count


def train(
    model: LanguageModel,
    training: Sequences,
    validation: Sequences,
    plan: Plan,
    *,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_best: Callable[[float], None] = lambda loss: None,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Train `model` in place; it ends with the weights of the lowest validation loss.

    Validation happens `plan.validations` times, evenly over the budget, the last time at its
    end. Ctrl-C (KeyboardInterrupt) ends training early but cleanly, with a last validation if
    there was none before.

    Args:
        model: on the CPU.
        training, validation: sequences of ids, without `START` and `END`.
        plan: how long, and how.
        on_progress: called after every step.
        on_best: called with each new lowest validation loss, while `model` holds its weights:
            the place to save them.
        clock: seconds, never going back.

    Raises:
        SequenceError: no training or no validation sequences, or an empty one among them.
        TrainingDiverged: a loss that is NaN or infinite; the model holds the best weights so far.
    """
    for name, sequences in (("training", training), ("validation", validation)):
        if not sequences or not all(sequences):
            raise SequenceError(f"The {name} data needs sequences of at least one token each.")
    return _Run(model, training, validation, plan, on_progress, on_best, clock).to_the_end()


def _loss(model: LanguageModel, batch: Tensor) -> Tensor:
    logits, _ = model(batch[:-1])
    return functional.cross_entropy(logits.flatten(0, 1), batch[1:].flatten(), ignore_index=PADDING)


@dataclass
class _Run:
    """One training from its first step to its last."""

    model: LanguageModel
    training: Sequences
    validation: Sequences
    plan: Plan
    on_progress: Callable[[Progress], None]
    on_best: Callable[[float], None]
    clock: Callable[[], float]
    steps: int = 0
    tokens: int = 0
    loss: float = math.nan
    latest: float | None = None
    best: float | None = None
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.started = self.clock()
        self.generator = torch.Generator().manual_seed(self.plan.seed)
        torch.manual_seed(self.plan.seed)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), weight_decay=self.plan.weight_decay, fused=True
        )

    def to_the_end(self) -> Outcome:
        ended: Literal["budget", "interrupted"] = "budget"
        self.model.train()
        try:
            self._steps()
        except KeyboardInterrupt:
            ended = "interrupted"
            if self.best is None:
                self._validate()
        finally:
            if self.best is not None:
                self.model.load_state_dict(self.best_weights)
            self.model.eval()
        assert self.best is not None
        return Outcome(self.best, self.steps, self.tokens, self._elapsed(), ended)

    def _steps(self) -> None:
        done = 0
        for batch in self._batches():
            self._step(batch)
            due = math.floor(self._part() * self.plan.validations)
            if due > done:
                self._validate()
            self._report(validated=due > done)
            done = due
            if done >= self.plan.validations:
                return

    def _batches(self) -> Iterator[Tensor]:
        while True:
            yield from shuffled(self.training, self.plan.batch_size, self.generator)

    def _step(self, batch: Tensor) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self._part(), self.plan)
        loss = _loss(self.model, batch)
        value = self._finite(loss.item(), "training")
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        clip_grad_norm_(self.model.parameters(), self.plan.clip)
        self.optimizer.step()
        self.steps += 1
        self.tokens += int((batch[1:] != PADDING).sum())
        self.loss = value if self.steps == 1 else 0.95 * self.loss + 0.05 * value

    def _validate(self) -> None:
        self.latest = self._finite(loss_per_token(self.model, self.validation), "validation")
        if self.best is None or self.latest < self.best:
            self.best = self.latest
            self.best_weights = deepcopy(self.model.state_dict())
            self.on_best(self.best)

    def _finite(self, loss: float, of: str) -> float:
        if math.isfinite(loss):
            return loss
        kept = f"best validation loss {self.best:.3f}" if self.best is not None else "none so far"
        raise TrainingDiverged(
            f"The {of} loss became {loss} after step {self.steps}; train again with a learning "
            f"rate below {self.plan.learning_rate:g} (weights kept: {kept})."
        )

    def _elapsed(self) -> float:
        return self.clock() - self.started

    def _part(self) -> float:
        """How much of the budget is spent, from 0 to 1."""
        if self.plan.seconds is not None:
            return min(self._elapsed() / self.plan.seconds, 1.0)
        assert self.plan.epochs is not None
        per_epoch = math.ceil(len(self.training) / self.plan.batch_size)
        return min(self.steps / (self.plan.epochs * per_epoch), 1.0)

    def _report(self, *, validated: bool) -> None:
        elapsed, part = self._elapsed(), self._part()
        left = elapsed * (1 - part) / part if part > 0 else math.inf
        speed = self.tokens / elapsed if elapsed > 0 else 0.0
        self.on_progress(
            Progress(
                self.steps, part, elapsed, left, speed,
                self.loss, self.latest, self.best, validated,
            )
        )  # fmt: skip
