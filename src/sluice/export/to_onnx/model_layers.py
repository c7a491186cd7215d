"""Layers inside a model: our operator's nodes replaced by what ONNX has for them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import torch
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor

from sluice.equations.specs import Sizes
from sluice.equations.text import from_text
from sluice.export.errors import ExportError
from sluice.export.layer_graph import LayerGraph, check_dtypes
from sluice.export.to_onnx.builder import OnnxBuilder
from sluice.export.to_onnx.model_program import DOMAIN
from sluice.export.to_onnx.over_time import write_marks, write_over_time, write_step
from sluice.run.spec import initial_states, map_parameters_by_name

Constants = dict[str, TensorProto]


def replace_layers(model: ModelProto, *, stream: bool, int8: bool) -> None:
    """Write every layer of ``model`` in place; with ``stream`` its inputs are of one step.

    Raises `ExportError` for weights that the model computes.
    """
    graph = model.graph
    constants = {one.name: one for one in graph.initializer}
    nodes = list[NodeProto]()
    for number, node in enumerate(graph.node):
        if node.domain != DOMAIN:
            nodes.append(node)
            continue
        builder = _write_layer(node, constants, f"layer{number}_", stream, int8)
        nodes += builder.nodes
        constants.update((one.name, one) for one in builder.constants)
    opsets = [one for one in model.opset_import if one.domain != DOMAIN]
    _replace(graph.node, nodes)
    _replace(model.opset_import, opsets)
    set_constants(model, constants)


def set_constants(model: ModelProto, constants: Constants) -> None:
    """Give the model those of ``constants`` that it reads."""
    read = set(_list_read_names(model.graph))
    _replace(model.graph.initializer, [one for name, one in constants.items() if name in read])


def _list_read_names(graph: Any) -> list[str]:
    """What the nodes read, also inside loops, and what is given out."""
    names = [output.name for output in graph.output]
    for node in graph.node:
        names += node.input
        for attribute in node.attribute:
            if attribute.HasField("g"):
                names += _list_read_names(attribute.g)
    return names


def _replace(field: Any, values: Sequence[Any]) -> None:
    kept = list(values)
    del field[:]
    field.extend(kept)


def _write_layer(
    node: NodeProto, constants: Constants, prefix: str, stream: bool, int8: bool
) -> OnnxBuilder:
    attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    graph = from_text(attributes["graph"].decode())
    sizes = Sizes.from_list(list(attributes["sizes"]), graph.own_sizes)
    x, *rest = node.input
    ends = [0, *accumulate(attributes["counts"])]
    groups = [rest[start:end] for start, end in pairwise(ends)]
    states, parameters, masks, restart, lengths, resets = groups
    tensors = [_read(constants, name, graph.name) for name in parameters]
    dtype = tensors[0].dtype if tensors else torch.float32
    given = tuple(_read(constants, name, graph.name) for name in restart)
    own = given or initial_states(graph, sizes, torch.empty(0, dtype=dtype))
    check_dtypes([*tensors, *own])
    named = map_parameters_by_name(graph, tensors)
    layer = LayerGraph(graph, sizes, named, own, bool(attributes["reverse"]), int8)
    builder = OnnxBuilder(dtype, prefix)
    inputs = masks[len(graph.masks) :]
    if stream:
        axis = builder.constant([0])
        x, *inputs = (builder.add("Squeeze", one, axis) for one in (x, *inputs))
        swapped = [builder.add("Transpose", one, perm=[1, 0]) for one in resets]
        y, last = write_step(builder, layer, x, inputs, states, next(iter(swapped), None))
        y = builder.add("Unsqueeze", y, axis)
    else:
        marks = write_marks(
            builder, x, *(group[0] if group else None for group in (lengths, resets))
        )
        y, last = write_over_time(builder, layer, x, inputs, states, marks)
    for value, name in zip((y, *last), node.output, strict=True):
        builder.rename(value, name)
    return builder


def _read(constants: Constants, name: str, cell: str) -> Tensor:
    if name not in constants:
        raise ExportError(
            f"a weight of {cell} is computed by the model ({name}), where ONNX needs numbers; "
            "remove its parametrization first (torch.nn.utils.parametrize.remove_parametrizations)"
        )
    return torch.from_numpy(numpy_helper.to_array(constants[name]).copy())
