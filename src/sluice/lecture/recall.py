"""The lecture's task: recall a symbol after many steps of noise."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from sluice.nn import GRU, LSTM, RNN
from sluice.report.tasks import TaskBatch, list_tasks

_TASK = list_tasks()["recall"]


class Recaller(nn.Module):
    """A recurrent layer and a readout: which of four symbols was the first input?

    Example:
        >>> import sluice, torch
        >>> from sluice.lecture import Recaller
        >>> model = Recaller(sluice.nn.LSTM(4, 16))
        >>> model(torch.randn(21, 8, 4)).shape
        torch.Size([21, 8, 4])
    """

    def __init__(self, layer: LSTM | GRU | RNN) -> None:
        super().__init__()
        self.layer = layer
        self.readout = nn.Linear(layer.hidden_size, _TASK.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """The answer so far, at every step: ``(time, batch, 4)`` to logits of the same shape."""
        logits: Tensor = self.readout(self.layer(x)[0])
        return logits


def draw_symbols(lag: int, batch: int = 32, *, seed: int = 0) -> TaskBatch:
    """Sequences that begin with one of four symbols; ``lag`` steps of noise follow.

    Source: after Bengio, Simard & Frasconi 1994 and Hochreiter & Schmidhuber 1997, experiment 3.

    Returns:
        ``inputs``, ``(lag + 1, batch, 4)``, and ``targets``, ``(1, batch)``, the symbol as a class.

    Raises:
        ValueError: a lag below 1, or no sequences.

    Example:
        >>> from sluice.lecture import draw_symbols
        >>> inputs, targets = draw_symbols(lag=20, batch=8)
        >>> inputs.shape, bool((inputs[0].argmax(-1) == targets[0]).all())
        (torch.Size([21, 8, 4]), True)
    """
    return _TASK.draw(lag, batch, Generator().manual_seed(seed))


def train_recaller(model: nn.Module, lag: int, *, updates: int = 200, rate: float = 0.01) -> float:
    """Train on the loss at the last step, with Adam and clipped gradients.

    Args:
        model: Takes ``(time, batch, 4)``, gives logits of the same shape.
        lag: The steps of noise after the symbol.
        updates: Batches of 32 new sequences, the same ones in every training.
        rate: Adam's learning rate.

    Returns:
        The share of 256 new sequences whose symbol is recalled; chance is 1/4.

    Example:
        >>> import sluice
        >>> from sluice.lecture import Recaller, train_recaller
        >>> model = Recaller(sluice.nn.LSTM(4, 16, chrono=5))
        >>> train_recaller(model, lag=5, updates=100)
        1.0
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for update in range(updates):
        inputs, targets = draw_symbols(lag, seed=update)
        optimizer.zero_grad()
        _TASK.loss(model(inputs), targets).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    inputs, targets = draw_symbols(lag, 256, seed=updates)
    with torch.no_grad():
        return _TASK.score(model(inputs), targets)
