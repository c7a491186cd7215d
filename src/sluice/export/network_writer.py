"""A stack of layers in a language like C, with a model's embedding and its readout."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sluice.export.errors import ExportError
from sluice.export.layer_graph import LayerGraph, as_layer, split_layer
from sluice.export.step_writer import StepSource, StepWriter, list_leaves
from sluice.nn.readout import Readout
from sluice.nn.stack import RecurrentStack
from sluice.sequence.compression import scale_rows
from sluice.sequence.models import LanguageModel

_ACTIVATIONS = ("sigmoid", "tanh", "relu")


def choose_network(layer_or_model: nn.Module, language: str) -> RecurrentStack | LanguageModel:
    """The layer or the language model that is to be written in a language.

    Raises:
        ExportError: another module.
    """
    if isinstance(layer_or_model, LanguageModel):
        return layer_or_model
    layer = as_layer(layer_or_model)
    if layer is None:
        raise ExportError(
            f"{language} is written of recurrent layers and language models, not of a "
            f"{type(layer_or_model).__name__}"
        )
    return layer


class NetworkWriter:
    """Writes the step of a whole network.

    Attributes:
        graphs: Its layers.
        inputs: The widths of the cell's inputs beside x, by name.
        input_size: The width of the input; of a model how many tokens there are.

    Raises:
        ExportError: a layer that reads from the end, float64, copies.
    """

    def __init__(
        self, module: RecurrentStack | LanguageModel, source: StepSource, int8: bool
    ) -> None:
        self._module, self._source, self._int8 = module, source, int8
        self._layer = module if isinstance(module, RecurrentStack) else module.layers
        name = source.language
        if self._layer.bidirectional or self._layer.reverse:
            raise ExportError(
                f"{name} runs one step at a time; a layer that reads from the end cannot"
            )
        self.graphs: list[LayerGraph] = split_layer(self._layer, int8=int8)
        if self.graphs[0].dtype != torch.float32:
            raise ExportError(f"{name} is written in float32; call .float() first")
        cell = self._layer.cell.graph
        for own in [one.name for one in cell.states] + [one.name for one in cell.inputs]:
            if not own.isascii():
                raise ExportError(f"{name} has no name {own!r}; rename it in letters of ASCII")
        self.inputs = {one.name: self.graphs[0].sizes.of(one.width) for one in cell.inputs}
        self.input_size = self._layer.input_size
        if isinstance(module, LanguageModel):
            self.input_size = module.config.vocabulary_size

    @property
    def cell_name(self) -> str:
        """The name of the layers' cell."""
        return self._layer.cell.name

    def list_states(self) -> list[tuple[str, Tensor]]:
        """The names of all states, ``l0_h`` for h of the first layer, and their initial values."""
        return [
            (f"l{number}_{state.name}", initial)
            for number, graph in enumerate(self.graphs)
            for state, initial in zip(graph.graph.states, graph.initial_states, strict=True)
        ]

    def write(self) -> int:
        """All statements; the width of the output."""
        x, width = self._write_input()
        for number, graph in enumerate(self.graphs):
            x, width = self._write_layer(number, graph, x)
        return self._write_readout(x, width)

    def _write_input(self) -> tuple[str, int]:
        """The array that the first layer reads."""
        model, source = self._module, self._source
        if isinstance(model, RecurrentStack):
            return source.input_array("input"), model.input_size
        table = model.embedding.weight.detach().cpu()
        width = table.shape[1]
        x = source.declare(width)
        row = f"token * {width} + i"
        if self._int8:
            rows, scales = scale_rows(table)
            value = source.int8_element(source.array(rows), row)
            value = f"{value} * {source.element(source.array(scales), 'token')}"
        else:
            value = source.element(source.array(table), row)
        source.add(f"for (i = 0; i < {width}; i++) {source.element(x, 'i')} = {value};")
        return x, width

    def _write_layer(self, number: int, graph: LayerGraph, x: str) -> tuple[str, int]:
        """A layer's step and its new states; its output and that one's width."""
        source, states = self._source, graph.graph.states
        named = [source.input_array(f"input_{one}") for one in self.inputs]
        held = {state.name: source.state_array(f"l{number}_{state.name}") for state in states}
        found = StepWriter(source, graph, list_leaves(graph, x, named, held)).write()
        widths = [graph.sizes.of(one) for one in graph.graph.output_widths]
        width, y = sum(widths), found[graph.graph.output[0]]
        if len(widths) > 1 or y in held.values():
            y, start = source.declare(width), 0
            for one, own in zip(graph.graph.output, widths, strict=True):
                source.add(f"copy({y} + {start}, {found[one]}, {own});")
                start += own
        sizes = {state.name: graph.sizes.of(state.width) for state in states}
        changed = [name for name in held if found[name] != held[name]]
        for name in changed:  # a new state may be another one's old array
            if found[name] in held.values():
                kept = source.declare(sizes[name])
                source.add(f"copy({kept}, {found[name]}, {sizes[name]});")
                found[name] = kept
        for name in changed:
            source.add(f"copy({held[name]}, {found[name]}, {sizes[name]});")
        return y, width

    def _write_readout(self, x: str, width: int) -> int:
        module, source = self._module, self._source
        activation = "identity"
        weight: Tensor | None = None
        bias: Tensor | None = None
        if isinstance(module, LanguageModel):
            weight = module.embedding.weight if module.config.tied else module.readout.weight
            weight, bias = weight.detach(), module.readout.bias
        elif isinstance(module.readout, Readout):
            activation = module.readout.activation
            if isinstance(module.readout.map, nn.Linear):
                weight, bias = module.readout.map.weight.detach(), module.readout.map.bias
        width = width if weight is None else len(weight)
        output = source.output_array(width)
        if weight is None:
            source.add(f"copy({output}, {x}, {width});")
        else:
            own = None if bias is None else bias.detach().cpu()
            source.add_map(output, weight.cpu(), own, x, self._int8)
        self._write_activation(activation, output, width)
        return width

    def _write_activation(self, activation: str, output: str, width: int) -> None:
        source, one = self._source, self._source.element(output, "i")
        loop = f"for (i = 0; i < {width}; i++) {one} = "
        if activation in _ACTIVATIONS:
            source.add(f"{loop}{source.operations[activation].format(one)};")
        if activation == "softmax":
            top, total = source.new_name("a"), source.new_name("a")
            source.add(source.define(top, f"greatest({output}, {width})"))
            source.add(f"{loop}{source.operations['exp'].format(f'({one} - {top})')};")
            source.add(source.define(total, f"sum({output}, {width}, 1)"))
            source.add(f"{loop}{one} / {total};")
