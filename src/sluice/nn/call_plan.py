"""Plain calls the short way: what a layer's next call needs is known after its first.

A call is plain if the kernels of a CPU run it and nothing but an input, packed or in full, and
states are given. A plan holds no tensor and no address: parameters, settings and modes are read at
every call, and whatever is not exactly as the plan expects it goes the long way, which runs or
refuses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from sluice.cells.cell import Cell
from sluice.nn.kernel_plan import KernelPlan, Plannable, is_plain_input, needs_grad
from sluice.nn.places import LayerPlace
from sluice.nn.random_draws import apply_dropout
from sluice.run.kernels.compiled_cell import compile_cell
from sluice.run.kernels.fused import FusedCall
from sluice.run.recording import recorders


class PlannableLayer(Plannable, Protocol):
    """What a plan reads of a layer."""

    training: bool
    input_size: int
    num_layers: int
    bidirectional: bool
    batch_first: bool
    dropout: float
    learn_initial_state: bool
    cell: Cell
    copies: int | None
    _text: str
    _places: tuple[LayerPlace, ...]
    _precision: str
    _recompute: int | None
    _plan: CallPlan | None

    def flatten_copies(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The tensors of all copies, parameters first, as those of one layer."""
        ...


def run_plain(
    layer: PlannableLayer, input: Tensor | PackedSequence, hx: Any
) -> tuple[Tensor | PackedSequence, Any] | None:
    """What ``layer`` returns for a plain call, before any readout; None where it is not one.

    To be asked in eager mode alone. Of a layer of copies the tensors must be flat.
    """
    packed = input if isinstance(input, PackedSequence) else None
    tensor = input.data if packed is not None else input
    if not is_plain_input(tensor, layer) or recorders.is_any_active():
        return None
    plan = layer._plan
    if plan is None or not plan.fits(layer, tensor.dtype):
        plan = layer._plan = CallPlan(layer, tensor.dtype)
    if not plan.can_run:
        return None
    return plan.run(layer, tensor, hx) if packed is None else plan.run_packed(layer, packed, hx)


class CallPlan(KernelPlan):
    """What does not change between calls of a layer: programs, names and sizes.

    Args:
        layer: The layer; not kept.
        dtype: That of the input.
    """

    def __init__(self, layer: PlannableLayer, dtype: torch.dtype) -> None:
        names = [name for place in layer._places for name in place.parameter_names]
        learned = [name for place in layer._places for name in place.initial_state_names]
        super().__init__(type(layer), [*names, *learned], dtype)
        self.cell, self.text, self.places = layer.cell, layer._text, layer._places
        self.options = (layer.num_layers, layer.bidirectional, layer._precision)
        self.directions = 2 if layer.bidirectional else 1
        graph, places = layer.cell.graph, layer._places
        widths = {place.state_widths(layer.cell) for place in places}
        is_plain = not (graph.masks or graph.inputs or (layer.copies and layer.bidirectional))
        self.can_run = self.can_run and is_plain and len(widths) == 1
        self.input_width = places[0].sizes.input
        if not self.can_run:
            return
        self.precision = "float64" if dtype == torch.float64 else layer._precision
        (self.widths,) = widths
        self.initial = [state.initial for state in graph.states]
        self.learns_states = bool(learned)
        self.starts_at_zero = not any(self.initial) and not learned
        self.set_cells(
            compile_cell(graph, p.sizes, len(p.parameter_names) == len(graph.parameters), dtype)
            for p in places
        )
        self._parameter_shapes += [torch.Size((width,)) for width in self.widths] * (
            len(places) if learned else 0
        )

    def fits(self, layer: PlannableLayer, dtype: torch.dtype) -> bool:
        """Whether the layer is what it was, and the input's dtype as well."""
        return (
            self.fits_kind(type(layer), dtype)
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
        batch = x.shape[1]
        columns = self.read_states(
            hx, (len(self.cells), batch) if is_batched else (len(self.cells),)
        )
        if columns is None:
            return None
        if not is_batched and hx is not None:
            columns = [column.unsqueeze(1) for column in columns]
        found = self._run(layer, x, columns, None)
        if found is None:
            return None
        y, last = found
        if not is_batched:
            y, last = y.squeeze(1), [column.squeeze(1) for column in last]
        elif batch_first:
            y = y.transpose(0, 1)
        return y, last[0] if len(last) == 1 else tuple(last)

    def run_packed(
        self, layer: PlannableLayer, packed: PackedSequence, hx: Any
    ) -> tuple[PackedSequence, Any] | None:
        """As `run`, for a packed batch."""
        data, sizes, order, back = packed
        if data.dim() != 2 or (layer.dropout > 0 and layer.training):
            return None
        columns = self.read_states(hx, (len(self.cells), int(sizes[0])))
        if columns is None:
            return None
        if order is not None and hx is not None:
            columns = [column.index_select(1, order) for column in columns]
        x, lengths = pad_packed_sequence(PackedSequence(data, sizes))
        found = self._run(layer, x, columns, lengths)
        if found is None:
            return None
        y, last = found
        if back is not None:
            last = [column.index_select(1, back) for column in last]
        output = packed._replace(data=pack_padded_sequence(y, lengths).data)
        return output, last[0] if len(last) == 1 else tuple(last)

    def _run(
        self,
        layer: PlannableLayer,
        x: Tensor,
        columns: Sequence[Tensor | None],
        lengths: Tensor | None,
    ) -> tuple[Tensor, Sequence[Tensor]] | None:
        """The output and ``(places, batch, width)`` for each state; None for no plain call."""
        steps, batch, width = x.shape
        parameters = self.read_parameters(layer)
        if width != self.input_width or not steps or not batch or parameters is None:
            return None
        if layer.copies is not None:
            parameters = layer.flatten_copies(parameters)
        is_given = columns[0] is not None
        if self.learns_states and is_given:
            return None  # the learned ones must have gradients all the same
        if self.precision == "int8" and layer.training:
            return None
        wants_grad = needs_grad(x, columns, parameters)
        if wants_grad and layer._recompute is not None:
            return None
        if not (is_given or self.starts_at_zero):
            columns = self._make_states(x, parameters)
        calls = self.find_calls(steps, batch, wants_grad)
        if lengths is not None:
            calls = [call.with_lengths(lengths) for call in calls]
        if len(calls) == 1:
            y, *last = calls[0].run(x, columns, parameters[: calls[0].cell.num_parameters])
            return y, last
        rate = layer.dropout if layer.training else 0.0
        return self._run_all(calls, x, columns, parameters, rate)

    def _make_states(self, x: Tensor, parameters: list[Tensor]) -> list[Tensor]:
        """What a layer starts from that does not start from zeros."""
        places, batch, count = len(self.cells), x.shape[1], len(self.widths)
        if self.learns_states:
            learned = parameters[-places * count :]
            columns = [torch.stack(learned[k::count]) for k in range(count)]
            return [column.unsqueeze(1).expand(-1, batch, -1) for column in columns]
        pairs = zip(self.widths, self.initial, strict=True)
        return [x.new_full((places, batch, width), value) for width, value in pairs]

    def make_calls(self, steps: int, batch: int, wants_grad: bool) -> Sequence[FusedCall]:
        """One for each layer and direction."""
        shape = (1, batch) if len(self.cells) == 1 else (batch,)
        return [
            FusedCall(cell, steps, batch, self.precision, wants_grad, place.is_reverse, shape)
            for cell, place in zip(self.cells, self.places, strict=True)
        ]

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
                y = apply_dropout(y, dropout)
        return y, [torch.stack(column) for column in zip(*finals, strict=True)]
