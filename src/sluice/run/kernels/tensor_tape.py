"""Passes of the kernels whose tape is a tensor, for programs that torch compiles.

A compiler cuts a program in two and carries tensors alone from the forward to the backward part.
The tape lies in a tensor's memory, and lives as long as that does.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sluice.run.kernels import fused
from sluice.run.kernels.compiled_cell import compile_cell, get_tape_class
from sluice.run.kernels.fused import FusedCall
from sluice.run.spec import RunSpec


def tape_shape(spec: RunSpec) -> tuple[int, int]:
    """A tape's shape: ``time × batch + 1`` rows, and the bytes of one.

    The sizes of ``spec`` may be symbolic.
    """
    cell = compile_cell(spec.graph, spec.sizes, spec.has_bias, spec.x.dtype)
    steps, batch = spec.x.shape[:2]
    return steps * batch + 1, get_tape_class(cell.bits).bytes_per_row(cell.handle)


def run_with_tape(
    spec: RunSpec, precision: str | None
) -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
    """`fused.run` outside of autograd, and a tape with all that `backpropagate` needs."""
    order, ordered = fused.sort_by_length(spec)
    call = FusedCall.of_spec(ordered, precision)
    tape = get_tape_class(call.cell.bits).allocate(call.cell.handle, *spec.x.shape[:2])
    opened, shared = _open_tape(call, tape), ordered.shared_tensors
    (y, *last), _ = fused.run_forward(call, ordered.x, ordered.states, shared, opened)
    back = None if order is None else order.argsort()
    y, *last = fused.select_sequences(back, (y, *last))
    return y, tuple(last), tape


def backpropagate(
    spec: RunSpec,
    precision: str | None,
    tape: Tensor,
    output: Tensor,
    upstream: Sequence[Tensor | None],
    needs: Sequence[bool],
) -> list[Tensor | None]:
    """The gradients of ``spec.tensors``; those of ``x`` and the parameters where ``needs`` asks.

    ``output`` is that of `run_with_tape`, ``upstream`` are the gradients of the output and of the
    last states, None for zeros.
    """
    order, ordered = fused.sort_by_length(spec)
    call = FusedCall.of_spec(ordered, precision)
    (output,) = fused.select_sequences(order, (output,))
    upstream = fused.select_sequences(order, upstream)
    if tape.data_ptr() % 64 or not tape.is_contiguous():
        tape = tape.clone(memory_format=torch.contiguous_format)
    opened, flags = _open_tape(call, tape), (False, *needs)
    found = fused.run_backward(call, opened, ordered.tensors, output, upstream, flags)
    if order is None:
        return found
    back, count, end = order.argsort(), 1 + len(spec.states), len(found) - len(spec.inputs)
    inputs = [None if g is None else g.index_select(1, back) for g in found[end:]]
    return [*fused.select_sequences(back, found[:count]), *found[count:end], *inputs]


def _open_tape(call: FusedCall, tape: Tensor) -> object:
    """The tape in a tensor's memory, as the kernels take it; the tensor must outlive it."""
    kind, sizes = get_tape_class(call.cell.bits), call.output_shape[:2]
    return kind.at(call.cell.handle, *sizes, tape.data_ptr(), tape.nbytes)
