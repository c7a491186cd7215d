"""The fused kernels of a CPU: a cell's program, its compiled bodies, and the time loop in C++."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from sluice.codegen.body import lanes_per_block
from sluice.codegen.jit import compile_bodies as compile_bodies
from sluice.codegen.locks import ForkSafeLock
from sluice.codegen.lower import lower_graph
from sluice.codegen.program import Program, collect_bodies
from sluice.equations.graph import Graph
from sluice.equations.specs import Sizes
from sluice.run import reference
from sluice.run.kernels import extension
from sluice.run.kernels.encode import (
    BACKWARD_CALL,
    FORWARD_CALL,
    VERSION,
    ProgramEncoder,
    encode_tensors,
)
from sluice.run.kernels.tape import TapeReader
from sluice.run.recording.sinks import RecordedRunner, RecordingSink
from sluice.run.spec import RunSpec, map_parameters_by_name
from sluice.run.torch_state import is_beyond_kernels

LAYER_CLASSES = {
    "float32": "LayerFloat32",
    "float64": "LayerFloat64",
    "bfloat16": "LayerBfloat16",
    "int8": "LayerInt8",
}
PRECISIONS = ("float32", "bfloat16", "int8")
_BITS = {torch.float32: 32, torch.float64: 64}
_cell_cache: dict[tuple[Any, ...], CompiledCell] = {}
_lock = ForkSafeLock()


@dataclass(frozen=True)
class CompiledCell:
    """A cell of given sizes, ready to run: its program for the kernels, bodies compiled."""

    graph: Graph
    sizes: Sizes
    program: Program
    handle: Any
    bodies: Any
    bits: int


def compile_cell(
    graph: Graph,
    sizes: Sizes,
    has_bias: bool,
    dtype: torch.dtype,
    gradient_names: tuple[str, ...] = (),
) -> CompiledCell:
    """The program of ``graph``; made once for each size and dtype.

    Its way back also keeps the derivatives of the named values ``recorded``.
    """
    key = (graph, sizes, has_bias, _BITS[dtype], extension.get_isa(), gradient_names)
    found = _cell_cache.get(key)
    if found is None:
        with _lock.hold():
            found = _cell_cache.get(key) or _cell_cache.setdefault(key, _compile_cell(*key))
    return found


def _compile_cell(
    graph: Graph,
    sizes: Sizes,
    has_bias: bool,
    bits: int,
    isa: str | None,
    gradient_names: tuple[str, ...],
) -> CompiledCell:
    program = lower_graph(graph, has_bias, gradient_names)
    compiled = compile_bodies(collect_bodies(program), bits, isa)
    encoder = ProgramEncoder(graph, program, sizes, compiled.addresses)
    handle = _require_extension().Program(
        encoder.encode(), encoder.encode_bodies(), lanes_per_block(bits)
    )
    return CompiledCell(graph, sizes, program, handle, compiled, bits)


def _require_extension() -> Any:
    module = extension.load_extension()
    assert module is not None, extension.explain_missing()
    return module


def pack_weights(
    cell: CompiledCell, parameters: Sequence[Tensor], precision: str, needs_grad: bool
) -> Any:
    """A layer's weights, packed: copied as they are now."""
    tensors = map_parameters_by_name(cell.graph, parameters)
    kept = [tensors.get(p.name) for p in cell.graph.parameters]
    held = [t if t is None or t.is_contiguous() else t.detach().contiguous() for t in kept]
    return getattr(_require_extension(), LAYER_CLASSES[precision])(
        cell.handle, encode_tensors(*held), needs_grad, extension.get_num_threads()
    )


def run(
    spec: RunSpec,
    precision: str | None = None,
    packed: Any = None,
    recording: RecordingSink | None = None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run ``spec`` on the kernels; autograd flows through as through `reference.run`.

    ``precision`` is ``"float32"``, ``"bfloat16"`` or ``"int8"`` for float32 tensors; None for the
    tensors' own. ``layer`` is what `pack` made of the parameters; None to pack them now. The tape,
    and that of the way back, is left with a ``recording``.
    """
    order, ordered = _sort_by_length(spec)
    back = None if order is None else order.argsort()
    settings = _FusedCall(ordered, precision, packed, recording, back)
    if ordered.needs_grad:
        y, *last = _FusedFunction.apply(settings, *ordered.tensors)  # type: ignore[no-untyped-call]
    else:
        y, *last = _forward(settings)[0]
    if back is None:
        return y, tuple(last)
    return y.index_select(1, back), tuple(state.index_select(0, back) for state in last)


def make_runner(spec: RunSpec, needs_grad: bool, precision: str | None = None) -> RecordedRunner:
    """`run` for passes that share the parameters of ``spec``: packed once, for training or not."""
    settings = _FusedCall(spec, precision)
    needs_grad = needs_grad and settings.precision != "int8"
    layer = pack_weights(settings.cell, spec.parameters, settings.precision, needs_grad)
    return partial(run, precision=precision, packed=layer)


def supports(spec: RunSpec) -> bool:
    """Whether the kernels take this spec's tensors: float32 or float64, and not empty."""
    return spec.x.dtype in _BITS and spec.x.numel() > 0


def _sort_by_length(spec: RunSpec) -> tuple[Tensor | None, RunSpec]:
    """The spec with its longest sequences first, and the order that does that."""
    if spec.lengths is None or spec.lengths.numel() < 2:
        return None, spec
    lengths = spec.lengths.cpu()
    if bool((lengths[1:] <= lengths[:-1]).all()):
        return None, spec
    order = lengths.argsort(descending=True, stable=True)
    masks = tuple(m.index_select(1, order) if m.shape[1] > 1 else m for m in spec.masks)
    ordered = replace(
        spec,
        x=spec.x.index_select(1, order),
        states=tuple(state.index_select(0, order) for state in spec.states),
        masks=masks,
        lengths=lengths[order],
        resets=None if spec.resets is None else spec.resets.index_select(1, order),
    )
    return order, ordered


class _FusedCall:
    """What a call hands to the way back beside its tensors."""

    def __init__(
        self,
        spec: RunSpec,
        precision: str | None,
        packed: Any = None,
        recording: RecordingSink | None = None,
        order: Tensor | None = None,
    ) -> None:
        self.spec, self.packed, self.order = spec, packed, order
        self.precision = precision or ("float64" if spec.x.dtype == torch.float64 else "float32")
        self.needs_grad = spec.needs_grad and self.precision != "int8"
        self.recording = None if recording is None else recording.weak()
        recorded = recording.names if self.needs_grad and recording is not None else ()
        self.cell = compile_cell(spec.graph, spec.sizes, spec.has_bias, spec.x.dtype, recorded)
        steps, batch = spec.x.shape[:2]
        weights = sum(parameter.numel() for parameter in spec.parameters)
        self.threads = extension.choose_num_threads(steps * batch * weights)


class _CallEncoder:
    """A call's integers; keeps alive the copies of tensors whose addresses they hold."""

    def __init__(
        self, kind: int, call: _FusedCall, x: Tensor, states: Sequence[Tensor], y: Tensor
    ) -> None:
        spec = call.spec
        self.keep_alive: list[Tensor] = []
        steps, batch = x.shape[:2]
        self.integers = [kind, VERSION, 1, 4, steps, batch, call.threads, int(spec.reverse)]
        lengths = None if spec.lengths is None else self._keep(spec.lengths.cpu().long())
        resets = spec.reset_mask
        if resets is not None:
            resets = self._keep(resets.squeeze(-1).to(torch.uint8))
        self.add_section(2, (x, y, lengths, resets))
        self.add_section(3, states)
        self.add_section(4, () if resets is None else spec.reset_states)
        masks: list[int] = []
        for tensor, mask in zip(spec.masks, spec.graph.masks, strict=True):
            lanes = lanes_per_block(call.cell.bits)
            masks += self._encode_mask(tensor, spec.sizes.of(mask.width), lanes)
        self.integers += (5, len(masks), *masks)

    def add_section(self, tag: int, tensors: Sequence[Tensor | None]) -> None:
        """One more section: the address and the size in bytes of each tensor; 0, 0 for None."""
        integers = self.integers
        integers += (tag, 2 * len(tensors))
        for tensor in tensors:
            if tensor is None:
                integers += (0, 0)
                continue
            if not tensor.is_contiguous():
                tensor = self._keep(tensor.detach().contiguous())
            integers += (tensor.data_ptr(), tensor.nbytes)

    def _keep(self, tensor: Tensor) -> Tensor:
        self.keep_alive.append(tensor)
        return tensor

    def _encode_mask(self, mask: Tensor, width: int, block: int) -> list[int]:
        """A mask's strides over time and rows, and its array, padded to whole blocks."""
        own = mask.expand(*mask.shape[:-1], width)
        if width % block:
            own = torch.nn.functional.pad(own, (0, -width % block))
        own = self._keep(own.contiguous())
        time, row = (own.stride(k) if own.shape[k] > 1 else 0 for k in (0, 1))
        return [time, row, *encode_tensors(own)]


class _FusedFunction(torch.autograd.Function):
    """One pass over time, and its way back."""

    @staticmethod
    def forward(ctx: Any, s: _FusedCall, *tensors: Tensor) -> tuple[Tensor, ...]:
        outputs, layer, tape = _forward(s)
        ctx.settings = s
        if s.needs_grad:
            ctx.layer, ctx.tape = layer, tape
            ctx.save_for_backward(*tensors, outputs[0])
        return outputs

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        s: _FusedCall = ctx.settings
        if s.precision == "int8":
            raise RuntimeError("int8 weights do not train: no gradient passes back through them")
        *tensors, y = ctx.saved_tensors
        if torch.is_grad_enabled() or is_beyond_kernels(gradients):
            if s.recording is not None:  # the gradients themselves come from the reference
                _backward(s, ctx.layer, ctx.tape, tensors, y, gradients, ctx.needs_input_grad)
            return (None, *reference.compute_gradients(s.spec.replace_tensors(tensors), gradients))
        return (
            None,
            *_backward(s, ctx.layer, ctx.tape, tensors, y, gradients, ctx.needs_input_grad),
        )


def _forward(s: _FusedCall, given: Any = None) -> tuple[tuple[Tensor, ...], Any, Any]:
    """The output and the last states, the packed layer, and the tape where one is kept.

    That is ``given`` if there is one.
    """
    spec, widths = s.spec, [s.spec.sizes.of(state.width) for state in s.spec.graph.states]
    x = spec.x
    y = x.new_empty(*x.shape[:2], widths[0])
    last = [x.new_empty(x.shape[1], width) for width in widths]
    recording = s.recording
    layer = s.packed or pack_weights(s.cell, spec.parameters, s.precision, s.needs_grad)
    call = _CallEncoder(FORWARD_CALL, s, spec.x, spec.states, y)
    call.add_section(6, last)
    if given is not None:
        layer.forward_to(call.integers, given)
        return (y, *last), layer, given
    tape = layer.forward(call.integers, s.needs_grad or recording is not None)
    if recording is not None:
        read = TapeReader(spec, s.cell.handle, tape, s.cell.program.value_locations, s.order, y)
        recording.on_forward("fused", read, s.needs_grad)
    return (y, *last), layer, tape


def _backward(
    s: _FusedCall,
    packed: Any,
    tape: Any,
    tensors: Sequence[Tensor],
    y: Tensor,
    gradients: Sequence[Tensor | None],
    needs: Sequence[bool],
) -> list[Tensor | None]:
    spec, graph = s.spec, s.spec.graph
    count = len(graph.states)
    x, states = tensors[0].contiguous(), tensors[1 : 1 + count]
    parameters = tensors[1 + count : 1 + count + len(spec.parameters)]
    call = _CallEncoder(BACKWARD_CALL, s, x, states, y)
    call.add_section(6, gradients)
    of_x = torch.empty_like(x) if needs[1] else None
    of_states = [torch.empty_like(t, memory_format=torch.contiguous_format) for t in states]
    call.add_section(7, (of_x, *of_states))
    restart = [torch.zeros_like(t) for t in (spec.learned_initial_states or ())]
    call.add_section(8, restart)
    first = 2 + count
    of_parameters = [_zeros_like(p) if needs[first + k] else None for k, p in enumerate(parameters)]
    filled = dict(zip(_parameter_names(spec), of_parameters, strict=True))
    call.add_section(9, [filled.get(p.name) for p in graph.parameters])
    recorded = packed.backward(call.integers, tape)
    if (recording := s.recording) is not None:
        places = s.cell.program.gradient_locations
        recording.on_backward(TapeReader(s.spec, s.cell.handle, recorded, places, s.order))
    return [of_x, *of_states, *of_parameters, *restart]


def _zeros_like(tensor: Tensor) -> Tensor:
    """Zeros, written by this thread alone: torch's would spin for milliseconds beside a kernel."""
    made = torch.empty_like(tensor, memory_format=torch.contiguous_format)
    ctypes.memset(made.data_ptr(), 0, made.nbytes)
    return made


def _parameter_names(spec: RunSpec) -> list[str]:
    return list(map_parameters_by_name(spec.graph, spec.parameters))
