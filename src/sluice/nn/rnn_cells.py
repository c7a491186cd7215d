"""Drop-in cells for one step: `LSTMCell`, `GRUCell` and `RNNCell` as `torch.nn` has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from sluice.cells.cell import Cell
from sluice.cells.elman import Elman
from sluice.cells.gru import GRU
from sluice.cells.lstm import LSTM
from sluice.equations.specs import Sizes
from sluice.nn.batch import is_autocast_enabled
from sluice.nn.settings import BackendSetting
from sluice.nn.step_plan import StepPlan, run_step
from sluice.run.dispatch import REFERENCE, BackendChoice, choose_backend, is_eager


class _SingleStepCell(BackendSetting, nn.Module):
    """Runs the kernels, torch's own cell or the equations, the first of them that can serve."""

    input_size: int
    hidden_size: int
    bias: bool

    _plan: StepPlan | None = None

    @property
    def resolved_backend(self) -> BackendChoice:
        """Which backend a plain call runs on now, and why."""
        return choose_backend(self.parameters(), None, self.backend)

    def _make_cell(self) -> Cell:
        raise NotImplementedError

    def _run_planned(self, input: Tensor, hx: Any) -> Sequence[Tensor] | None:
        """The states after a step on the kernels; None where they do not take it."""
        return run_step(self, input, hx) if is_eager() else None

    def _uses_reference(self, input: Tensor) -> bool:
        return choose_backend((input, *self.parameters()), None, self.backend).name == REFERENCE

    def _run_step(
        self, input: Tensor, states: Tensor | tuple[Tensor, ...] | None
    ) -> dict[str, Tensor]:
        cell = self._make_cell()
        if input.dim() not in (1, 2):
            name = type(self).__name__
            raise ValueError(f"{name}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        parameters = dict(self.named_parameters())
        self._check_input(input)
        names = [state.name for state in cell.graph.states]
        if states is None:
            zeros = torch.zeros(*input.shape[:-1], self.hidden_size).to(input)
            values = dict.fromkeys(names, zeros)
        else:
            values = dict(zip(names, self._read_states(states, input, len(names)), strict=True))
        bound = cell.bind(parameters, Sizes(self.input_size, self.hidden_size))
        return cast(dict[str, Tensor], bound.step(input, **values))

    def _check_input(self, input: Tensor) -> None:
        if input.shape[-1] != self.input_size:
            raise RuntimeError(
                f"input has inconsistent input_size: got {input.shape[-1]} expected "
                f"{self.input_size}"
            )

    def _read_states(
        self, states: Tensor | Sequence[Tensor], input: Tensor, count: int
    ) -> Sequence[Tensor]:
        """The states that were given, if they are what the input needs."""
        given = (states,) if isinstance(states, Tensor) else tuple(states)
        if len(given) != count:
            raise ValueError(f"hx must be {count} states of the cell, got {len(given)}")
        expected = (*input.shape[:-1], self.hidden_size)
        for state in given:
            if state.dim() not in (1, 2):
                name = type(self).__name__
                raise ValueError(f"{name}: Expected hx to be 1D or 2D, got {state.dim()}D instead")
            if tuple(state.shape) != expected:
                raise RuntimeError(
                    f"hx must be of shape {expected} for this input, got {tuple(state.shape)}"
                )
            is_cast = is_autocast_enabled(input)
            if (state.dtype != input.dtype and not is_cast) or state.device != input.device:
                raise RuntimeError(
                    f"hx must be {input.dtype} on {input.device} as the input is, got "
                    f"{state.dtype} on {state.device}"
                )
        return given


class LSTMCell(_SingleStepCell, nn.LSTMCell):
    """`torch.nn.LSTMCell`: ``(input, (h, c))`` to ``(h, c)``, each ``(batch, hidden)``.

    Example:
        >>> import torch, sluice
        >>> h, c = sluice.nn.LSTMCell(3, 8)(torch.zeros(2, 3))
        >>> h.shape
        torch.Size([2, 8])
    """

    def _make_cell(self) -> Cell:
        return LSTM()

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """One step. Raises ValueError for an input that is neither 1D nor 2D, as torch does."""
        found = self._run_planned(input, hx)
        if found is not None:
            h, c = found
            return h, c
        if not self._uses_reference(input):
            return super().forward(input, hx)
        states = self._run_step(input, hx)
        return states["h"], states["c"]

    if TYPE_CHECKING:
        __call__ = forward


class GRUCell(_SingleStepCell, nn.GRUCell):
    """`torch.nn.GRUCell`: ``(input, h)`` to ``h``, ``(batch, hidden)``.

    Example:
        >>> import torch, sluice
        >>> sluice.nn.GRUCell(3, 8)(torch.zeros(2, 3)).shape
        torch.Size([2, 8])
    """

    def _make_cell(self) -> Cell:
        return GRU()

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """One step. Raises ValueError for an input that is neither 1D nor 2D, as torch does."""
        found = self._run_planned(input, hx)
        if found is not None:
            return found[0]
        if not self._uses_reference(input):
            return super().forward(input, hx)
        return self._run_step(input, hx)["h"]

    if TYPE_CHECKING:
        __call__ = forward


class RNNCell(_SingleStepCell, nn.RNNCell):
    """`torch.nn.RNNCell`: ``(input, h)`` to ``h``, ``(batch, hidden)``.

    Example:
        >>> import torch, sluice
        >>> sluice.nn.RNNCell(3, 8, nonlinearity="relu")(torch.zeros(2, 3)).shape
        torch.Size([2, 8])
    """

    def _make_cell(self) -> Cell:
        return Elman(self.nonlinearity)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """One step. Raises ValueError for an input that is neither 1D nor 2D, as torch does."""
        found = self._run_planned(input, hx)
        if found is not None:
            return found[0]
        if not self._uses_reference(input):
            return super().forward(input, hx)
        return self._run_step(input, hx)["h"]

    if TYPE_CHECKING:
        __call__ = forward
