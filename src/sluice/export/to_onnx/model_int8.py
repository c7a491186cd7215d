"""The matrices of a model outside its recurrent layers in int8, with a scale for each row."""

from __future__ import annotations

import torch
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor

from sluice.export.to_onnx.builder import OnnxBuilder
from sluice.export.to_onnx.model_layers import set_constants


def round_model(model: ModelProto) -> None:
    """Write in int8, in place, every float matrix that a product or an embedding reads."""
    graph = model.graph
    constants = {one.name: one for one in graph.initializer}
    builder = OnnxBuilder(torch.float32, "int8_")
    for node in graph.node:
        place = _find_matrix(node, constants)
        if place is None:
            continue
        number, has_rows_first = place
        matrix = torch.from_numpy(numpy_helper.to_array(constants[node.input[number]]).copy())
        node.input[number] = _write(builder, matrix, has_rows_first)
    nodes = [*builder.nodes, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    set_constants(model, constants | {one.name: one for one in builder.constants})


def _write(builder: OnnxBuilder, matrix: Tensor, has_rows_first: bool) -> str:
    if has_rows_first:
        return builder.add_rows(matrix, is_int8=True)
    return builder.add_columns(matrix.T.contiguous(), is_int8=True)


def _find_matrix(node: NodeProto, constants: dict[str, TensorProto]) -> tuple[int, bool] | None:
    """Which operand of ``node`` is a float matrix of weights, and whether its rows are units."""
    options = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    places = {"MatMul": (1, False), "Gather": (0, True)}
    places["Gemm"] = (1, bool(options.get("transB", 0)))
    place = places.get(node.op_type)
    if place is None or (node.op_type == "Gather" and options.get("axis", 0) != 0):
        return None
    found = constants.get(node.input[place[0]])
    is_matrix = found is not None and found.data_type == TensorProto.FLOAT and len(found.dims) == 2
    return place if is_matrix else None
