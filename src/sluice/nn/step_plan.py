"""The short way of a one-step cell: as `sluice.nn.call_plan`, for `LSTMCell` and its like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from sluice.cells.cell import Cell
from sluice.equations.specs import Sizes
from sluice.nn.kernel_plan import KernelPlan, Plannable, is_plain_input, needs_grad
from sluice.run.kernels.compiled_cell import compile_cell
from sluice.run.kernels.fused import FusedCall


class PlannableCell(Plannable, Protocol):
    """What a plan reads of a one-step cell."""

    input_size: int
    hidden_size: int
    bias: bool
    _plan: StepPlan | None

    @property
    def cell(self) -> Cell:
        """Its equations."""
        ...


def run_step(module: PlannableCell, input: object, hx: Any) -> Sequence[Tensor] | None:
    """The states after a step on the kernels; None where they do not take it as it is.

    To be asked in eager mode alone.
    """
    if not is_plain_input(input, module):
        return None
    plan = module._plan
    if plan is None or not plan.fits(module, input.dtype):
        plan = module._plan = StepPlan(module, input.dtype)
    return plan.run(module, input, hx) if plan.can_run else None


class StepPlan(KernelPlan):
    """What does not change between calls of a one-step cell.

    Args:
        module: The cell; not kept.
        dtype: That of the input.
    """

    def __init__(self, module: PlannableCell, dtype: torch.dtype) -> None:
        biases = ["bias_ih", "bias_hh"] if module.bias else []
        super().__init__(type(module), ["weight_ih", "weight_hh", *biases], dtype)
        self.options = _get_options(module)
        if self.can_run:
            graph, sizes = module.cell.graph, Sizes(module.input_size, module.hidden_size)
            self.set_cells([compile_cell(graph, sizes, module.bias, dtype)])
        self.precision = "float64" if dtype == torch.float64 else "float32"

    def fits(self, module: PlannableCell, dtype: torch.dtype) -> bool:
        """Whether the cell is what it was, and the input's dtype as well."""
        return self.fits_kind(type(module), dtype) and self.options == _get_options(module)

    def run(self, module: PlannableCell, input: Tensor, hx: Any) -> Sequence[Tensor] | None:
        """What `run_step` does."""
        shape, width = tuple(input.shape[:-1]), input.shape[-1]
        if len(shape) > 1 or width != module.input_size or not input.numel():
            return None
        parameters = self.read_parameters(module)
        states = self.read_states(hx, shape)
        if parameters is None or states is None:
            return None
        wants_grad = needs_grad(input, states, parameters)
        (call,) = self.find_calls(shape, wants_grad)
        y, _, *others = call.run(input, states, parameters)
        return (y, *others)

    def make_calls(self, shape: tuple[int, ...], wants_grad: bool) -> Sequence[FusedCall]:
        """The step."""
        return [FusedCall.of_step(self.cells[0], shape, self.precision, wants_grad)]


def _get_options(module: PlannableCell) -> tuple[object, ...]:
    return module.input_size, module.hidden_size, module.bias, getattr(module, "nonlinearity", None)
