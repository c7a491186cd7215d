"""What plans of layers and of one-step cells share: how they read tensors, and what they refuse."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeGuard

import torch
from torch import Tensor
from torch.nn import Parameter

from sluice.run.dispatch import FUSED
from sluice.run.kernels import extension
from sluice.run.kernels.compiled_cell import BITS, CompiledCell
from sluice.run.kernels.fused import FusedCall

_MOST_CALLS = 64
"""How many sizes of calls a plan remembers."""


class Plannable(Protocol):
    """What a plan reads of a module."""

    _parameters: dict[str, Parameter | None]
    _backend: str | None


def is_plain_input(input: object, module: Plannable) -> TypeGuard[Tensor]:
    """Whether ``module`` may run ``input`` on a CPU's kernels as it is."""
    return (
        isinstance(input, Tensor)
        and type(input) is Tensor
        and input.is_cpu
        and module._backend in (None, FUSED)
        and not torch.is_autocast_enabled("cpu")
    )


def needs_grad(x: Tensor, states: Iterable[Tensor | None], parameters: Sequence[Tensor]) -> bool:
    """Whether a backward pass may follow."""
    return torch.is_grad_enabled() and (
        any(t.requires_grad for t in parameters)
        or x.requires_grad
        or any(t is not None and t.requires_grad for t in states)
    )


class KernelPlan:
    """Programs, and the names and sizes of the tensors that they read.

    Args:
        kind: The module's class.
        names: Its parameters' names.
        dtype: That of all tensors.
    """

    cells: list[CompiledCell]
    widths: tuple[int, ...]
    """That of each state."""
    _parameter_shapes: list[torch.Size]
    _calls: dict[tuple[object, ...], Sequence[FusedCall]]

    def __init__(self, kind: type, names: Sequence[str], dtype: torch.dtype) -> None:
        self.kind, self.names, self.dtype = kind, names, dtype
        self.kernels = extension.load_extension()
        self.can_run = self.kernels is not None and dtype in BITS
        # As where torch.nn.utils.parametrize computes a weight at every access.
        self._has_properties = any(hasattr(kind, name) for name in names)

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        return type(None), ()  # a copied or pickled module makes its own

    def set_cells(self, cells: Iterable[CompiledCell]) -> None:
        """What runs, one for each set of parameters."""
        self.cells = list(cells)
        self.widths = self.cells[0].state_widths
        self._parameter_shapes = [
            torch.Size(shape) for cell in self.cells for shape in cell.parameter_shapes
        ]
        self._calls = {}

    def find_calls(self, *sizes: object) -> Sequence[FusedCall]:
        """What to run for these sizes; what `make_calls` makes of them is kept."""
        key = (sizes, extension.get_num_threads())
        calls = self._calls.get(key)
        if calls is None:
            if len(self._calls) >= _MOST_CALLS:
                self._calls.clear()
            calls = self._calls[key] = self.make_calls(*sizes)
        return calls

    def make_calls(self, *sizes: Any) -> Sequence[FusedCall]:
        """A call for each of `cells`."""
        raise NotImplementedError

    def fits_kind(self, kind: type, dtype: torch.dtype) -> bool:
        """Whether the plan is for this class of modules and this dtype."""
        return (
            self.dtype is dtype and self.kind is kind and self.kernels is extension.load_extension()
        )

    def read_parameters(self, module: Plannable) -> list[Tensor] | None:
        """The parameters as they are now; None where the kernels do not take one of them."""
        own, names, dtype = module._parameters, self.names, self.dtype
        found: list[Any]
        try:
            if self._has_properties or not vars(module).keys().isdisjoint(names):
                found = [getattr(module, name) for name in names]
            else:
                found = [own[name] for name in names]
        except KeyError:  # a buffer, say
            found = [getattr(module, name) for name in names]
        for tensor in found:
            kind = type(tensor)
            if (
                (kind is not Parameter and kind is not Tensor)
                or tensor.dtype is not dtype
                or not tensor.is_cpu
            ):
                return None
        is_as_planned = [tensor.shape for tensor in found] == self._parameter_shapes
        return found if is_as_planned else None

    def read_states(self, hx: Any, shape: tuple[int, ...]) -> Sequence[Any] | None:
        """States of this shape before their width, None for zeros; None for what is not that."""
        count = len(self.widths)
        if hx is None:
            return [None] * count
        columns = (hx,) if count == 1 else hx
        if count > 1 and (type(columns) not in (tuple, list) or len(columns) != count):
            return None
        for column, width in zip(columns, self.widths, strict=True):
            kind = type(column)
            if (
                (kind is not Tensor and kind is not Parameter)
                or column.dtype is not self.dtype
                or not column.is_cpu
                or column.shape != (*shape, width)
            ):
                return None
        states: Sequence[Tensor] = columns
        return states
