"""A pass on a GPU: one kernel forward, one back, and products over all steps around them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from sluice.codegen.lower import lower_graph
from sluice.codegen.program import Program
from sluice.run import reference
from sluice.run.gpu.availability import find_unsupported_part
from sluice.run.gpu.gradients import compute_input_gradient, compute_parameter_gradients
from sluice.run.gpu.launch import KernelLaunch, find_tiling, launch, load_launch
from sluice.run.gpu.tensors import PassTensors, Precision
from sluice.run.gpu.tiles import Tiling, TilingError
from sluice.run.recording.sinks import RecordingSink
from sluice.run.spec import RunSpec, map_parameters_by_name
from sluice.run.torch_state import is_beyond_kernels

PRODUCT_DTYPES = {
    "float64": torch.float64,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
_MAX_ELEMENTS = 2**31


def find_obstacle(spec: RunSpec, precision: str) -> str | None:
    """Why the kernels cannot take this pass; None where they can."""
    widest = max(spec.sizes.input, *(spec.sizes.of(node.width) for node in spec.graph.nodes))
    if spec.graph.inputs:
        return "the GPU's kernels give a cell no input beside x"
    if spec.x.numel() == 0:
        return "the input is empty"
    if spec.graph.output != (spec.graph.states[0].name,):
        return "the GPU's kernels give out a cell's first state alone"
    if (part := find_unsupported_part(spec.graph)) is not None:
        return part
    if spec.x.shape[1] * widest * 64 >= _MAX_ELEMENTS:
        return "a step has more numbers than the GPU's kernels count"
    batch, device = spec.x.shape[1], spec.x.device
    has_bias, products = spec.has_bias, PRODUCT_DTYPES[precision]
    try:
        for part in ("forward", "backward"):
            find_tiling(spec.graph, spec.sizes, has_bias, (), part, batch, products, device)
    except TilingError as error:
        return str(error)
    return None


def run(
    spec: RunSpec,
    precision: str | None = None,
    recording: RecordingSink | None = None,
    tiling: Tiling | None = None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run ``spec`` on the GPU's kernels; autograd flows through as through `reference.run`.

    ``precision`` is what products are taken in: ``"float32"``, ``"bfloat16"``, ``"float16"`` or
    ``"float64"``; None for the tensors' own type. ``tiling`` overrides the one that is chosen.
    """
    call = _GpuCall(spec, precision, recording, tiling)
    if spec.needs_grad:
        y, *last = _GpuFunction.apply(call, *spec.tensors)  # type: ignore[no-untyped-call]
    else:
        y, *last = _forward(call)[0]
    return y, tuple(last)


class _GpuCall:
    """A pass's spec, types and program; what its backward pass needs beside tensors."""

    def __init__(
        self,
        spec: RunSpec,
        precision: str | None,
        recording: RecordingSink | None,
        tiling: Tiling | None,
    ) -> None:
        self.spec, self.tiling, self.needs_grad = spec, tiling, spec.needs_grad
        is_double = spec.parameters[0].dtype == torch.float64 if spec.parameters else False
        sums = torch.float64 if is_double or spec.x.dtype == torch.float64 else torch.float32
        products = sums if precision is None else PRODUCT_DTYPES[precision]
        self.precision = Precision(sums, products, spec.x.dtype)
        self.recording = None if recording is None else recording.weak()
        names = recording.names if spec.needs_grad and recording is not None else ()
        self.has_bias = spec.has_bias
        self.gradient_names = tuple(names)
        self.program: Program = lower_graph(spec.graph, self.has_bias, self.gradient_names)

    def load(self, part: str) -> KernelLaunch:
        """The kernel of one direction for this pass."""
        spec = self.spec
        return load_launch(
            spec.graph,
            spec.sizes,
            self.has_bias,
            self.gradient_names,
            part,
            spec.x.shape[1],
            self.precision,
            spec.x.device,
            self.tiling,
        )


class _GpuFunction(torch.autograd.Function):
    """One pass over time, and its way back."""

    @staticmethod
    def forward(ctx: Any, call: _GpuCall, *tensors: Tensor) -> tuple[Tensor, ...]:
        outputs, ctx.tensors = _forward(call)
        ctx.call = call
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors)
        return outputs

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        call: _GpuCall = ctx.call
        tensors = ctx.saved_tensors  # also checks that nothing was modified
        if torch.is_grad_enabled() or is_beyond_kernels(gradients):
            if call.recording is not None:  # the gradients themselves come from the reference
                _backward(call, ctx.tensors, gradients)
            return (
                None,
                *_compute_reference_gradients(call.spec.replace_tensors(tensors), gradients),
            )
        return (None, *_backward(call, ctx.tensors, gradients))


def _compute_reference_gradients(
    spec: RunSpec, gradients: Sequence[Tensor | None]
) -> list[Tensor | None]:
    dtype = spec.states[0].dtype
    if spec.x.dtype == dtype:
        return reference.compute_gradients(spec, gradients)
    wide = replace(spec, x=spec.x.to(dtype))
    of_y, *rest = gradients
    found = reference.compute_gradients(wide, (None if of_y is None else of_y.to(dtype), *rest))
    return [None if found[0] is None else found[0].to(spec.x.dtype), *found[1:]]


def _forward(call: _GpuCall) -> tuple[tuple[Tensor, ...], PassTensors]:
    spec = call.spec
    is_poisoned = os.environ.get("SLUICE_POISON") == "1"
    tensors = PassTensors(spec, call.program, call.precision, is_poisoned)
    tensors.hoisted.run()
    steps, batch = spec.x.shape[:2]
    width = spec.sizes.of(spec.graph.states[0].width)
    y = tensors.empty(steps, batch, width, dtype=call.precision.output)
    keeps_tape = call.needs_grad or call.recording is not None
    launch(call.load("forward"), tensors, {"Y": y}, keeps_tape)
    if call.recording is not None:
        read = _ValueReader(tensors, call.program.value_locations)
        call.recording.on_forward("fused", read, call.needs_grad)
    return (y, *tensors.last_states()), tensors


def _backward(
    call: _GpuCall, tensors: PassTensors, gradients: Sequence[Tensor | None]
) -> list[Tensor | None]:
    spec, program = call.spec, call.program
    of_y, *of_last = gradients
    own: dict[str, Tensor] = {}
    for k, buffer in enumerate(program.buffers):
        if buffer.role == "upstream":
            shape = (*spec.x.shape[:2], 1, spec.sizes.of(buffer.width))
            if of_y is None:
                tensors.buffers[k] = torch.zeros(shape, dtype=torch.float32, device=spec.x.device)
            else:
                tensors.buffers[k] = of_y.contiguous().view(shape)
        elif buffer.role in (
            "deltas",
            "learned operand",
            "recorded",
            "input gradient",
            "row gradients",
        ):
            tensors.buffers.pop(k, None)  # of an earlier backward pass
    of_states, of_restarts = [], []
    direction = call.load("backward")
    tiles = -(-spec.x.shape[1] // direction.tiling.tile.rows)
    for n, (given, state) in enumerate(zip(of_last, spec.states, strict=True)):
        own[f"G{n}"] = torch.zeros_like(state) if given is None else given.contiguous()
        own[f"GO{n}"] = tensors.empty(*state.shape)
        own[f"RG{n}"] = tensors.empty(tiles, state.shape[-1])
        of_states.append(own[f"GO{n}"])
        of_restarts.append(own[f"RG{n}"])
    launch(direction, tensors, own, True)
    of_parameters = compute_parameter_gradients(tensors)
    names = map_parameters_by_name(spec.graph, spec.parameters)
    if call.recording is not None:
        call.recording.on_backward(_ValueReader(tensors, program.gradient_locations))
    restart: list[Tensor | None] = []
    if spec.learned_initial_states is not None:
        has_resets = spec.resets is not None
        restart = [
            sums.sum(0) if has_resets else torch.zeros_like(state)
            for sums, state in zip(of_restarts, spec.learned_initial_states, strict=True)
        ]
    return [
        compute_input_gradient(tensors) if spec.x.requires_grad else None,
        *of_states,
        *(of_parameters[name].to(p.dtype) for name, p in names.items()),
        *restart,
    ]


class _ValueReader:
    """Reads a named value, or its derivative, where the kernels left it."""

    def __init__(self, tensors: PassTensors, locations: dict[str, tuple[int, int]]) -> None:
        self._tensors, self._locations = tensors, locations
        self._buffers = dict(tensors.buffers)

    def __call__(self, name: str) -> Tensor:
        if name in self._locations:
            k, item = self._locations[name]
            if k in self._buffers:
                return self._buffers[k][:, :, item].clone()
            return self._tensors.read(k, item).clone()
        spec = self._tensors.spec
        width = spec.sizes.of(spec.graph.outputs_by_name[name].width)
        return self._tensors.states[0].new_zeros(*spec.x.shape[:2], width)
