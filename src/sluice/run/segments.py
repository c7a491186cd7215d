"""Long sequences in little memory: states kept every k steps, the steps between run again.

Autograd sees one function. On the way there its segments run without a tape, and the states that
each starts from are kept; on the way back, last segment first, each runs again with one (Chen et
al. 2016, "Training deep nets with sublinear memory cost"). Gradients of gradients come from the
reference over all steps at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from sluice.run import eager
from sluice.run.choose import transforming
from sluice.run.passes import Pass

Found = tuple[Tensor, tuple[Tensor, ...]]
Run = Callable[[Pass], Found]
Share = Callable[[Pass, bool], Run]
"""Makes of a job, and whether it is to be trained, what runs all its segments."""


def run(job: Pass, steps: int | None, plain: Run, share: Share | None = None) -> Found:
    """Run ``job`` by ``plain``, with a tape of at most ``steps`` steps at a time.

    Without ``steps``, for no more steps than that, without gradients and under a transform of
    ``torch.func``, this is ``plain(job)``. What ``share`` returns runs the segments in its place.
    """
    if steps is None or steps >= job.x.shape[0] or not job.trains or transforming():
        return plain(job)
    share = share or (lambda job, trains: plain)
    y, *last = _Segments.apply(job, steps, share, *job.tensors)  # type: ignore[no-untyped-call]
    return y, tuple(last)


def cut(job: Pass, steps: int) -> list[slice]:
    """The time of ``job`` in parts of ``steps`` steps, in the order of its direction."""
    total = job.x.shape[0]
    parts = [slice(t, min(t + steps, total)) for t in range(0, total, steps)]
    return parts[::-1] if job.reverse else parts


def segment(job: Pass, at: slice, x: Tensor, states: tuple[Tensor, ...]) -> Pass:
    """The steps ``at`` of ``job`` as a job of their own; ``states`` are what the step before left.

    Going backwards, a reset at the first step *behind* a segment restarts the segment's own first
    state, and the segment's slice of the resets does not hold it.
    """
    lengths, resets = job.lengths, job.resets
    if job.reverse and resets is not None and at.stop < job.x.shape[0]:
        begins = resets[at.stop]
        if lengths is not None:
            begins = begins & (lengths.to(begins.device) > at.stop)
        pairs = zip(job.restart_states, states, strict=True)
        states = tuple(torch.where(begins[:, None], fresh, state) for fresh, state in pairs)
    return replace(
        job,
        x=x,
        states=states,
        masks=tuple(mask[at] if mask.shape[0] > 1 else mask for mask in job.masks),
        lengths=None if lengths is None else (lengths - at.start).clamp(0, at.stop - at.start),
        resets=None if resets is None else resets[at],
    )


class _Segments(torch.autograd.Function):
    """A job in segments; on the way back each is run again."""

    @staticmethod
    def forward(ctx: Any, job: Pass, steps: int, share: Share, *tensors: Tensor) -> Any:
        plain, states, kept, parts = share(job, False), job.states, list[Tensor](), cut(job, steps)
        y: Tensor | None = None
        for at in parts:
            kept += states
            part, states = plain(segment(job, at, job.x[at], states))
            y = part.new_empty(job.x.shape[0], *part.shape[1:]) if y is None else y
            y[at] = part
        ctx.set_materialize_grads(False)
        ctx.job, ctx.parts, ctx.share = job, parts, share
        ctx.save_for_backward(*tensors, *kept)
        return (y, *(state.clone() for state in states))  # an output may not alias another

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor | None) -> Any:
        count = len(ctx.job.tensors)
        tensors, kept = ctx.saved_tensors[:count], ctx.saved_tensors[count:]
        job = ctx.job.holding(tensors)
        if torch.is_grad_enabled():
            return (None, None, None, *eager.gradients(job, upstream))
        return (None, None, None, *_back(ctx, job, kept, upstream))


def _back(
    ctx: Any, job: Pass, kept: Sequence[Tensor], upstream: Sequence[Tensor | None]
) -> list[Tensor | None]:
    """The gradients of ``job.tensors``: each segment is run again, with a tape."""
    (of_y, *flowing), count = upstream, len(job.states)
    of_x = torch.zeros_like(job.x) if job.x.requires_grad else None
    learned = [_leaf(t, t.requires_grad) for t in job.learned]
    sums: list[Tensor | None] = [None] * len(learned)
    again = job.holding([job.x, *job.states, *learned])
    plain = ctx.share(again, True)
    for number, at in reversed(list(enumerate(ctx.parts))):
        x = _leaf(job.x[at], job.x.requires_grad)
        states = tuple(_leaf(t, True) for t in kept[number * count : (number + 1) * count])
        with torch.enable_grad():
            y, last = plain(segment(again, at, x, states))
        given = [None if of_y is None else of_y[at], *flowing]
        of_part, *found = eager.pulled((y, *last), given, [x, *states, *learned])
        if of_x is not None and of_part is not None:
            of_x[at] = of_part
        flowing = found[:count]
        sums = [_added(a, b) for a, b in zip(sums, found[count:], strict=True)]
    return [of_x, *flowing, *sums]


def _leaf(tensor: Tensor, requires_grad: bool) -> Tensor:
    return tensor.detach().requires_grad_(requires_grad)


def _added(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    return a + b if a is not None and b is not None else b if a is None else a
