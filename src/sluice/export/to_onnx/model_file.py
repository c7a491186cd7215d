"""A whole model as an ONNX model, and its check beside the model itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
from onnx import ModelProto
from torch import Tensor, nn

from sluice._version import __version__
from sluice.export.comparison import find_tolerance, measure_difference
from sluice.export.layer_graph import round_rows
from sluice.export.model_inputs import SIZES, ModelInput, draw_input
from sluice.export.to_onnx.engine import open_session, run_session
from sluice.export.to_onnx.model_int8 import round_model
from sluice.export.to_onnx.model_layers import replace_layers
from sluice.export.to_onnx.model_program import export_program


def build_model(
    model: nn.Module,
    inputs: Sequence[ModelInput],
    outputs: Sequence[str] | None,
    *,
    stream: bool,
    int8: bool,
) -> ModelProto:
    """The whole model."""
    made = export_program(model, inputs, outputs)
    replace_layers(made, stream=stream, int8=int8)
    if int8:
        round_model(made)
    made.producer_name, made.producer_version = "sluice", __version__
    for one in (*made.graph.node, *made.graph.input, *made.graph.output, *made.graph.value_info):
        del one.metadata_props[:]  # lines of the model's source, by the paths they have here
    return made


def check_model(
    model: nn.Module, inputs: Sequence[ModelInput], content: bytes, *, int8: bool
) -> float:
    """The greatest difference between the file and ``model`` in float64, at three shapes.

    Raises `ExportError` where it is more than rounding explains.
    """
    session = open_session(content)
    names = [output.name for output in session.get_outputs()]
    own = deepcopy(model).cpu().eval()
    if int8:
        with torch.no_grad():
            for tensor in (*own.parameters(), *own.buffers()):
                tensor.copy_(round_rows(tensor))
    exact, worst = deepcopy(own).double(), 0.0
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        for number, sizes in enumerate(SIZES):
            given = {one.name: draw_input(one, sizes) for one in inputs}
            expected = _call(exact, given, names, torch.float64)
            rounded = _call(own, given, names, torch.float32)
            tolerance = find_tolerance(rounded, expected, torch.float32)
            found = run_session(session, given)
            case = f"check {number + 1} (" + ", ".join(f"{n} {s}" for n, s in sizes.items()) + ")"
            worst = max(worst, measure_difference(found, expected, tolerance, case))
    return worst


def _call(
    model: nn.Module, given: Mapping[str, Tensor], names: Sequence[str], dtype: torch.dtype
) -> dict[str, Tensor]:
    cast = (one.to(dtype) if one.is_floating_point() else one for one in given.values())
    found = list(_flatten(model(*cast)))
    return dict(zip(names, found, strict=True))


def _flatten(value: Any) -> list[Tensor]:
    """The tensors of a result, as torch's exporter lists them."""
    return [one for one in torch.utils._pytree.tree_leaves(value) if isinstance(one, Tensor)]
