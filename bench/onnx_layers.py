"""A recurrent layer as one ONNX node, run by onnxruntime with as many threads as torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

try:
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper
except ModuleNotFoundError as error:
    raise SystemExit(
        f"Measuring beside onnxruntime needs {error.name}: pip install '.[bench]', or name the "
        "cells that do without it."
    ) from None

GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}
"""Where ONNX's gates stand in torch's order: i, o, f, c in i, f, g, o; z, r, h in r, z, n."""
OPSET, IR = 17, 8


class OnnxLayer:
    """Inference with the weights of an `nn.LSTM`, `nn.GRU` or `nn.RNN` of one layer."""

    def __init__(self, layer: nn.RNNBase) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
        self.session = onnxruntime.InferenceSession(
            model(layer), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        y, *last = map(torch.from_numpy, self.session.run(None, {"x": x.numpy()}))
        return y[:, 0], last


def model(layer: nn.RNNBase) -> bytes:
    """The serialised model: `x` (time, batch, input) to `y` and the last states."""
    kind = type(layer).__name__
    weights = {
        "w": reorder_gates(layer.weight_ih_l0, kind)[None],
        "r": reorder_gates(layer.weight_hh_l0, kind)[None],
        "b": torch.cat([reorder_gates(b, kind) for b in (layer.bias_ih_l0, layer.bias_hh_l0)])[
            None
        ],
    }
    states = ["h", "c"] if kind == "LSTM" else ["h"]
    options = {"linear_before_reset": 1} if kind == "GRU" else {}
    node = helper.make_node(
        kind, ["x", *weights], ["y", *states], hidden_size=layer.hidden_size, **options
    )
    graph = helper.make_graph(
        [node],
        kind,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, None, layer.input_size])],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("y", *states)],
        [numpy_helper.from_array(value.numpy(), name) for name, value in weights.items()],
    )
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR).SerializeToString()


def reorder_gates(parameter: Tensor, kind: str) -> Tensor:
    """A parameter's rows, gates in ONNX's order."""
    gates = parameter.detach().chunk(len(GATES[kind]))
    return torch.cat([gates[place] for place in GATES[kind]])
