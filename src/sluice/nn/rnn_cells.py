"""Drop-in cells for one step: `LSTMCell`, `GRUCell` and `RNNCell` as `torch.nn` has them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sluice.cells.cell import Cell
from sluice.cells.elman import Elman
from sluice.cells.gru import GRU
from sluice.cells.lstm import LSTM
from sluice.equations.specs import Sizes
from sluice.run.choose import REFERENCE, Choice, choose


class _OneStep(nn.Module):
    """Runs torch's own cell, or the equations where that is asked for or torch's cannot serve."""

    prefer: str | None = None
    input_size: int
    hidden_size: int

    @property
    def backend(self) -> Choice:
        """Which backend a plain call runs on now, and why."""
        return choose(self.parameters(), None, self.prefer)

    def _equations(self) -> Cell:
        raise NotImplementedError

    def _by_equations(self, input: Tensor) -> bool:
        return choose((input, *self.parameters()), None, self.prefer).name == REFERENCE

    def _step(self, input: Tensor, states: Any) -> dict[str, Tensor]:
        cell = self._equations()
        if input.dim() not in (1, 2):
            raise ValueError(f"Expected input to be 1D or 2D, got {input.dim()}D instead")
        parameters = dict(self.named_parameters())
        zeros = torch.zeros(*input.shape[:-1], self.hidden_size).to(input)
        given = states if isinstance(states, tuple) else (states,)
        names = [state.name for state in cell.graph.states]
        values = (
            dict.fromkeys(names, zeros) if states is None else dict(zip(names, given, strict=True))
        )
        return cell.bind(parameters, Sizes(self.input_size, self.hidden_size)).step(input, **values)


class LSTMCell(_OneStep, nn.LSTMCell):
    """`torch.nn.LSTMCell`: ``(input, (h, c))`` to ``(h, c)``, each ``(batch, hidden)``.

    Example:
        >>> import torch, sluice
        >>> h, c = sluice.nn.LSTMCell(3, 8)(torch.zeros(2, 3))
        >>> h.shape
        torch.Size([2, 8])
    """

    def _equations(self) -> Cell:
        return LSTM()

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """One step. Raises ValueError for an input that is neither 1D nor 2D, as torch does."""
        if not self._by_equations(input):
            return nn.LSTMCell.forward(self, input, hx)
        found = self._step(input, hx)
        return found["h"], found["c"]


class GRUCell(_OneStep, nn.GRUCell):
    """`torch.nn.GRUCell`: ``(input, h)`` to ``h``, ``(batch, hidden)``.

    Example:
        >>> import torch, sluice
        >>> sluice.nn.GRUCell(3, 8)(torch.zeros(2, 3)).shape
        torch.Size([2, 8])
    """

    def _equations(self) -> Cell:
        return GRU()

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """One step. Raises ValueError for an input that is neither 1D nor 2D, as torch does."""
        if not self._by_equations(input):
            return nn.GRUCell.forward(self, input, hx)
        return self._step(input, hx)["h"]


class RNNCell(_OneStep, nn.RNNCell):
    """`torch.nn.RNNCell`: ``(input, h)`` to ``h``, ``(batch, hidden)``.

    Example:
        >>> import torch, sluice
        >>> sluice.nn.RNNCell(3, 8, nonlinearity="relu")(torch.zeros(2, 3)).shape
        torch.Size([2, 8])
    """

    def _equations(self) -> Cell:
        return Elman(self.nonlinearity)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """One step. Raises ValueError for an input that is neither 1D nor 2D, as torch does."""
        if not self._by_equations(input):
            return nn.RNNCell.forward(self, input, hx)
        return self._step(input, hx)["h"]
