"""A recurrent layer as an ONNX model: its inputs and outputs, layers and directions, a readout."""

from __future__ import annotations

import json

import torch
from onnx import GraphProto, ModelProto, helper

from sluice._version import __version__
from sluice.export.errors import ExportError
from sluice.export.layer_graph import round_rows, split_layer
from sluice.export.to_onnx.builder import IR_VERSION, OPSET, OnnxBuilder, Shape
from sluice.export.to_onnx.form import LayerForm
from sluice.export.to_onnx.over_time import write_marks, write_over_time, write_step
from sluice.nn.readout import Readout
from sluice.nn.stack import RecurrentStack


class LayerFile:
    """The model of one layer while it is written, and the names and shapes around it.

    ``inputs`` and ``outputs`` are the shapes by name. Raises `ExportError` for what has no form in
    ONNX.
    """

    def __init__(self, layer: RecurrentStack, options: LayerForm) -> None:
        _refuse(layer, options)
        self._layer, self._options = layer, options
        self.graphs = split_layer(layer, int8=options.int8)
        self._builder = OnnxBuilder(self.graphs[0].dtype)
        batch_first = layer.batch_first
        lead = ("batch", "time") if batch_first else ("time", "batch")
        self._lead: Shape = ("batch",) if options.stream else lead
        self.inputs: dict[str, tuple[int | str, ...]] = {}
        self.outputs: dict[str, tuple[int | str, ...]] = {}
        self._dtypes: dict[str, torch.dtype] = {}
        self._add_input("input", (*self._lead, layer.input_size))
        self._named = [one.name for one in layer.cell.graph.inputs]
        for one in layer.cell.graph.inputs:
            self._add_input(one.name, (*self._lead, layer.sizes[0].of(one.width)))
        if options.lengths:
            self._add_input("lengths", ("batch",), torch.int64)
        if options.resets:
            self._add_input("resets", tuple(self._lead), torch.bool)
        self.state_names = self._list_states()

    def _add_input(
        self, name: str, shape: tuple[int | str, ...], dtype: torch.dtype | None = None
    ) -> None:
        if name in self.inputs:
            raise ExportError(f"two inputs of the file would be called {name!r}; rename the cell's")
        self.inputs[name] = shape
        self._dtypes[name] = dtype or self.graphs[0].dtype

    def _list_states(self) -> list[list[str]]:
        """The name of each state's input (without ``_0``) for every place; one name where all
        places have one width."""
        found = []
        for state in self._layer.cell.graph.states:
            widths = [graph.sizes.of(state.width) for graph in self.graphs]
            if len(set(widths)) == 1:
                self._add_input(f"{state.name}_0", (len(widths), "batch", widths[0]))
                found.append([state.name])
                continue
            layers = range(self._layer.num_layers)
            ends = ("", "_reverse")[: self._layer.directions]
            names = [f"{state.name}_l{layer}{end}" for layer in layers for end in ends]
            for name, width in zip(names, widths, strict=True):
                self._add_input(f"{name}_0", ("batch", width))
            found.append(names)
        return found

    def build(self) -> ModelProto:
        """The whole model."""
        builder, options = self._builder, self._options
        x, *beside = (self._to_time_major(name) for name in ("input", *self._named))
        resets = self._to_time_major("resets") if options.resets else None
        lengths = "lengths" if options.lengths else None
        if options.stream and resets is not None:
            resets = builder.add("Unsqueeze", resets, builder.constant([1]))
        marks = None if options.stream else write_marks(builder, x, lengths, resets)
        states, last, directions = self._read_states(), list[list[str]](), self._layer.directions
        for place in range(0, len(self.graphs), directions):
            sides = []
            for graph, own in zip(
                self.graphs[place : place + directions], states[place:], strict=False
            ):
                if marks is None:
                    y, after = write_step(builder, graph, x, beside, own, resets)
                else:
                    y, after = write_over_time(builder, graph, x, beside, own, marks)
                sides.append(y)
                last.append(after)
            x = builder.join(sides)
        if self._layer.readout is not None:
            x = self._write_readout(self._layer.readout, x)
        self._write_outputs(x, last)
        return self._finish()

    def _to_time_major(self, name: str) -> str:
        if not self._layer.batch_first or self._options.stream:
            return name
        return self._swap(name, len(self.inputs[name]))

    def _swap(self, value: str, rank: int) -> str:
        return self._builder.add("Transpose", value, perm=[1, 0, 2][:rank])

    def _read_states(self) -> list[list[str]]:
        """The states before the first step of every place, ``(batch, width)`` each."""
        builder, columns = self._builder, []
        for names in self.state_names:
            if len(names) > 1:
                columns.append([f"{name}_0" for name in names])
                continue
            places = range(len(self.graphs))
            columns.append(
                [
                    builder.add(
                        "Gather", f"{names[0]}_0", builder.constant(torch.tensor(place)), axis=0
                    )
                    for place in places
                ]
            )
        return [list(row) for row in zip(*columns, strict=True)]

    def _write_outputs(self, y: str, last: list[list[str]]) -> None:
        builder, layer = self._builder, self._layer
        if layer.batch_first and not self._options.stream:
            y = self._swap(y, 3)
        builder.rename(y, "output")
        width = layer.output_features
        if layer.readout is not None and isinstance(layer.readout.map, torch.nn.Linear):
            width = layer.readout.map.out_features
        self.outputs["output"] = (*self._lead, width)
        for names, column in zip(self.state_names, zip(*last, strict=True), strict=True):
            if len(names) > 1:
                for name, value in zip(names, column, strict=True):
                    builder.rename(value, f"{name}_n")
                    self.outputs[f"{name}_n"] = self.inputs[f"{name}_0"]
                continue
            rows = [builder.add("Unsqueeze", one, builder.constant([0])) for one in column]
            builder.rename(builder.join(rows, axis=0), f"{names[0]}_n")
            self.outputs[f"{names[0]}_n"] = self.inputs[f"{names[0]}_0"]

    def _write_readout(self, readout: Readout, y: str) -> str:
        builder, own = self._builder, readout.map
        if isinstance(own, torch.nn.Linear):
            weight = own.weight.detach().cpu()
            factor = builder.add_columns(weight, is_int8=self._options.int8)
            y = builder.add("MatMul", y, factor)
            if own.bias is not None:
                y = builder.add("Add", y, builder.constant(own.bias.cpu()))
        names = {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu"}
        if readout.activation == "softmax":
            return builder.add("Softmax", y, axis=-1)
        if readout.activation in names:
            return builder.add(names[readout.activation], y)
        return y

    def _finish(self) -> ModelProto:
        builder = self._builder
        described = [
            builder.describe(name, shape, self._dtypes[name]) for name, shape in self.inputs.items()
        ]
        ends = [builder.describe(name, shape) for name, shape in self.outputs.items()]
        graph = builder.finish(self._layer.cell.name, described, ends)
        return make_model(graph, {"initial_states": json.dumps(self._list_initial_states())})

    def _list_initial_states(self) -> dict[str, list[list[float]]]:
        """What a new sequence starts from, for each layer and direction, where it is not 0."""
        found = {}
        for number, state in enumerate(self._layer.cell.graph.states):
            rows = [graph.initial_states[number].tolist() for graph in self.graphs]
            if any(any(row) for row in rows):
                found[state.name] = rows
        return found


def make_model(graph: GraphProto, notes: dict[str, str]) -> ModelProto:
    """A model of one graph; ``notes`` are kept in it."""
    opsets = [helper.make_opsetid("", OPSET)]
    model: ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    model.producer_name, model.producer_version = "sluice", __version__
    helper.set_model_props(model, notes)
    return model


def round_layer(layer: RecurrentStack) -> None:
    """Round every matrix of ``layer``, in place, as its int8 form gives it back."""
    with torch.no_grad():
        for tensor in (*layer.parameters(), *layer.buffers()):
            tensor.copy_(round_rows(tensor))


def _refuse(layer: RecurrentStack, options: LayerForm) -> None:
    if options.stream and (layer.reverse or layer.bidirectional):
        raise ExportError(
            "stream: a layer that reads from the end needs the whole sequence; leave stream out"
        )
    if options.stream and options.lengths:
        raise ExportError("lengths: a single step has none; leave lengths or stream out")
