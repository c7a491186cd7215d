"""A whole model by torch's own exporter, with our operator as a node of its own."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from onnx import ModelProto
from torch import Tensor, nn

from sluice.export.errors import ExportError
from sluice.export.model_inputs import ModelInput
from sluice.export.to_onnx.builder import OPSET
from sluice.extras import MissingExtraError
from sluice.nn.conversion import convert
from sluice.run.onnx_translation import translate_operator

DOMAIN, NODE = "sluice", "Run"
"""The node that stands for one layer in one direction, until `model_layers` replaces it."""


class _Call(nn.Module):
    """A model whose arguments are tensors in a row, as the exporter's free dimensions are."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: Tensor) -> Any:
        return self.model(*inputs)


def export_program(
    model: nn.Module, inputs: Sequence[ModelInput], outputs: Sequence[str] | None
) -> ModelProto:
    """The model as torch writes it. Recurrent layers of torch's are exported as ours.

    Raises `ExportError` where torch cannot.
    """
    try:
        import onnxscript  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "onnxscript", "export") from None
    names = sorted({name for one in inputs for name in one.free.values()})
    dimensions = {name: torch.export.Dim(name, min=1) for name in names}
    shapes = tuple({n: dimensions[name] for n, name in one.free.items()} for one in inputs)
    with _silence(), torch.no_grad(), translate_operator():
        own = _Call(convert(deepcopy(model)).cpu().eval())
        try:
            program = torch.onnx.export(
                own,
                tuple(one.example for one in inputs),
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=[one.name for one in inputs],
                output_names=outputs,
                dynamic_shapes=(shapes,),
                custom_translation_table={torch.ops.sluice.run_pass.default: _translate},
            )
        except Exception as error:  # its own classes, and whatever the model raises
            cause = str(error.__cause__ or error).strip().partition("\n")[0]
            raise ExportError(f"torch.onnx.export cannot export the model: {cause}") from error
    if program is None:
        raise ExportError("torch.onnx.export returned nothing")
    found: ModelProto = program.model_proto
    return found


def _translate(
    graph: str,
    sizes: Sequence[int],
    x: Any,
    states: Sequence[Any],
    parameters: Sequence[Any],
    masks: Sequence[Any],
    lengths: Any,
    resets: Any,
    restart: Sequence[Any],
    reverse: bool,
    mode: str,
    keeps_tape: bool,
) -> Sequence[Any]:
    """``sluice::run_pass`` as one node, whose operands are in the operator's order."""
    from onnxscript import evaluator, ir

    operands = [x, *states, *parameters, *masks, *restart, lengths, resets]
    counts = [len(group) for group in (states, parameters, masks, restart)]
    marks = [int(mark is not None) for mark in (lengths, resets)]
    attributes = [
        ir.AttrString("graph", graph),
        ir.AttrInt64s("sizes", list(sizes)),
        ir.AttrInt64("reverse", int(reverse)),
        ir.AttrInt64s("counts", counts + marks),
    ]
    given = [operand for operand in operands if operand is not None]
    node = ir.Node(DOMAIN, NODE, given, attributes, num_outputs=1 + len(states))
    for output in node.outputs:
        output.dtype = x.dtype
    recorder: Any = evaluator.default()  # that of torch's exporter
    recorder.nodes.append(node)
    return node.outputs


@contextmanager
def _silence() -> Iterator[None]:
    """Without what torch's exporter says of libraries that are not there."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
