"""The fused kernels of a CPU: a cell's program, its compiled bodies, and the time loop in C++."""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from sluice.equations.graph import Graph
from sluice.equations.specs import Sizes
from sluice.render.body import lanes
from sluice.render.compile import compile as compile_bodies
from sluice.render.lower import lower
from sluice.render.program import Program, bodies
from sluice.run import eager, kernels
from sluice.run.passes import Pass, named
from sluice.run.recording import Company, Recording
from sluice.run.tape import OnTape
from sluice.run.words import BACKWARD_CALL, FORWARD_CALL, VERSION, Words, arrays

LAYERS = {
    "float32": "LayerFloat32",
    "float64": "LayerFloat64",
    "bfloat16": "LayerBfloat16",
    "int8": "LayerInt8",
}
PRECISIONS = ("float32", "bfloat16", "int8")
_BITS = {torch.float32: 32, torch.float64: 64}
_made: dict[tuple[Any, ...], Prepared] = {}
_lock = threading.Lock()


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()  # another thread may have held the old one


os.register_at_fork(after_in_child=_after_fork)


@dataclass(frozen=True)
class Prepared:
    """A cell of given sizes, ready to run: its program for the kernels, bodies compiled."""

    graph: Graph
    sizes: Sizes
    program: Program
    handle: Any
    compiled: Any
    bits: int


def prepare(
    graph: Graph,
    sizes: Sizes,
    biased: bool,
    dtype: torch.dtype,
    recorded: tuple[str, ...] = (),
) -> Prepared:
    """The program of ``graph``; made once for each size and dtype.

    Its way back also keeps the derivatives of the named values ``recorded``.
    """
    key = (graph, sizes, biased, _BITS[dtype], kernels.isa(), recorded)
    found = _made.get(key)
    if found is None:
        with _lock:
            found = _made.get(key) or _made.setdefault(key, _prepared(*key))
    return found


def _prepared(
    graph: Graph, sizes: Sizes, biased: bool, bits: int, isa: str | None, recorded: tuple[str, ...]
) -> Prepared:
    program = lower(graph, biased, recorded)
    compiled = compile_bodies(bodies(program), bits, isa)
    words = Words(graph, program, sizes, compiled.address)
    handle = _module().Program(words.write(), words.bodies(), lanes(bits))
    return Prepared(graph, sizes, program, handle, compiled, bits)


def _module() -> Any:
    module = kernels.load()
    assert module is not None, kernels.why_missing()
    return module


def pack(made: Prepared, parameters: Sequence[Tensor], precision: str, trains: bool) -> Any:
    """A layer's weights, packed: copied as they are now."""
    tensors = named(made.graph, parameters)
    kept = [tensors.get(p.name) for p in made.graph.parameters]
    held = [t if t is None or t.is_contiguous() else t.detach().contiguous() for t in kept]
    return getattr(_module(), LAYERS[precision])(
        made.handle, arrays(*held), trains, kernels.get_num_threads()
    )


def run(
    job: Pass,
    precision: str | None = None,
    layer: Any = None,
    recording: Recording | Company | None = None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run ``job`` on the kernels; autograd flows through as through `eager.run`.

    ``precision`` is ``"float32"``, ``"bfloat16"`` or ``"int8"`` for float32 tensors; None for the
    tensors' own. ``layer`` is what `pack` made of the parameters; None to pack them now. The tape,
    and that of the way back, is left with a ``recording``.
    """
    order, ordered = _by_length(job)
    back = None if order is None else order.argsort()
    settings = _Settings(ordered, precision, layer, recording, back)
    if ordered.trains:
        y, *last = _Run.apply(settings, *ordered.tensors)  # type: ignore[no-untyped-call]
    else:
        y, *last = _forward(settings)[0]
    if back is None:
        return y, tuple(last)
    return y.index_select(1, back), tuple(state.index_select(0, back) for state in last)


def share(
    job: Pass, trains: bool, precision: str | None = None
) -> Callable[[Pass], tuple[Tensor, tuple[Tensor, ...]]]:
    """`run` for passes that share the parameters of ``job``: packed once, for training or not."""
    settings = _Settings(job, precision)
    trains = trains and settings.precision != "int8"
    layer = pack(settings.made, job.parameters, settings.precision, trains)
    return partial(run, precision=precision, layer=layer)


def fits(job: Pass) -> bool:
    """Whether the kernels take this job's tensors: float32 or float64, and not empty."""
    return job.x.dtype in _BITS and job.x.numel() > 0


def _by_length(job: Pass) -> tuple[Tensor | None, Pass]:
    """The job with its longest sequences first, and the order that does that."""
    if job.lengths is None or job.lengths.numel() < 2:
        return None, job
    lengths = job.lengths.cpu()
    if bool((lengths[1:] <= lengths[:-1]).all()):
        return None, job
    order = lengths.argsort(descending=True, stable=True)
    masks = tuple(m.index_select(1, order) if m.shape[1] > 1 else m for m in job.masks)
    ordered = replace(
        job,
        x=job.x.index_select(1, order),
        states=tuple(state.index_select(0, order) for state in job.states),
        masks=masks,
        lengths=lengths[order],
        resets=None if job.resets is None else job.resets.index_select(1, order),
    )
    return order, ordered


class _Settings:
    """What a call hands to the way back beside its tensors."""

    def __init__(
        self,
        job: Pass,
        precision: str | None,
        layer: Any = None,
        recording: Recording | Company | None = None,
        order: Tensor | None = None,
    ) -> None:
        self.job, self.layer, self.order = job, layer, order
        self.precision = precision or ("float64" if job.x.dtype == torch.float64 else "float32")
        self.trains = job.trains and self.precision != "int8"
        self._recording = None if recording is None else weakref.ref(recording)
        recorded = recording.names if self.trains and recording is not None else ()
        self.made = prepare(job.graph, job.sizes, self._biased(), job.x.dtype, recorded)
        steps, batch = job.x.shape[:2]
        weights = sum(parameter.numel() for parameter in job.parameters)
        self.threads = kernels.threads_for(steps * batch * weights)

    @property
    def recording(self) -> Recording | Company | None:
        """Who wants what this pass leaves; None where nobody does, or does any more."""
        return None if self._recording is None else self._recording()

    def _biased(self) -> bool:
        return len(self.job.parameters) == len(self.job.graph.parameters)


class _Words:
    """A call's words; keeps alive the copies of tensors whose addresses they hold."""

    def __init__(
        self, kind: int, s: _Settings, x: Tensor, states: Sequence[Tensor], y: Tensor
    ) -> None:
        job = s.job
        self.kept: list[Tensor] = []
        steps, batch = x.shape[:2]
        self.words = [kind, VERSION, 1, 4, steps, batch, s.threads, int(job.reverse)]
        lengths = None if job.lengths is None else self._keep(job.lengths.cpu().long())
        restarts = job.restarts
        if restarts is not None:
            restarts = self._keep(restarts.squeeze(-1).to(torch.uint8))
        self.section(2, (x, y, lengths, restarts))
        self.section(3, states)
        self.section(4, () if restarts is None else job.restart_states)
        masks: list[int] = []
        for mask, spec in zip(job.masks, job.graph.masks, strict=True):
            masks += self._mask(mask, job.sizes.of(spec.width), lanes(s.made.bits))
        self.words += (5, len(masks), *masks)

    def section(self, tag: int, tensors: Sequence[Tensor | None]) -> None:
        """One more section: the address and the size in bytes of each tensor; 0, 0 for None."""
        words = self.words
        words += (tag, 2 * len(tensors))
        for t in tensors:
            if t is None:
                words += (0, 0)
                continue
            if not t.is_contiguous():
                t = self._keep(t.detach().contiguous())
            words += (t.data_ptr(), t.nbytes)

    def _keep(self, tensor: Tensor) -> Tensor:
        self.kept.append(tensor)
        return tensor

    def _mask(self, mask: Tensor, width: int, block: int) -> list[int]:
        """A mask's strides over time and rows, and its array, padded to whole blocks."""
        own = mask.expand(*mask.shape[:-1], width)
        if width % block:
            own = torch.nn.functional.pad(own, (0, -width % block))
        own = self._keep(own.contiguous())
        time, row = (own.stride(k) if own.shape[k] > 1 else 0 for k in (0, 1))
        return [time, row, *arrays(own)]


class _Run(torch.autograd.Function):
    """One pass over time, and its way back."""

    @staticmethod
    def forward(ctx: Any, s: _Settings, *tensors: Tensor) -> tuple[Tensor, ...]:
        outputs, layer, tape = _forward(s)
        ctx.settings = s
        if s.trains:
            ctx.layer, ctx.tape = layer, tape
            ctx.save_for_backward(*tensors, outputs[0])
        return outputs

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        s: _Settings = ctx.settings
        if s.precision == "int8":
            raise RuntimeError("int8 weights do not train: no gradient passes back through them")
        *tensors, y = ctx.saved_tensors
        if torch.is_grad_enabled():
            if s.recording is not None:  # the gradients themselves come from the reference
                _backward(s, ctx.layer, ctx.tape, tensors, y, gradients, ctx.needs_input_grad)
            return (None, *eager.gradients(s.job.holding(tensors), gradients))
        return (
            None,
            *_backward(s, ctx.layer, ctx.tape, tensors, y, gradients, ctx.needs_input_grad),
        )


def _forward(s: _Settings) -> tuple[tuple[Tensor, ...], Any, Any]:
    """The output and the last states, the packed layer, and the tape where one is kept."""
    job, widths = s.job, [s.job.sizes.of(state.width) for state in s.job.graph.states]
    x = job.x
    y = x.new_empty(*x.shape[:2], widths[0])
    last = [x.new_empty(x.shape[1], width) for width in widths]
    recording = s.recording
    layer = s.layer or pack(s.made, job.parameters, s.precision, s.trains)
    call = _Words(FORWARD_CALL, s, job.x, job.states, y)
    call.section(6, last)
    tape = layer.forward(call.words, s.trains or recording is not None)
    if recording is not None:
        read = OnTape(job, s.made.handle, tape, s.made.program.saved, s.order, y)
        recording.ran("fused", read, s.trains)
    return (y, *last), layer, tape


def _backward(
    s: _Settings,
    layer: Any,
    tape: Any,
    tensors: Sequence[Tensor],
    y: Tensor,
    gradients: Sequence[Tensor | None],
    needs: Sequence[bool],
) -> list[Tensor | None]:
    job, graph = s.job, s.job.graph
    count = len(graph.states)
    x, states = tensors[0].contiguous(), tensors[1 : 1 + count]
    parameters = tensors[1 + count : 1 + count + len(job.parameters)]
    call = _Words(BACKWARD_CALL, s, x, states, y)
    call.section(6, gradients)
    of_x = torch.empty_like(x) if needs[1] else None
    of_states = [torch.empty_like(t, memory_format=torch.contiguous_format) for t in states]
    call.section(7, (of_x, *of_states))
    restart = [torch.zeros_like(t) for t in (job.restart or ())]
    call.section(8, restart)
    first = 2 + count
    of_parameters = [_zeros_like(p) if needs[first + k] else None for k, p in enumerate(parameters)]
    filled = dict(zip(_names(job), of_parameters, strict=True))
    call.section(9, [filled.get(p.name) for p in graph.parameters])
    recorded = layer.backward(call.words, tape)
    if (recording := s.recording) is not None:
        places = s.made.program.recorded
        recording.went_back(OnTape(s.job, s.made.handle, recorded, places, s.order))
    return [of_x, *of_states, *of_parameters, *restart]


def _zeros_like(tensor: Tensor) -> Tensor:
    """Zeros, written by this thread alone: torch's would spin for milliseconds beside a kernel."""
    made = torch.empty_like(tensor, memory_format=torch.contiguous_format)
    ctypes.memset(made.data_ptr(), 0, made.nbytes)
    return made


def _names(job: Pass) -> list[str]:
    return list(named(job.graph, job.parameters))
