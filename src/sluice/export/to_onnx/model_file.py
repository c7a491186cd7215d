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
from sluice.export.errors import ExportError
from sluice.export.layer_graph import round_rows
from sluice.export.to_onnx.engine import open_session, run_session
from sluice.export.to_onnx.model_int8 import round_model
from sluice.export.to_onnx.model_layers import replace_layers
from sluice.export.to_onnx.model_program import ModelInput, export_program
from sluice.sequence.models import LanguageModel

SIZES = ({"time": 7, "batch": 3}, {"time": 1, "batch": 1}, {"time": 12, "batch": 2})
"""The free dimensions of the calls that are compared."""


class StatefulModel(nn.Module):
    """A language model whose states are inputs and outputs of their own.

    It takes ids ``(time, batch)``, or ``(batch,)`` of a single step, and gives logits.
    """

    def __init__(self, model: LanguageModel, stream: bool) -> None:
        super().__init__()
        self.model, self.stream = model, stream

    def forward(self, tokens: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """The logits and the states after the last step."""
        ids = tokens.unsqueeze(0) if self.stream else tokens
        logits, last = self.model(ids, states[0] if len(states) == 1 else states)
        found = (last,) if isinstance(last, Tensor) else last
        return (logits.squeeze(0) if self.stream else logits, *found)


def describe_language_model(
    model: LanguageModel, stream: bool
) -> tuple[StatefulModel, list[ModelInput], list[str]]:
    """The model with its states, its inputs, and the names of its outputs."""
    graph, sizes = model.layers.cell.graph, model.layers.sizes
    tokens = torch.randint(model.config.vocabulary_size, (7, 3))
    free = {0: "time", 1: "batch"}
    inputs = [
        ModelInput("tokens", tokens[0] if stream else tokens, {0: "batch"} if stream else free)
    ]
    outputs = ["logits"]
    for state in graph.states:
        widths = [one.of(state.width) for one in sizes]
        if len(set(widths)) > 1:
            raise ExportError(
                f"the state {state.name} has another width in each layer ({widths}), which a "
                "model cannot be given as one tensor; export the layers alone"
            )
        zeros = torch.zeros(len(widths), 3, widths[0])
        inputs.append(ModelInput(f"{state.name}_0", zeros, {1: "batch"}))
        outputs.append(f"{state.name}_n")
    return StatefulModel(model, stream), inputs, outputs


def describe_inputs(examples: Sequence[Tensor]) -> list[ModelInput]:
    """Inputs given by examples: all dimensions are free but the last of numbers.

    The first is called time, the second batch where there are two of them; a lone one is the batch.
    """
    found = []
    for number, example in enumerate(examples):
        count = example.dim() - (1 if example.is_floating_point() else 0)
        names = ("time", "batch")[2 - count :] if count <= 2 else ()
        if not names and count:
            raise ExportError(
                f"inputs[{number}] has {count} free dimensions; a model may have two, time and "
                "batch, before the features"
            )
        name = "input" if len(examples) == 1 else f"input_{number}"
        found.append(ModelInput(name, example.detach().cpu(), dict(enumerate(names))))
    return found


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
            given = {one.name: _draw(one, sizes) for one in inputs}
            expected = _call(exact, given, names, torch.float64)
            rounded = _call(own, given, names, torch.float32)
            tolerance = find_tolerance(rounded, expected, torch.float32)
            found = run_session(session, given)
            case = f"check {number + 1} (" + ", ".join(f"{n} {s}" for n, s in sizes.items()) + ")"
            worst = max(worst, measure_difference(found, expected, tolerance, case))
    return worst


def _draw(one: ModelInput, sizes: Mapping[str, int]) -> Tensor:
    """An input of other sizes: ids among those of the example, numbers around its numbers."""
    shape = [sizes[size] if isinstance(size, str) else size for size in one.shape]
    known = one.example.flatten()
    if not len(known):
        return one.example.new_zeros(shape)
    drawn = known[torch.randint(len(known), shape)]
    return drawn + 0.1 * torch.randn(shape) if drawn.is_floating_point() else drawn


def _call(
    model: nn.Module, given: Mapping[str, Tensor], names: Sequence[str], dtype: torch.dtype
) -> dict[str, Tensor]:
    cast = (one.to(dtype) if one.is_floating_point() else one for one in given.values())
    found = list(_flatten(model(*cast)))
    return dict(zip(names, found, strict=True))


def _flatten(value: Any) -> list[Tensor]:
    """The tensors of a result, as torch's exporter lists them."""
    return [one for one in torch.utils._pytree.tree_leaves(value) if isinstance(one, Tensor)]
