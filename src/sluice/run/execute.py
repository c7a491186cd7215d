"""One pass of one layer in one direction, on the backend that `choose_backend` chose."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from sluice.run import chunked_recording, custom_op, reference
from sluice.run.custom_op import OperatorInputs
from sluice.run.dispatch import FUSED, OPERATOR, REFERENCE, REFERENCE_OPERATOR, warn_once
from sluice.run.gpu import fused as gpu_fused
from sluice.run.kernels import fused
from sluice.run.recomputation import RunOutput, run_with_recompute
from sluice.run.recording import recorders
from sluice.run.recording.sinks import ChunkableSink
from sluice.run.shapes import check_shapes
from sluice.run.spec import RunSpec

_NARROW = {torch.bfloat16: "bfloat16", torch.float16: "float16"}


def execute(
    backend: str,
    inputs: OperatorInputs,
    layer: object,
    place: int,
    order: Tensor | None,
    *,
    precision: str,
    recompute: int | None,
    is_training: bool,
) -> RunOutput:
    """Run ``inputs`` and return the output, ``(time, batch, width)``, and the last states.

    Args:
        backend: ``"operator"``, ``"reference operator"``, ``"reference"`` or ``"fused"``.
        inputs: What to compute.
        layer: The module that runs, by which recorders know it.
        place: Which of its layers and directions.
        order: Brings the batch into the caller's order, for recordings; None where it is in it.
        precision: What the kernels multiply in, for float32 tensors.
        recompute: How many steps of a pass with gradients to keep at a time; None for all.
        is_training: Whether the layer is in training mode.

    Raises:
        RuntimeError: int8 precision in training mode; a tensor of another shape than the graph
            says.
    """
    if backend in (OPERATOR, REFERENCE_OPERATOR):
        mode = _choose_precision(precision, inputs.x.dtype, is_training)
        y, *last = custom_op.run(inputs, REFERENCE if backend == REFERENCE_OPERATOR else mode)
        return y, tuple(last)
    dtype = inputs.x.dtype
    is_narrow = backend == FUSED and dtype in _NARROW  # as under autocast: sums are in float32
    spec = (inputs.widen() if is_narrow else inputs).to_spec()
    check_shapes(spec)
    spec, recording = recorders.begin_recording(layer, place, spec, order)
    if backend == FUSED and spec.x.is_cuda:
        if is_narrow and recording is None and recompute is None:
            spec = replace(spec, x=inputs.x)  # as it is: products take it so
        own = _NARROW[dtype] if is_narrow else _choose_gpu_precision(precision, dtype)
        y, states = _run_on_gpu(spec, recording, recompute, own)
    elif backend != FUSED or not fused.supports(spec):
        y, states = _run_reference(spec, recording, recompute)
    else:
        own = "bfloat16" if is_narrow else _choose_precision(precision, dtype, is_training)
        y, states = _run_fused(spec, recording, recompute, own)
    return y.to(dtype), tuple(state.to(dtype) for state in states)


def _run_reference(
    spec: RunSpec, recording: ChunkableSink | None, recompute: int | None
) -> RunOutput:
    if recording is not None:  # which keeps all steps, whatever `recompute` is
        return reference.run(spec, recording)
    return run_with_recompute(spec, recompute, reference.run)


def _run_on_gpu(
    spec: RunSpec,
    recording: ChunkableSink | None,
    recompute: int | None,
    precision: str,
) -> RunOutput:
    obstacle = gpu_fused.find_obstacle(spec, precision)
    if obstacle is not None:
        warn_once(f"the reference runs, a slow loop in Python: {obstacle}")
        return _run_reference(_widen_input(spec), recording, recompute)
    run = partial(gpu_fused.run, precision=precision)
    if recording is not None:
        return chunked_recording.run_in_chunks(spec, run, recording)
    return run_with_recompute(spec, recompute, run)


def _widen_input(spec: RunSpec) -> RunSpec:
    """The input in the type of the states, which the reference needs."""
    return replace(spec, x=spec.x.to(spec.states[0].dtype))


def _choose_gpu_precision(precision: str, dtype: torch.dtype) -> str:
    if dtype == torch.float64:
        return "float64"
    return "float32" if precision == "int8" else precision


def _run_fused(
    spec: RunSpec,
    recording: ChunkableSink | None,
    recompute: int | None,
    precision: str,
) -> RunOutput:
    run = partial(fused.run, precision=precision)
    if recording is not None:
        return chunked_recording.run_in_chunks(spec, run, recording)
    make_runner = partial(fused.make_runner, precision=precision)
    return run_with_recompute(spec, recompute, run, make_runner)


def _choose_precision(precision: str, dtype: torch.dtype, is_training: bool) -> str:
    if dtype == torch.float64:
        return "float64"
    if precision == "int8" and is_training:
        raise RuntimeError(
            "int8 weights are for evaluation; call eval() first, or train with "
            'precision = "bfloat16" or "float32"'
        )
    return precision


def run_native(
    layer: nn.Module, kind: type[nn.RNNBase], input: Tensor | PackedSequence, hx: object
) -> tuple[Tensor | PackedSequence, object]:
    """Run ``layer``'s weights through the forward pass of torch's class ``kind``.

    That is oneDNN or a loop in C++ on a CPU, cuDNN on a GPU. ``layer`` derives from
    `torch.nn.RNNBase`, so that torch's method finds all attributes it looks for.
    """
    output, last = kind.forward(layer, input, hx)
    return output, last
