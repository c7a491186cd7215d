"""An exported layer in onnxruntime beside the layer itself, at shapes that it was not made for."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

from sluice.export.comparison import find_tolerance, measure_difference
from sluice.export.to_onnx.engine import open_session, run_session
from sluice.export.to_onnx.form import LayerForm
from sluice.export.to_onnx.layer_file import LayerFile, round_layer
from sluice.nn.stack import RecurrentStack
from sluice.run.dispatch import REFERENCE

SHAPES = ((7, 3), (1, 1), (12, 2))
"""Time and batch of the calls that are compared."""


def check_layer(
    layer: RecurrentStack, file: LayerFile, options: LayerForm, content: bytes
) -> float:
    """The greatest difference between the file and ``layer`` in float64.

    Raises `ExportError` where it is more than rounding explains.
    """
    session = open_session(content)
    own = deepcopy(layer).cpu().eval()
    own.backend = REFERENCE
    if options.int8:
        round_layer(own)
    exact, worst = deepcopy(own).double(), 0.0
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        for number, (steps, batch) in enumerate(SHAPES):
            inputs = _draw_inputs(layer, file, steps, batch)
            expected = _call(exact, file, options, inputs)
            rounded = _call(own, file, options, inputs)
            tolerance = find_tolerance(rounded, expected, file.graphs[0].dtype)
            case = f"check {number + 1} (time {steps}, batch {batch})"
            found = run_session(session, inputs)
            worst = max(worst, measure_difference(found, expected, tolerance, case))
    return worst


def _draw_inputs(
    layer: RecurrentStack, file: LayerFile, steps: int, batch: int
) -> dict[str, Tensor]:
    """Inputs by name: lengths from 0 on, states near the initial ones."""
    sizes, found = {"time": steps, "batch": batch}, {}
    initial = {f"{state.name}_0": number for number, state in enumerate(layer.cell.graph.states)}
    dtype = file.graphs[0].dtype
    for name, shape in file.inputs.items():
        own = [sizes[one] if isinstance(one, str) else one for one in shape]
        if name == "lengths":
            found[name] = torch.arange(batch) * steps // max(batch - 1, 1)
        elif name == "resets":
            found[name] = torch.rand(own) < 0.3
        elif name == "input":
            found[name] = torch.randn(own, dtype=dtype)
        elif name in {one.name for one in layer.cell.graph.inputs}:
            found[name] = torch.rand(own, dtype=dtype)
        elif name in initial and len(own) == 3:
            rows = [graph.initial_states[initial[name]] for graph in file.graphs]
            found[name] = torch.stack(rows)[:, None] + 0.1 * torch.randn(own, dtype=dtype)
        else:
            found[name] = 0.1 * torch.randn(own, dtype=dtype)
    return found


def _call(
    layer: RecurrentStack, file: LayerFile, options: LayerForm, inputs: dict[str, Tensor]
) -> dict[str, Tensor]:
    """What ``layer`` gives for inputs of the file, by the names of its outputs."""
    dtype = next(iter(layer.get_initial_states()))[0].dtype
    given = {n: t.to(dtype) if t.is_floating_point() else t for n, t in inputs.items()}
    hx = [_pack([given[f"{name}_0"] for name in names]) for names in file.state_names]
    marks: dict[str, Any] = {one.name: given[one.name] for one in layer.cell.graph.inputs}
    marks |= {name: given[name] for name in ("lengths", "resets") if name in given}
    x, time = given["input"], 1 if layer.batch_first else 0
    if options.stream:
        x = x.unsqueeze(time)
        marks = {name: value.unsqueeze(time) for name, value in marks.items()}
    y, last = layer(x, hx[0] if len(hx) == 1 else tuple(hx), **marks)
    found = {"output": y.squeeze(time) if options.stream else y}
    columns = (last,) if len(hx) == 1 else last
    for names, column in zip(file.state_names, columns, strict=True):
        parts = [column] if len(names) == 1 else list(column)
        found.update({f"{name}_n": part for name, part in zip(names, parts, strict=True)})
    return found


def _pack(tensors: list[Tensor]) -> Tensor | tuple[Tensor, ...]:
    return tensors[0] if len(tensors) == 1 else tuple(tensors)
