"""A layer or a model made of torch's own modules."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from sluice.export.errors import ExportError
from sluice.export.layer_graph import split_layer
from sluice.export.parts import LinearMap, ModelParts
from sluice.nn.conversion import convert
from sluice.nn.readout import Readout


class TorchChain(nn.Module):
    """Embedding, recurrent layers, readout, each torch's own; states are arguments and results.

    Its call takes ids ``(time, batch)`` or values ``(time, batch, features)``, then each state,
    ``(layers × directions, batch, width)``; it gives the output and each state after the last step.

    Raises `ExportError`, which names what torch's layers lack.
    """

    def __init__(self, parts: ModelParts) -> None:
        super().__init__()
        if any(bool(one.any()) for own in split_layer(parts.layers) for one in own.initial_states):
            raise ExportError("torch's layers start sequences from zeros, and these states are not")
        own = deepcopy(parts.layers).cpu().eval()
        own.readout = None
        self.batch_first, self.reads_ends = own.batch_first, parts.reads_ends
        self.directions, self.fills_missing = own.directions, parts.fills_missing
        self.state_names = tuple(state.name for state in own.cell.graph.states)
        self.sizes = tuple(own.sizes[0].of(state.width) for state in own.cell.graph.states)
        self.places = own.num_layers * own.directions
        try:
            self.layers = convert(own, to="torch")
        except ValueError as error:
            raise ExportError(str(error)) from None
        self.embedding = (
            None if parts.table is None else nn.Embedding.from_pretrained(parts.table.clone())
        )
        self.input_map = None if parts.input_map is None else _make_linear(parts.input_map)
        self.readout = None if parts.readout is None else _make_linear(parts.readout)
        self.activation = Readout(0, None, parts.activation)

    def forward(self, x: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """The output and the states after the last step."""
        if self.embedding is not None:
            x = self.embedding(x)
        elif self.fills_missing:
            x = x.nan_to_num()
        if self.input_map is not None:
            x = self.input_map(x)
        y, last = self.layers(x, states[0] if len(states) == 1 else states)
        found = (last,) if isinstance(last, Tensor) else tuple(last)
        if self.reads_ends:
            y = torch.cat(tuple(found[0][-self.directions :]), -1)
        if self.readout is not None:
            y = self.readout(y)
        return (self.activation(y), *found)


def _make_linear(own: LinearMap) -> nn.Linear:
    rows, columns = own.weight.shape
    made = nn.Linear(columns, rows, bias=own.bias is not None, dtype=own.weight.dtype)
    with torch.no_grad():
        made.weight.copy_(own.weight)
        if own.bias is not None:
            made.bias.copy_(own.bias)
    return made
