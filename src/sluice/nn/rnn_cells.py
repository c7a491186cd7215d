"""Drop-in cells for one step: `LSTMCell`, `GRUCell` and `RNNCell` as `torch.nn` has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any

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
from sluice.run.custom_op import OperatorInputs
from sluice.run.dispatch import REFERENCE, BackendChoice, choose_backend, is_eager, warn_if_slow
from sluice.run.execute import execute
from sluice.run.recording import recorders

_PARAMETERS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class SingleStepCell(BackendSetting, nn.Module):
    """Runs the kernels, torch's own cell or the equations, the first of them that can serve."""

    input_size: int
    hidden_size: int
    bias: bool
    weight_hh: Tensor

    _plan: StepPlan | None = None

    num_layers = directions = 1
    """As of a layer: recordings read both in one way."""

    @property
    def resolved_backend(self) -> BackendChoice:
        """Which backend a plain call runs on now, and why."""
        obstacle = "recordings" if recorders.is_recorded(self) else None
        return choose_backend(self.parameters(), obstacle, self.backend)

    @property
    def cell(self) -> Cell:
        """The cell whose equations run, the same object in every call."""
        return _build_cell(type(self)._make_cell, getattr(self, "nonlinearity", ""))

    @property
    def sizes(self) -> list[Sizes]:
        """The sizes of the only layer."""
        return [Sizes(self.input_size, self.hidden_size)]

    def get_layer_parameters(self, place: int) -> list[Tensor]:
        """The parameters in the order of the cell's, biases left out where there are none."""
        del place
        named = {name: getattr(self, name) for name in _PARAMETERS}
        found = (named[one.name] for one in self.cell.graph.parameters)
        return [parameter for parameter in found if parameter is not None]

    def get_initial_states(self) -> list[tuple[Tensor, ...]]:
        """What a step without states starts from, as a layer gives it: ``(1, hidden)`` each."""
        zeros = self.weight_hh.new_zeros(1, self.hidden_size).detach()
        return [tuple(zeros.clone() for _ in self.cell.graph.states)]

    @staticmethod
    def _make_cell(nonlinearity: str) -> Cell:
        raise NotImplementedError

    def _run(self, input: Tensor, hx: Any) -> Sequence[Tensor] | None:
        """The states after a step; None where torch's own cell has to run it."""
        is_recorded = recorders.is_recorded(self)
        if not is_recorded:
            found = run_step(self, input, hx) if is_eager() else None
            if found is not None or not self._uses_reference(input):
                return found
        return self._run_pass(input, hx, is_recorded)

    def _run_pass(self, input: Tensor, hx: Any, is_recorded: bool) -> Sequence[Tensor]:
        """The same as a pass of one step, which recorders see."""
        tensors = (input, *self.get_layer_parameters(0))
        choice = choose_backend(tensors, "recordings", self.backend)
        if is_recorded:
            warn_if_slow(choice, input, "float32", None)
        states = list(self._read_step(input, hx).values())
        is_batched, parameters = input.dim() == 2, self.get_layer_parameters(0)
        x, states = (input, states) if is_batched else (input[None], [s[None] for s in states])
        if is_recorded:
            recorders.begin_call(self, None if hx is None else states, goes_forward=True)
        given, x = states, x.unsqueeze(0)
        is_cast = is_autocast_enabled(input) and input.dtype != torch.float64
        dtype = torch.get_autocast_dtype(input.device.type) if is_cast else x.dtype
        x, given = x.to(dtype), [state.to(dtype) for state in given]
        inputs = OperatorInputs(
            self.cell.text,
            self.sizes[0].to_list(),
            x,
            given,
            [one.to(dtype) for one in parameters],
            [],
            None,
            None,
            [],
            False,
        )
        options: Any = {"precision": "float32", "recompute": None, "is_training": self.training}
        with torch.autocast(input.device.type, enabled=False) if is_cast else nullcontext():
            _, last = execute(choice.name, inputs, self, 0, None, **options)
        if is_recorded:
            recorders.end_call(self, last)
        return last if is_batched else [state.squeeze(0) for state in last]

    def _uses_reference(self, input: Tensor) -> bool:
        return choose_backend((input, *self.parameters()), None, self.backend).name == REFERENCE

    def _read_step(self, input: Tensor, hx: Any) -> dict[str, Tensor]:
        """The states that a step starts from, by name, if they and the input are what they must."""
        if input.dim() not in (1, 2):
            name = type(self).__name__
            raise ValueError(f"{name}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        self._check_input(input)
        names = [state.name for state in self.cell.graph.states]
        if hx is None:
            return dict.fromkeys(names, torch.zeros(*input.shape[:-1], self.hidden_size).to(input))
        return dict(zip(names, self._read_states(hx, input, len(names)), strict=True))

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


@cache
def _build_cell(make: Callable[[str], Cell], nonlinearity: str) -> Cell:
    return make(nonlinearity)


class LSTMCell(SingleStepCell, nn.LSTMCell):
    """`torch.nn.LSTMCell`: ``(input, (h, c))`` to ``(h, c)``, each ``(batch, hidden)``.

    Example:
        >>> import torch, sluice
        >>> h, c = sluice.nn.LSTMCell(3, 8)(torch.zeros(2, 3))
        >>> h.shape
        torch.Size([2, 8])
    """

    @staticmethod
    def _make_cell(nonlinearity: str) -> Cell:
        return LSTM()

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """One step. Raises ValueError for an input that is neither 1D nor 2D, as torch does."""
        found = self._run(input, hx)
        if found is None:
            return super().forward(input, hx)
        h, c = found
        return h, c

    if TYPE_CHECKING:
        __call__ = forward


class GRUCell(SingleStepCell, nn.GRUCell):
    """`torch.nn.GRUCell`: ``(input, h)`` to ``h``, ``(batch, hidden)``.

    Example:
        >>> import torch, sluice
        >>> sluice.nn.GRUCell(3, 8)(torch.zeros(2, 3)).shape
        torch.Size([2, 8])
    """

    @staticmethod
    def _make_cell(nonlinearity: str) -> Cell:
        return GRU()

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """One step. Raises ValueError for an input that is neither 1D nor 2D, as torch does."""
        found = self._run(input, hx)
        return super().forward(input, hx) if found is None else found[0]

    if TYPE_CHECKING:
        __call__ = forward


class RNNCell(SingleStepCell, nn.RNNCell):
    """`torch.nn.RNNCell`: ``(input, h)`` to ``h``, ``(batch, hidden)``.

    Example:
        >>> import torch, sluice
        >>> sluice.nn.RNNCell(3, 8, nonlinearity="relu")(torch.zeros(2, 3)).shape
        torch.Size([2, 8])
    """

    @staticmethod
    def _make_cell(nonlinearity: str) -> Cell:
        return Elman(nonlinearity)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """One step. Raises ValueError for an input that is neither 1D nor 2D, as torch does."""
        found = self._run(input, hx)
        return super().forward(input, hx) if found is None else found[0]

    if TYPE_CHECKING:
        __call__ = forward
