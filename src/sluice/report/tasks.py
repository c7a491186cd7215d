"""Tasks with a lag of any length: something must be remembered for that many steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional

_SYMBOLS = 4
_COPIED, _ALPHABET = 3, 4
_NOISE = 0.3


class TaskBatch(NamedTuple):
    """Sequences of a task, and what is to be answered at their last steps."""

    inputs: Tensor
    """``(time, batch, features)``, float32."""
    targets: Tensor
    """``(answers, batch)``: classes, int64, or numbers, float32."""


@dataclass(frozen=True)
class LagTask:
    """A task of any lag; `draw` gives sequences, `score` judges answers.

    Attributes:
        name: as the command line knows it.
        description: what is seen and asked, in one sentence.
        source: the paper.
        features: the width of the input.
        outputs: how many numbers a model answers with: classes, or 1 for a number.
        answers: how many last steps are asked.
        chance_loss: the least expected loss of an answer that does not look at the input: nats,
            or for a number its variance.
        chance_score: the score of such an answer.
        least_lag: the shortest lag there is.
    """

    name: str
    description: str
    source: str
    features: int
    outputs: int
    answers: int
    chance_loss: float
    chance_score: float
    least_lag: int
    _draw: Callable[[int, int, Generator], TaskBatch]

    def draw(self, lag: int, batch: int, generator: Generator) -> TaskBatch:
        """So many sequences: what the answer needs is seen at least ``lag`` steps before it.

        Raises:
            ValueError: a lag below `least_lag`, or no sequences.

        >>> drawn = list_tasks()["recall"].draw(10, 3, torch.Generator().manual_seed(0))
        >>> drawn.inputs.shape, drawn.targets.shape
        (torch.Size([11, 3, 4]), torch.Size([1, 3]))
        """
        if lag < self.least_lag:
            raise ValueError(f"lag must be at least {self.least_lag} for '{self.name}', got {lag}")
        if batch < 1:
            raise ValueError(f"batch must be at least 1 sequence, got {batch}")
        return self._draw(lag, batch, generator)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy in nats, or mean squared error; ``outputs`` as `TaskBatch.inputs`."""
        asked = outputs[-self.answers :]
        if self.outputs == 1:
            return functional.mse_loss(asked.squeeze(-1), targets)
        return functional.cross_entropy(asked.flatten(0, 1), targets.flatten())

    def score(self, outputs: Tensor, targets: Tensor) -> float:
        """The share of right classes; for numbers R², 1 − mean squared error / variance."""
        asked = outputs[-self.answers :]
        if self.outputs == 1:
            return 1.0 - float(self.loss(outputs, targets)) / self.chance_loss
        return float((asked.argmax(-1) == targets).double().mean())


def list_tasks() -> dict[str, LagTask]:
    """The tasks by name.

    >>> list(list_tasks())
    ['recall', 'order', 'adding', 'copy', 'parity']
    """
    return {task.name: task for task in _TASKS}


def _recall(lag: int, batch: int, generator: Generator) -> TaskBatch:
    symbol = torch.randint(_SYMBOLS, (1, batch), generator=generator)
    inputs = _NOISE * torch.randn(lag + 1, batch, _SYMBOLS, generator=generator)
    inputs[0] = functional.one_hot(symbol[0], _SYMBOLS)
    return TaskBatch(inputs, symbol)


def _order(lag: int, batch: int, generator: Generator) -> TaskBatch:
    window = max(1, lag // 10)
    steps = lag + window
    shown = torch.randint(2, (steps, batch), generator=generator) + 2  # two that mean nothing
    marks = torch.randint(2, (2, batch), generator=generator)
    for mark, start in zip(marks, (0, max(1, lag // 2)), strict=True):
        places = start + torch.randint(min(window, lag - start), (batch,), generator=generator)
        shown[places, torch.arange(batch)] = mark
    return TaskBatch(functional.one_hot(shown, 4).float(), 2 * marks[:1] + marks[1:])


def _adding(lag: int, batch: int, generator: Generator) -> TaskBatch:
    numbers = torch.rand(2 * lag, batch, generator=generator)
    marked = torch.zeros_like(numbers)
    for start in (0, lag):
        places = start + torch.randint(lag, (batch,), generator=generator)
        marked[places, torch.arange(batch)] = 1.0
    return TaskBatch(
        torch.stack([numbers, marked], dim=-1), (numbers * marked).sum(0, keepdim=True)
    )


def _copy(lag: int, batch: int, generator: Generator) -> TaskBatch:
    blank, go = _ALPHABET, _ALPHABET + 1
    symbols = torch.randint(_ALPHABET, (_COPIED, batch), generator=generator)
    shown = torch.full((lag + _COPIED, batch), blank)
    shown[:_COPIED] = symbols
    shown[lag] = go
    return TaskBatch(functional.one_hot(shown, _ALPHABET + 2).float(), symbols)


def _parity(lag: int, batch: int, generator: Generator) -> TaskBatch:
    bits = torch.randint(2, (lag + 2, batch), generator=generator)
    counts = torch.zeros(lag + 2, batch)
    counts[:2] = 1.0
    inputs = torch.stack([2.0 * bits - 1.0, counts], dim=-1)
    return TaskBatch(inputs, (bits[:1] + bits[1:2]) % 2)


_TASKS = (
    LagTask(
        "recall",
        f"one of {_SYMBOLS} symbols at the first step, noise for the lag, then: which was it?",
        "after Bengio, Simard & Frasconi 1994 and Hochreiter & Schmidhuber 1997, experiment 3",
        *(_SYMBOLS, _SYMBOLS, 1, math.log(_SYMBOLS), 1 / _SYMBOLS, 1, _recall),
    ),
    LagTask(
        "order",
        "two marks of two kinds among distractors, the first in the first tenth of the lag, the "
        "second from its middle on: which two, in which order?",
        "Hochreiter & Schmidhuber 1997, experiment 6a",
        *(4, 4, 1, math.log(4), 1 / 4, 2, _order),
    ),
    LagTask(
        "adding",
        "random numbers over twice the lag, one marked in each half: what is their sum?",
        "Hochreiter & Schmidhuber 1997, experiment 4; in the form of Arjovsky et al. 2016",
        *(2, 1, 1, 1 / 6, 0.0, 1, _adding),
    ),
    LagTask(
        "copy",
        f"{_COPIED} symbols of {_ALPHABET}, blanks, a sign: say them again, the lag after each",
        "Arjovsky, Shah & Bengio 2016, section 4.1, there 10 of 8; asked at the answers alone",
        *(_ALPHABET + 2, _ALPHABET, _COPIED, math.log(_ALPHABET), 1 / _ALPHABET, _COPIED, _copy),
    ),
    LagTask(
        "parity",
        "two bits that count, then bits that do not, for the lag: were the two different?",
        "after Bengio, Simard & Frasconi 1994, the parity problem",
        *(2, 2, 1, math.log(2), 1 / 2, 1, _parity),
    ),
)
