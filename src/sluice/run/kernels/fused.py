"""The fused kernels of a CPU: calls of the time loop in C++, and autograd through them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from sluice.run import reference
from sluice.run.kernels import extension
from sluice.run.kernels.call_encoder import CallEncoder
from sluice.run.kernels.compiled_cell import (
    BITS,
    CompiledCell,
    compile_cell,
    get_layer_class,
    hold_contiguous,
    pack_weights,
)
from sluice.run.kernels.encode import BACKWARD_CALL, FORWARD_CALL, encode_tensors
from sluice.run.kernels.tape import TapeReader
from sluice.run.recording.sinks import RecordedRunner, RecordingSink
from sluice.run.spec import RunSpec
from sluice.run.torch_state import is_beyond_kernels

PRECISIONS = ("float32", "bfloat16", "int8")


def run(
    spec: RunSpec,
    precision: str | None = None,
    packed: Any = None,
    recording: RecordingSink | None = None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run ``spec`` on the kernels; autograd flows through as through `reference.run`.

    ``precision`` is ``"float32"``, ``"bfloat16"`` or ``"int8"`` for float32 tensors; None for the
    tensors' own. ``packed`` is what `pack_weights` made of the parameters; None to pack them now.
    The tape, and that of the way back, is left with a ``recording``.
    """
    order, ordered = sort_by_length(spec)
    back = None if order is None else order.argsort()
    call = FusedCall.of_spec(ordered, precision, packed, recording, back)
    y, *last = call.run(ordered.x, ordered.states, (*ordered.shared_tensors, *ordered.inputs))
    y, *last = select_sequences(back, (y, *last))
    return y, tuple(last)


def make_runner(spec: RunSpec, needs_grad: bool, precision: str | None = None) -> RecordedRunner:
    """`run` for passes that share the parameters of ``spec``: packed once, for training or not."""
    call = FusedCall.of_spec(spec, precision)
    needs_grad = needs_grad and call.precision != "int8"
    layer = pack_weights(call.cell, spec.parameters, call.precision, needs_grad)
    return partial(run, precision=precision, packed=layer)


def supports(spec: RunSpec) -> bool:
    """Whether the kernels take this spec's tensors: float32 or float64, and not empty."""
    return spec.x.dtype in BITS and spec.x.numel() > 0


def sort_by_length(spec: RunSpec) -> tuple[Tensor | None, RunSpec]:
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
        inputs=tuple(given.index_select(1, order) for given in spec.inputs),
        lengths=lengths[order],
        resets=None if spec.resets is None else spec.resets.index_select(1, order),
    )
    return order, ordered


def select_sequences(order: Tensor | None, tensors: Sequence[Any]) -> Sequence[Any]:
    """These sequences of tensors; None for all, and for a tensor that is None.

    The first tensor is ``(time, batch, width)``, the others are ``(batch, width)``.
    """
    if order is None:
        return tensors
    return [
        None if t is None else t.index_select(0 if k else 1, order) for k, t in enumerate(tensors)
    ]


def refuse_int8_gradients(precision: str | None) -> None:
    """Raise RuntimeError for a backward pass through int8 weights."""
    if precision == "int8":
        raise RuntimeError("int8 weights do not train: no gradient passes back through them")


class FusedCall:
    """A call without its tensors: what the kernels run, and what is handed to the way back.

    Args:
        cell: What runs.
        steps: How many time steps.
        batch: How many sequences.
        precision: ``"float64"``, or one of `PRECISIONS`.
        wants_grad: Whether autograd follows.
        reverse: Whether time runs backwards.
        state_shape: The shape of the last states before their width.
    """

    spec: RunSpec | None = None
    """The pass, with its masks and resets; None where it has none of them."""
    lengths: Tensor | None = None
    """How many steps of each sequence count, descending; None for all, or what ``spec`` says."""
    packed: Any = None
    recording: RecordingSink | None = None
    order: Tensor | None = None

    def __init__(
        self,
        cell: CompiledCell,
        steps: int,
        batch: int,
        precision: str,
        wants_grad: bool,
        reverse: bool,
        state_shape: tuple[int, ...],
    ) -> None:
        self.cell, self.precision, self.reverse = cell, precision, reverse
        self.wants_grad, self.needs_grad = wants_grad, wants_grad and precision != "int8"
        self.threads = extension.choose_num_threads(steps * batch * cell.multiplications)
        self.output_shape: tuple[int, ...] = (steps, batch, cell.output_width)
        #: Those of the last states; None for one that the output stands for.
        self.state_shapes: list[tuple[int, ...] | None]
        self.state_shapes = [(*state_shape, width) for width in cell.state_widths]
        self.sizes = (1, 4, steps, batch, self.threads, int(reverse))

    @classmethod
    def of_step(
        cls, cell: CompiledCell, shape: tuple[int, ...], precision: str, wants_grad: bool
    ) -> FusedCall:
        """One step, for tensors of this shape before their width; its output is the first state,
        as the cell says.
        """
        call = cls(cell, 1, math.prod(shape), precision, wants_grad, False, shape)
        call.output_shape = (*shape, cell.output_width)
        call.state_shapes[0] = None
        return call

    def with_lengths(self, lengths: Tensor) -> FusedCall:
        """The same for sequences of these lengths, descending."""
        call = copy.copy(self)
        call.lengths = lengths
        return call

    @classmethod
    def of_spec(
        cls,
        spec: RunSpec,
        precision: str | None = None,
        packed: Any = None,
        recording: RecordingSink | None = None,
        order: Tensor | None = None,
    ) -> FusedCall:
        """The call that runs ``spec``."""
        precision = precision or ("float64" if spec.x.dtype == torch.float64 else "float32")
        keeps = recording is not None and spec.needs_grad and precision != "int8"
        recorded = recording.names if keeps and recording is not None else ()
        cell = compile_cell(spec.graph, spec.sizes, spec.has_bias, spec.x.dtype, recorded)
        steps, batch = spec.x.shape[:2]
        call = cls(cell, steps, batch, precision, spec.needs_grad, spec.reverse, (batch,))
        call.spec, call.packed, call.order = spec, packed, order
        call.recording = None if recording is None else recording.weak()
        return call

    def run(
        self, x: Tensor, states: Sequence[Tensor | None], shared: Sequence[Tensor]
    ) -> Sequence[Tensor]:
        """The output and the last states.

        Args:
            x: The input, ``(time, batch, input)``.
            states: The states before the first step; None for zeros.
            shared: The parameters, then the learned initial states where resets may need them, then
                the inputs beside x.
        """
        if self.wants_grad:
            outputs: Sequence[Tensor] = _apply(self, x, *states, *shared)
            return outputs
        return run_forward(self, x, states, shared)[0]

    def make_spec(self, tensors: Sequence[Tensor | None]) -> RunSpec:
        """The pass with these tensors, laid out as `RunSpec.tensors`; zeros in place of None."""
        if self.spec is not None:
            return self.spec.replace_tensors([t for t in tensors if t is not None])
        graph, widths = self.cell.graph, self.cell.state_widths
        x, *rest = tensors
        assert x is not None
        x = x.reshape(*self.sizes[2:4], -1)
        pairs = zip(rest, widths, strict=False)
        states = [x.new_zeros(x.shape[1], w) if t is None else t.reshape(-1, w) for t, w in pairs]
        parameters = tuple(t for t in rest[len(widths) :] if t is not None)
        return RunSpec(
            graph,
            self.cell.sizes,
            x,
            tuple(states),
            parameters,
            lengths=self.lengths,
            reverse=self.reverse,
        )


class _FusedFunction(torch.autograd.Function):
    """One pass over time, and its way back."""

    @staticmethod
    def forward(ctx: Any, call: FusedCall, x: Tensor, *tensors: Any) -> Sequence[Tensor]:
        count = len(call.cell.state_widths)
        outputs, tape = run_forward(call, x, tensors[:count], tensors[count:])
        ctx.call = call
        ctx.set_materialize_grads(False)
        if call.needs_grad:
            ctx.tape = tape
            ctx.save_for_backward(x, *tensors, outputs[0])
        return outputs

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        call: FusedCall = ctx.call
        refuse_int8_gradients(call.precision)
        *tensors, y = ctx.saved_tensors
        found: Sequence[Tensor | None] = ()
        # The kernels' gradients have none of their own.
        is_beyond = torch.is_grad_enabled() or is_beyond_kernels(gradients)
        if not is_beyond or call.recording is not None:
            found = run_backward(call, ctx.tape, tensors, y, gradients, ctx.needs_input_grad)
        if is_beyond:
            found = _run_reference_backward(call, tensors, gradients)
        return (None, *found)


#: As `_FusedFunction.apply` where no transform of ``torch.func`` is active, in half its time.
_apply: Callable[..., Any] = super(torch.autograd.Function, _FusedFunction).apply


def _run_reference_backward(
    call: FusedCall, tensors: Sequence[Tensor | None], gradients: Sequence[Tensor | None]
) -> list[Tensor | None]:
    """The gradients of ``tensors`` by torch's operations, which have gradients of their own."""
    spec = call.make_spec(tensors)
    rows = [
        g if g is None else g.reshape(t.shape)
        for g, t in zip(gradients[1:], spec.states, strict=True)
    ]
    of_y = gradients[0]
    if of_y is not None:
        of_y = of_y.reshape(*spec.x.shape[:2], -1)
    found = reference.compute_gradients(spec, (of_y, *rows))
    return [
        None if g is None or t is None else g.view(t.shape)
        for g, t in zip(found, tensors, strict=True)
    ]


def run_forward(
    call: FusedCall,
    x: Tensor,
    states: Sequence[Tensor | None],
    shared: Sequence[Tensor],
    given_tape: Any = None,
) -> tuple[tuple[Tensor, ...], Any]:
    """The output and the last states, and the tape where one is kept: the one given, if any."""
    cell, recording = call.cell, call.recording
    y = x.new_empty(*call.output_shape)
    last: list[Any] = [s and x.new_empty(*s) for s in call.state_shapes]
    encoder = CallEncoder(FORWARD_CALL, call, x, states, y)
    encoder.add_section(6, last)
    keep = call.needs_grad or recording is not None
    if call.packed is not None:
        tape = call.packed.forward(encoder.integers, keep)
    else:
        count = cell.num_parameters
        held = hold_contiguous(cell, shared if len(shared) == count else shared[:count])
        kernels, arrays = get_layer_class(call.precision), encode_tensors(*held)
        if given_tape is not None:
            kernels.forward_once_to(cell.handle, arrays, encoder.integers, given_tape)
            return (y, *last), given_tape
        tape = kernels.forward_once(cell.handle, arrays, encoder.integers, keep)
    if recording is not None:
        places = cell.program.value_locations
        assert call.spec is not None
        read = TapeReader(call.spec, cell.handle, tape, places, call.order, y)
        recording.on_forward("fused", read, call.needs_grad)
    return (y, *last), tape


def run_backward(
    call: FusedCall,
    tape: Any,
    tensors: Sequence[Any],
    y: Tensor,
    gradients: Sequence[Tensor | None],
    needs: Sequence[bool],
) -> list[Tensor | None]:
    """The gradients of ``tensors`` where ``needs``, which begins with the call's, asks for them."""
    cell, x = call.cell, tensors[0]
    first = 1 + len(cell.state_widths)
    end = first + cell.num_parameters
    encoder = CallEncoder(BACKWARD_CALL, call, x, tensors[1:first], y)
    encoder.add_section(6, gradients)
    found = [
        torch.empty_like(t, memory_format=torch.contiguous_format) if needed else None
        for t, needed in zip(tensors[:end], needs[1:], strict=False)
    ]
    encoder.add_section(7, found[:first])
    learned = len(tensors) - len(cell.graph.inputs)
    restart = [torch.zeros_like(t) for t in tensors[end:learned]]
    encoder.add_section(8, restart)
    encoder.add_section(9, cell.fill_gaps(found[first:]))
    if call.packed is not None:
        recorded = call.packed.backward(encoder.integers, tape)
    else:
        held = hold_contiguous(cell, tensors[first:end])
        run_once = get_layer_class(call.precision).backward_once
        recorded = run_once(cell.handle, encode_tensors(*held), encoder.integers, tape)
    if (recording := call.recording) is not None:
        places = cell.program.gradient_locations
        assert call.spec is not None
        recording.on_backward(TapeReader(call.spec, cell.handle, recorded, places, call.order))
    if learned == len(tensors):
        return [*found, *restart]
    return [*found, *restart, *_read_input_gradients(call, recorded, tensors[learned:])]


def _read_input_gradients(call: FusedCall, recorded: Any, inputs: Sequence[Tensor]) -> list[Tensor]:
    """The gradients of the inputs beside x, zero where a sequence has ended."""
    assert call.spec is not None
    cell, valid, found = call.cell, call.spec.valid_mask, list[Tensor]()
    for one, like in zip(cell.graph.inputs, inputs, strict=True):
        place = cell.program.input_gradient_locations.get(one.name)
        made = like.new_zeros(like.shape) if place is None else like.new_empty(like.shape)
        if place is not None:
            recorded.read(cell.handle, *place, made.data_ptr())
        found.append(made if valid is None else torch.where(valid, made, 0))
    return found
