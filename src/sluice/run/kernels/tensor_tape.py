"""Passes of the kernels whose tape is a tensor, for programs that torch compiles.

A compiler cuts a program in two and carries tensors alone from the forward to the backward part.
The tape lies in memory that torch has allocated, so that it lives as long as its tensor does.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from torch import Tensor

from sluice.run.kernels import fused
from sluice.run.kernels.fused import _FusedCall
from sluice.run.spec import RunSpec

_TAPES = {32: "Tape32", 64: "Tape64"}


def make_tape(spec: RunSpec) -> Tensor:
    """An uninitialised tape for ``spec``: ``(time × batch + 1, bytes of a row)``, of bytes.

    The sizes of ``spec`` may be symbolic.
    """
    cell = fused.compile_cell(spec.graph, spec.sizes, spec.has_bias, spec.x.dtype)
    width = getattr(fused._require_extension(), _TAPES[cell.bits]).bytes_per_row(cell.handle)
    steps, batch = spec.x.shape[:2]
    return spec.x.new_empty(steps * batch + 1, width, dtype=torch.uint8)


def run_with_tape(
    spec: RunSpec, precision: str | None, tape: Tensor
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """`fused.run` outside of autograd, with all that `backpropagate` needs left on ``tape``."""
    if os.environ.get("SLUICE_POISON") == "1":
        tape.fill_(255)
    order, ordered = fused._sort_by_length(spec)
    call = _FusedCall(ordered, precision)
    (y, *last), _, _ = fused._forward(call, _open_tape(call, tape))
    if order is None:
        return y, tuple(last)
    back = order.argsort()
    return y.index_select(1, back), tuple(state.index_select(0, back) for state in last)


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
    order, ordered = fused._sort_by_length(spec)
    call = _FusedCall(ordered, precision)
    if order is not None:
        output = output.index_select(1, order)
        of_output, *of_states = upstream
        upstream = [
            None if of_output is None else of_output.index_select(1, order),
            *(None if g is None else g.index_select(0, order) for g in of_states),
        ]
    if tape.data_ptr() % 64 or not tape.is_contiguous():
        tape = tape.clone(memory_format=torch.contiguous_format)
    packed = fused.pack_weights(call.cell, ordered.parameters, call.precision, True)
    opened = _open_tape(call, tape)
    flags = (False, *needs)
    found = fused._backward(call, packed, opened, ordered.tensors, output, upstream, flags)
    if order is None:
        return found
    back, count = order.argsort(), 1 + len(spec.states)
    of_x, *of_initial = found[:count]
    return [
        None if of_x is None else of_x.index_select(1, back),
        *(None if g is None else g.index_select(0, back) for g in of_initial),
        *found[count:],
    ]


def _open_tape(call: _FusedCall, tape: Tensor) -> object:
    """The tape in a tensor's memory, as the kernels take it; the tensor must outlive it."""
    kind = getattr(fused._require_extension(), _TAPES[call.cell.bits])
    steps, batch = call.spec.x.shape[:2]
    return kind.at(call.cell.handle, steps, batch, tape.data_ptr(), tape.nbytes)
