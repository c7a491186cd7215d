"""The reference: a cell's graph in a time loop of torch operations.

It runs on any device and in any dtype, and autograd, double backward, forward mode and the
transforms of ``torch.func`` see ordinary operations. What depends on the input alone is computed
for all time steps at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from sluice.equations.evaluation import EvaluationSchedule, Values
from sluice.equations.graph import find_dependents
from sluice.run.recording.hooks import ValueHooks
from sluice.run.recording.sinks import RecordingSink
from sluice.run.spec import RunSpec, join_output


@dataclass(frozen=True)
class Step:
    """One time step: the values of all nodes, the output, and the states before and after it.

    The output is as if the step counted for all sequences.
    """

    t: int
    output: Tensor
    values: Values
    states_before: tuple[Tensor, ...]
    states_after: tuple[Tensor, ...]


def run(spec: RunSpec, recording: RecordingSink | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run ``spec`` and return the output ``(time, batch, width)`` and the last states.

    Where a sequence has ended the output is zero and the states stay. A ``recording`` receives
    the named values.
    """
    states, collected = spec.states, list[Tensor]()
    hooks = None if recording is None else ValueHooks(spec, recording.names)
    for step in iterate_steps(spec, hooks):
        output, states = step.output, step.states_after
        collected.append(
            output if spec.valid_mask is None else torch.where(spec.valid_mask[step.t], output, 0)
        )
    if spec.reverse:
        collected.reverse()
    if recording is not None and hooks is not None:
        hooks.finish(recording)
    return torch.stack(collected), states


def compute_gradients(spec: RunSpec, upstream: Sequence[Tensor | None]) -> list[Tensor | None]:
    """The gradients of ``spec.tensors``; None where none is asked for.

    They have gradients of their own where those are enabled. ``upstream`` are those of the output
    and of the last states, None for zeros.
    """
    create_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        own = spec.replace_tensors(
            [t.view_as(t) for t in spec.tensors]
        )  # one tensor may come in two places
        y, last = run(own)
        return compute_vjp((y, *last), upstream, own.tensors, create_graph)


def compute_vjp(
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


def iterate_steps(spec: RunSpec, hooks: ValueHooks | None = None) -> Iterator[Step]:
    """Each time step in the order of the direction; ``hooks`` see every node's value."""
    graph, outer = spec.graph, spec.stateless_values()
    inner = find_dependents(graph.nodes, graph.state_leaves)
    hoisted = [node for node in graph.nodes if node not in inner]
    if hooks is not None:
        outer = {leaf: hooks(None, leaf, value) for leaf, value in outer.items()}
    EvaluationSchedule(hoisted, known=outer).run(
        outer, spec.interpreter, partial(hooks, None) if hooks else None
    )
    schedule = EvaluationSchedule(
        graph.outputs_by_name.values(), known=[*outer, *graph.state_leaves]
    )
    slices = {node: value.unbind(0) for node, value in outer.items() if _has_time_dimension(value)}
    fixed = {node: value for node, value in outer.items() if node not in slices}
    states = spec.states
    for t in spec.steps:
        before = _apply_resets(spec, t, states)
        values: Values = {**fixed, **{node: parts[t] for node, parts in slices.items()}}
        if hooks is not None:
            before = tuple(map(partial(hooks, t), graph.state_leaves, before))
        values.update(zip(graph.state_leaves, before, strict=True))
        schedule.run(values, spec.interpreter, partial(hooks, t) if hooks else None)
        named = _read_kept_values(spec, values)
        states = _compute_next_states(spec, t, named, before)
        yield Step(t, join_output(graph, named), values, before, states)


def _apply_resets(spec: RunSpec, t: int, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The states that step ``t`` finds: those given, or the initial where a sequence starts."""
    if spec.reset_mask is None:
        return states
    at, pairs = spec.reset_mask[t], zip(spec.reset_states, states, strict=True)
    return tuple(torch.where(at, fresh, state) for fresh, state in pairs)


def _read_kept_values(spec: RunSpec, values: Values) -> dict[str, Tensor]:
    """The new states and what else is given out, a row for each sequence."""
    batch, found = spec.x.shape[1], {}
    for kept in spec.graph.kept_values:
        value = values[spec.graph.outputs_by_name[kept.name]]
        # What follows from vectors alone is the same for all sequences.
        found[kept.name] = value.expand(batch, -1)
    return found


def _compute_next_states(
    spec: RunSpec, t: int, named: dict[str, Tensor], before: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    updated = tuple(named[state.name] for state in spec.graph.states)
    if spec.valid_mask is None:
        return updated
    pairs = zip(updated, before, strict=True)
    return tuple(torch.where(spec.valid_mask[t], new, old) for new, old in pairs)


def _has_time_dimension(value: object) -> bool:
    """Whether a value computed outside the loop has a time dimension."""
    return isinstance(value, Tensor) and value.dim() == 3
