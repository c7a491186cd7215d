"""Plain calls the short way: what a layer's next call needs is known after its first.

A call is plain if the kernels of a CPU run it and nothing but an input, in full, and states are
given. A plan holds no tensor and no address: parameters, settings and modes are read at every call,
and whatever is not exactly as the plan expects it goes the long way, which runs or refuses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn import functional as F

from sluice.cells.cell import Cell
from sluice.nn.places import LayerPlace
from sluice.run.dispatch import FUSED
from sluice.run.kernels import extension
from sluice.run.kernels.compiled_cell import BITS, compile_cell
from sluice.run.kernels.fused import FusedCall
from sluice.run.recording import recorders

_MOST_CALLS = 64
"""How many sizes of calls a plan remembers."""


class PlannableLayer(Protocol):
    """What a plan reads of a layer."""

    training: bool
    input_size: int
    num_layers: int
    bidirectional: bool
    batch_first: bool
    dropout: float
    learn_initial_state: bool
    cell: Cell
    _text: str
    _places: tuple[LayerPlace, ...]
    _parameters: dict[str, Parameter | None]
    _backend: str | None
    _precision: str
    _recompute: int | None
    _plan: CallPlan | None


def run_plain(layer: PlannableLayer, input: object, hx: Any) -> tuple[Tensor, Any] | None:
    """What ``layer`` returns for a plain call, before any readout; None where it is not one.

    To be asked in eager mode alone.
    """
    if (
        not isinstance(input, Tensor)
        or type(input) is not Tensor
        or not input.is_cpu
        or layer._backend not in (None, FUSED)
        or torch.is_autocast_enabled("cpu")
        or recorders.is_any_active()
    ):
        return None
    plan = layer._plan
    if plan is None or not plan.fits(layer, input.dtype):
        plan = layer._plan = CallPlan(layer, input.dtype)
    return plan.run(layer, input, hx) if plan.can_run else None


class CallPlan:
    """What does not change between calls of a layer: programs, names and sizes.

    Args:
        layer: The layer; not kept.
        dtype: That of the input.
    """

    def __init__(self, layer: PlannableLayer, dtype: torch.dtype) -> None:
        self.dtype, self.kernels = dtype, extension.load_extension()
        self.kind, self.cell, self.text, self.places = (
            type(layer),
            layer.cell,
            layer._text,
            layer._places,
        )
        self.options = (layer.num_layers, layer.bidirectional, layer._precision)
        self.directions = 2 if layer.bidirectional else 1
        graph, places = layer.cell.graph, layer._places
        self.names = [name for place in places for name in place.parameter_names]
        self.is_overridden = any(hasattr(self.kind, name) for name in self.names)
        widths = {place.state_widths(layer.cell) for place in places}
        self.can_run = (
            self.kernels is not None
            and dtype in BITS
            and not graph.masks
            and not layer.learn_initial_state
            and len(widths) == 1
        )
        if not self.can_run:
            return
        self.precision = "float64" if dtype == torch.float64 else layer._precision
        (self.widths,) = widths
        self.initial = [state.initial for state in graph.states]
        self.starts_at_zero = not any(self.initial)
        self.cells = [
            compile_cell(graph, p.sizes, len(p.parameter_names) == len(graph.parameters), dtype)
            for p in places
        ]
        counts = [size for cell in self.cells for size in cell.parameter_sizes if size]
        self.parameter_bytes = [count * dtype.itemsize for count in counts]
        self._calls: dict[tuple[int, int, bool, int], list[FusedCall]] = {}

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        return type(None), ()  # a copied or pickled layer makes its own

    def fits(self, layer: PlannableLayer, dtype: torch.dtype) -> bool:
        """Whether the layer is what it was, and the input's dtype as well."""
        return (
            self.dtype is dtype
            and self.kernels is extension.load_extension()
            and self.kind is type(layer)
            and self.cell is layer.cell
            and self.text is layer._text
            and self.places is layer._places
            and self.options == (layer.num_layers, layer.bidirectional, layer._precision)
        )

    def run(self, layer: PlannableLayer, input: Tensor, hx: Any) -> tuple[Tensor, Any] | None:
        """What `run_plain` does."""
        shape, batch_first = input.shape, layer.batch_first
        is_batched = len(shape) == 3
        if not is_batched and len(shape) != 2:
            return None
        x = input if is_batched else input.unsqueeze(1)
        if is_batched and batch_first:
            x = x.transpose(0, 1)
        steps, batch, width = x.shape
        if width != layer.input_size or not steps or not batch:
            return None
        parameters = self._read_parameters(layer)
        columns = self._read_states(hx, batch, is_batched)
        if parameters is None or columns is None:
            return None
        wants_grad = torch.is_grad_enabled() and (
            any(t.requires_grad for t in parameters)
            or x.requires_grad
            or any(t is not None and t.requires_grad for t in columns)
        )
        if wants_grad and layer._recompute is not None:
            return None
        if self.precision == "int8" and layer.training:
            return None
        if not self.starts_at_zero and hx is None:
            columns = self._make_states(x)
        calls = self._find_calls(steps, batch, wants_grad)
        if len(calls) == 1:
            y, *last = calls[0].run(x, columns, parameters)
        else:
            rate = layer.dropout if layer.training else 0.0
            y, last = self._run_all(calls, x, columns, parameters, rate)
        if not is_batched:
            y, last = y.squeeze(1), [column.squeeze(1) for column in last]
        elif batch_first:
            y = y.transpose(0, 1)
        return y, last[0] if len(last) == 1 else tuple(last)

    def _read_parameters(self, layer: PlannableLayer) -> list[Tensor] | None:
        """The parameters as they are now; None where the kernels do not take one of them."""
        own, names, dtype = layer._parameters, self.names, self.dtype
        found: list[Any]
        if self.is_overridden or not vars(layer).keys().isdisjoint(names):
            found = [getattr(layer, name) for name in names]
        else:
            try:
                found = [own[name] for name in names]
            except KeyError:  # a plain tensor, where something computes the weights
                found = [getattr(layer, name) for name in names]
        for tensor, count in zip(found, self.parameter_bytes, strict=True):
            kind = type(tensor)
            if (
                (kind is not Parameter and kind is not Tensor)
                or tensor.dtype is not dtype
                or not tensor.is_cpu
                or tensor.nbytes != count
            ):
                return None
        return found

    def _read_states(self, hx: Any, batch: int, is_batched: bool) -> Sequence[Tensor | None] | None:
        """``(places, batch, width)`` for each state, None for zeros; None for what is not that."""
        count, places = len(self.widths), len(self.cells)
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
                or column.shape != ((places, batch, width) if is_batched else (places, width))
            ):
                return None
        return columns if is_batched else [column.unsqueeze(1) for column in columns]

    def _make_states(self, x: Tensor) -> list[Tensor]:
        pairs = zip(self.widths, self.initial, strict=True)
        return [x.new_full((len(self.cells), x.shape[1], w), value) for w, value in pairs]

    def _find_calls(self, steps: int, batch: int, wants_grad: bool) -> list[FusedCall]:
        key = (steps, batch, wants_grad, extension.get_num_threads())
        calls = self._calls.get(key)
        if calls is None:
            if len(self._calls) >= _MOST_CALLS:
                self._calls.clear()
            shape = (1, batch) if len(self.cells) == 1 else (batch,)
            calls = self._calls[key] = [
                FusedCall(cell, steps, batch, self.precision, wants_grad, place.is_reverse, shape)
                for cell, place in zip(self.cells, self.places, strict=True)
            ]
        return calls

    def _run_all(
        self,
        calls: Sequence[FusedCall],
        x: Tensor,
        columns: Sequence[Tensor | None],
        parameters: list[Tensor],
        dropout: float,
    ) -> tuple[Tensor, list[Tensor]]:
        """All layers and directions."""
        unbound = [[None] * len(calls) if c is None else c.unbind(0) for c in columns]
        finals: list[Sequence[Tensor]] = []
        directions, start, y = self.directions, 0, x
        for first in range(0, len(calls), directions):
            outputs = []
            for place in range(first, first + directions):
                end = start + calls[place].cell.num_parameters
                states = [column[place] for column in unbound]
                output, *last = calls[place].run(y, states, parameters[start:end])
                outputs.append(output)
                finals.append(last)
                start = end
            y = torch.cat(outputs, dim=-1) if directions > 1 else outputs[0]
            if dropout > 0 and first + directions < len(calls):
                y = F.dropout(y, dropout, training=True)
        return y, [torch.stack(column) for column in zip(*finals, strict=True)]
