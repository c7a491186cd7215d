"""The reference: a cell's graph in a time loop of torch operations.

It runs on any device and in any dtype, and autograd, double backward, forward mode and the
transforms of ``torch.func`` see ordinary operations. What depends on the input alone is computed
for all time steps at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from sluice.equations.evaluate import Schedule, Values
from sluice.equations.graph import dependents
from sluice.run.passes import Pass
from sluice.run.recording import Company, Recording
from sluice.run.watch import Watch


@dataclass(frozen=True)
class Step:
    """One time step: the values of all nodes, and the states before and after it."""

    t: int
    values: Values
    before: tuple[Tensor, ...]
    after: tuple[Tensor, ...]


def run(
    job: Pass, recording: Recording | Company | None = None
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run ``job`` and return the output ``(time, batch, width)`` and the last states.

    The output is zero, and the states stand still, where a sequence has ended. What the pass
    leaves for a ``recording`` goes there.
    """
    states, collected = job.states, list[Tensor]()
    watch = None if recording is None else Watch(job, recording.names)
    for step in walk(job, watch):
        output, states = step.after[0], step.after
        collected.append(output if job.valid is None else torch.where(job.valid[step.t], output, 0))
    if job.reverse:
        collected.reverse()
    if recording is not None and watch is not None:
        watch.finish(recording)
    return torch.stack(collected), states


def gradients(job: Pass, upstream: Sequence[Tensor | None]) -> list[Tensor | None]:
    """The gradients of ``job.tensors``, with gradients of their own; None where none is asked for.

    ``upstream`` are those of the output and of the last states, None for zeros.
    """
    own = job.holding([t.view_as(t) for t in job.tensors])  # one tensor may come in two places
    y, last = run(own)
    return pulled((y, *last), upstream, own.tensors, create_graph=True)


def pulled(
    outputs: Sequence[Tensor],
    upstream: Sequence[Tensor | None],
    inputs: Sequence[Tensor],
    create_graph: bool = False,
) -> list[Tensor | None]:
    """The gradients of ``inputs``; None for those that require none or are not reached."""
    pairs = [(o, g) for o, g in zip(outputs, upstream, strict=True) if g is not None]
    pairs = [(o, g) for o, g in pairs if o.requires_grad]
    asked = [t for t in inputs if t.requires_grad]
    if not pairs or not asked:
        return [None] * len(inputs)
    ends, given = zip(*pairs, strict=True)
    found = iter(
        torch.autograd.grad(ends, asked, given, create_graph=create_graph, allow_unused=True)
    )
    return [next(found) if t.requires_grad else None for t in inputs]


def walk(job: Pass, watch: Watch | None = None) -> Iterator[Step]:
    """Each time step in the order of the direction; ``watch`` sees every node's value."""
    graph, outer = job.graph, job.outer_values()
    inner = dependents(graph.nodes, graph.state_leaves)
    hoisted = [node for node in graph.nodes if node not in inner]
    if watch is not None:
        outer = {leaf: watch(None, leaf, value) for leaf, value in outer.items()}
    Schedule(hoisted, known=outer).run(outer, job.meaning, partial(watch, None) if watch else None)
    schedule = Schedule(graph.named.values(), known=[*outer, *graph.state_leaves])
    slices = {node: value.unbind(0) for node, value in outer.items() if _varies(value)}
    fixed = {node: value for node, value in outer.items() if node not in slices}
    states = job.states
    for t in job.steps:
        before = _restarted(job, t, states)
        values: Values = {**fixed, **{node: parts[t] for node, parts in slices.items()}}
        if watch is not None:
            before = tuple(map(partial(watch, t), graph.state_leaves, before))
        values.update(zip(graph.state_leaves, before, strict=True))
        schedule.run(values, job.meaning, partial(watch, t) if watch else None)
        states = _after(job, t, values, before)
        yield Step(t, values, before, states)


def _restarted(job: Pass, t: int, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The states that step ``t`` finds: those given, or the initial where a sequence starts."""
    if job.restarts is None:
        return states
    at, pairs = job.restarts[t], zip(job.restart_states, states, strict=True)
    return tuple(torch.where(at, fresh, state) for fresh, state in pairs)


def _after(job: Pass, t: int, values: Values, before: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    updated = tuple(values[job.graph.named[state.name]] for state in job.graph.states)
    if job.valid is None:
        return updated
    pairs = zip(updated, before, strict=True)
    return tuple(torch.where(job.valid[t], new, old) for new, old in pairs)


def _varies(value: Any) -> bool:
    """Whether a value computed outside the loop has a time dimension."""
    return isinstance(value, Tensor) and value.dim() == 3
