"""Long sequences in little memory: states kept every k steps, the steps between run again.

Autograd sees one function. In the forward pass its segments run without a tape, and the states
that each starts from are kept; in the backward pass, last segment first, each runs again with one
(Chen et al. 2016, "Training deep nets with sublinear memory cost"). Gradients of gradients
come from the reference over all steps at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from sluice.run import reference
from sluice.run.spec import RunSpec
from sluice.run.torch_state import find_observer, is_beyond_kernels, is_transform_active

RunOutput = tuple[Tensor, tuple[Tensor, ...]]
Runner = Callable[[RunSpec], RunOutput]
RunnerFactory = Callable[[RunSpec, bool], Runner]
"""From a spec, and whether gradients are needed, to what runs all its segments."""


def run_with_recompute(
    spec: RunSpec, steps: int | None, runner: Runner, make_runner: RunnerFactory | None = None
) -> RunOutput:
    """Run ``spec`` with ``runner``, with a tape of at most ``steps`` steps at a time.

    Without ``steps``, for no more steps than that, without gradients, and under a transform of
    ``torch.func`` or a trace, this is ``runner(spec)``. What ``make_runner`` returns runs the
    segments.
    """
    if steps is None or steps >= spec.x.shape[0] or not spec.needs_grad:
        return runner(spec)
    if is_transform_active() or find_observer() is not None:
        return runner(spec)
    make_runner = make_runner or (lambda spec, needs_grad: runner)
    y, *last = _RecomputeFunction.apply(spec, steps, make_runner, *spec.tensors)  # type: ignore[no-untyped-call]
    return y, tuple(last)


def split_time(spec: RunSpec, steps: int) -> list[slice]:
    """The time of ``spec`` in parts of ``steps`` steps, in the order of its direction."""
    total = spec.x.shape[0]
    parts = [slice(t, min(t + steps, total)) for t in range(0, total, steps)]
    return parts[::-1] if spec.reverse else parts


def slice_spec(spec: RunSpec, chunk: slice, x: Tensor, states: tuple[Tensor, ...]) -> RunSpec:
    """The steps ``chunk`` of ``spec`` as a spec of their own, from the states before them.

    Going backwards, a reset at the first step *behind* a segment restarts the segment's own first
    state, and the segment's slice of the resets does not hold it.
    """
    lengths, resets = spec.lengths, spec.resets
    if spec.reverse and resets is not None and chunk.stop < spec.x.shape[0]:
        begins = resets[chunk.stop]
        if lengths is not None:
            begins = begins & (lengths.to(begins.device) > chunk.stop)
        pairs = zip(spec.reset_states, states, strict=True)
        states = tuple(torch.where(begins[:, None], fresh, state) for fresh, state in pairs)
    return replace(
        spec,
        x=x,
        states=states,
        masks=tuple(mask[chunk] if mask.shape[0] > 1 else mask for mask in spec.masks),
        inputs=tuple(given[chunk] for given in spec.inputs),
        lengths=None
        if lengths is None
        else (lengths - chunk.start).clamp(0, chunk.stop - chunk.start),
        resets=None if resets is None else resets[chunk],
    )


class _RecomputeContext(FunctionCtx):
    """What the forward pass leaves for the backward pass."""

    saved_tensors: tuple[Tensor, ...]
    spec: RunSpec
    chunks: list[slice]
    make_runner: RunnerFactory


class _RecomputeFunction(torch.autograd.Function):
    """A pass in segments; the backward pass runs each of them again."""

    @staticmethod
    def forward(
        ctx: _RecomputeContext,
        spec: RunSpec,
        steps: int,
        make_runner: RunnerFactory,
        *tensors: Tensor,
    ) -> tuple[Tensor | None, ...]:
        runner, states, kept = make_runner(spec, False), spec.states, list[Tensor]()
        ctx.spec, ctx.chunks, ctx.make_runner = spec, split_time(spec, steps), make_runner
        y: Tensor | None = None
        for chunk in ctx.chunks:
            kept += states
            part, states = runner(slice_spec(spec, chunk, spec.x[chunk], states))
            y = part.new_empty(spec.x.shape[0], *part.shape[1:]) if y is None else y
            y[chunk] = part
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors, *kept)
        return (y, *(state.clone() for state in states))  # an output may not alias another

    @staticmethod
    def backward(ctx: _RecomputeContext, *upstream: Tensor | None) -> tuple[Tensor | None, ...]:
        count, saved = len(ctx.spec.tensors), ctx.saved_tensors  # which checkpoints allow once
        tensors, kept = saved[:count], saved[count:]
        spec = ctx.spec.replace_tensors(tensors)
        if torch.is_grad_enabled() or is_beyond_kernels(upstream):
            return (None, None, None, *reference.compute_gradients(spec, upstream))
        return (None, None, None, *_recompute_backward(ctx, spec, kept, upstream))


def _recompute_backward(
    ctx: _RecomputeContext,
    spec: RunSpec,
    saved_states: Sequence[Tensor],
    upstream: Sequence[Tensor | None],
) -> list[Tensor | None]:
    """The gradients of ``spec.tensors``: each segment is run again, with a tape."""
    (of_y, *flowing), count = upstream, len(spec.states)
    given = (spec.x, *spec.inputs)  # of every step
    of_given = [t.new_zeros(t.shape) if t.requires_grad else None for t in given]
    learned = [_detach_leaf(t, t.requires_grad) for t in spec.shared_tensors]
    sums: list[Tensor | None] = [None] * len(learned)
    again = spec.replace_tensors([spec.x, *spec.states, *learned, *spec.inputs])
    runner = ctx.make_runner(again, True)
    for number, chunk in reversed(list(enumerate(ctx.chunks))):
        x, *inputs = (_detach_leaf(t[chunk], t.requires_grad) for t in given)
        states = tuple(
            _detach_leaf(t, True) for t in saved_states[number * count : (number + 1) * count]
        )
        with torch.enable_grad():
            part = replace(slice_spec(again, chunk, x, states), inputs=tuple(inputs))
            y, last = runner(part)
        reaching = [None if of_y is None else of_y[chunk], *flowing]
        asked = [*states, *learned, x, *inputs]
        found = reference.compute_vjp((y, *last), reaching, asked)
        for whole, own in zip(of_given, found[len(asked) - len(given) :], strict=True):
            if whole is not None and own is not None:
                whole[chunk] = own
        flowing = found[:count]
        sums = [_add_optional(a, b) for a, b in zip(sums, found[count:], strict=False)]
    of_x, *of_inputs = of_given
    return [of_x, *flowing, *sums, *of_inputs]


def _detach_leaf(tensor: Tensor, requires_grad: bool) -> Tensor:
    return tensor.detach().requires_grad_(requires_grad)


def _add_optional(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    return a + b if a is not None and b is not None else b if a is None else a
