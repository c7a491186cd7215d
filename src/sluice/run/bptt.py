"""Backpropagation through time with the adjoint graph, in a time loop of torch operations.

The forward pass keeps of each step what `sluice.equations.stages` says must be saved; the
backward pass evaluates the adjoint step by step, last step first, and sums the gradients of the
weights as products over all steps at the end.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import torch
from torch import Tensor

from sluice.equations.adjoint import Adjoint, NormDelta, differentiate
from sluice.equations.derived import keep_with_graph
from sluice.equations.evaluation import EvaluationSchedule, Values
from sluice.equations.graph import Affine, Graph, Leaf, Node
from sluice.equations.stages import split_stages
from sluice.run.reference import iterate_steps
from sluice.run.spec import RunSpec


@dataclass(frozen=True)
class Gradients:
    """The gradients of everything that a `RunSpec` holds, shaped as there."""

    x: Tensor
    states: tuple[Tensor, ...]
    parameters: tuple[Tensor, ...]
    learned_initial_states: tuple[Tensor, ...]
    inputs: tuple[Tensor, ...]


@dataclass(frozen=True)
class _BackwardPlan:
    """What the backward pass of one graph needs, whatever the tensors."""

    adjoint: Adjoint
    saved_nodes: tuple[Node, ...]
    upstream: tuple[Leaf, ...]
    leaves: tuple[Leaf, ...]
    schedule: EvaluationSchedule


@keep_with_graph
def build_plan(graph: Graph) -> _BackwardPlan:
    """The adjoint of ``graph``, and the order in which to evaluate it from what is saved."""
    back, saved = differentiate(graph), split_stages(graph).saved_nodes
    kinds = ("state", "input", "mask")
    leaves = tuple(n for n in graph.nodes if isinstance(n, Leaf) and n.kind in kinds)
    upstream = tuple(Leaf("gradient", v.name, v.width) for v in graph.kept_values)
    operands = [node.operand for node in back.deltas]
    operands += [part for norm in back.norms for part in norm.group]
    schedule = EvaluationSchedule([*back.outputs, *operands], known=[*saved, *leaves, *upstream])
    assert not any(isinstance(n, Affine) and not n.is_transposed for n in schedule.nodes)
    return _BackwardPlan(back, saved, upstream, leaves, schedule)


def backward(spec: RunSpec, output: Tensor, last: tuple[Tensor, ...]) -> Gradients:
    """The gradients of a loss, given those of the output and of the last states."""
    plan, kept = build_plan(spec.graph), list[tuple[int, Values]]()
    for step in iterate_steps(spec):
        kept.append((step.t, {node: step.values[node] for node in plan.saved_nodes + plan.leaves}))
    given = zip(spec.graph.inputs, spec.inputs, strict=True)
    inputs = {one.name: tensor.new_zeros(tensor.shape) for one, tensor in given}
    sums = _GradientSums(torch.zeros_like(spec.x), inputs)
    restart = tuple(torch.zeros_like(state) for state in spec.reset_states)
    flowing, of_values = last, spec.split_output(output)
    for t, values in reversed(kept):
        of_output = {name: _mask_padding(spec, t, part[t]) for name, part in of_values.items()}
        inward = _run_backward_step(spec, plan, t, values, flowing, of_output, sums)
        if spec.reset_mask is not None:
            at, pairs = spec.reset_mask[t], list(zip(restart, inward, strict=True))
            restart = tuple(sum_ + torch.where(at, g, 0).sum(0) for sum_, g in pairs)
            inward = tuple(torch.where(at, 0, g) for g in inward)
        flowing = inward
    parameters = _compute_parameter_gradients(spec, plan, sums)
    return Gradients(sums.x, flowing, parameters, restart, tuple(inputs.values()))


@dataclass
class _GradientSums:
    """What the backward pass gathers: by node and step, or already summed."""

    x: Tensor
    inputs: dict[str, Tensor]
    deltas: dict[Node, list[Tensor]] = field(default_factory=lambda: defaultdict(list))
    operands: dict[Node, list[Tensor]] = field(default_factory=lambda: defaultdict(list))
    vectors: dict[str, Tensor] = field(default_factory=dict)
    norms: dict[str, Tensor] = field(default_factory=dict)

    def add(self, to: dict[str, Tensor], name: str, gradient: Tensor) -> None:
        rows = gradient.flatten(0, -2).sum(0)
        to[name] = to[name] + rows if name in to else rows


def _mask_padding(spec: RunSpec, t: int, gradient: Tensor) -> Tensor:
    """Zeros after the end of a sequence, whatever a derivative is of the zeros there."""
    return gradient if spec.valid_mask is None else torch.where(spec.valid_mask[t], gradient, 0)


def _run_backward_step(
    spec: RunSpec,
    plan: _BackwardPlan,
    t: int,
    values: Values,
    flowing: tuple[Tensor, ...],
    of_output: dict[str, Tensor],
    sums: _GradientSums,
) -> tuple[Tensor, ...]:
    """One step back: add to ``sums`` and return the gradients of the states found."""
    at_work = dict(of_output)
    for state, g in zip(spec.graph.states, flowing, strict=True):
        own = _mask_padding(spec, t, g)
        at_work[state.name] = at_work[state.name] + own if state.name in at_work else own
    values.update({leaf: at_work[leaf.name] for leaf in plan.upstream})
    plan.schedule.run(values, spec.interpreter)
    back = plan.adjoint
    if back.input is not None:
        sums.x[t] = _mask_padding(spec, t, values[back.input])
    for name, gradient in back.inputs.items():
        sums.inputs[name][t] = _mask_padding(spec, t, values[gradient])
    for affine, delta in back.deltas.items():
        sums.deltas[affine].append(_mask_padding(spec, t, values[delta]))
    for operand in {affine.operand for affine in back.deltas}:
        sums.operands[operand].append(values[operand].expand(spec.x.shape[1], -1))
    for name, gradient in back.vectors.items():
        sums.add(sums.vectors, name, _mask_padding(spec, t, values[gradient]))
    for norm in back.norms:
        _add_norm(spec, t, norm, values, sums)
    inward = []
    for state, g in zip(spec.graph.states, flowing, strict=True):
        node = back.states.get(state.name)
        found = torch.zeros_like(g) if node is None else values[node]
        inward.append(
            found if spec.valid_mask is None else torch.where(spec.valid_mask[t], found, g)
        )
    return tuple(inward)


def _add_norm(spec: RunSpec, t: int, norm: NormDelta, values: Values, sums: _GradientSums) -> None:
    group = tuple(values[part].expand(spec.x.shape[1], -1) for part in norm.group)
    standard, _ = spec.interpreter.standardize(norm.norm, group)
    pairs = zip((values[g] for g in norm.upstream), group, strict=True)
    parts = [g if isinstance(g, Tensor) else torch.zeros_like(like) for g, like in pairs]
    upstream = _mask_padding(spec, t, torch.cat(parts, dim=-1))
    sums.add(sums.norms, f"weight_{norm.norm}", upstream * standard)
    sums.add(sums.norms, f"bias_{norm.norm}", upstream)


def _compute_parameter_gradients(
    spec: RunSpec, plan: _BackwardPlan, sums: _GradientSums
) -> tuple[Tensor, ...]:
    found = {name: torch.zeros_like(p) for name, p in spec.interpreter.parameters.items()}
    for affine in plan.adjoint.deltas:
        stack = spec.graph.get_stack(affine.stack)
        delta = torch.stack(sums.deltas[affine]).flatten(0, -2)
        operand = torch.stack(sums.operands[affine.operand]).flatten(0, -2)
        rows = stack.row_ranges(spec.sizes)[affine.gate]
        found[f"weight_{stack.name}"].narrow(0, *rows).add_(
            _compute_weight_gradient(delta, operand, stack.heads)
        )
        of_bias = stack.bias_ranges(spec.sizes).get(affine.gate)
        if of_bias is not None and f"bias_{stack.name}" in found:
            found[f"bias_{stack.name}"].narrow(0, *of_bias).add_(delta.sum(0))
    for name, gradient in {**sums.vectors, **sums.norms}.items():
        if name in found:
            found[name] = found[name] + gradient
    return tuple(found.values())


def _compute_weight_gradient(delta: Tensor, operand: Tensor, heads: int) -> Tensor:
    """The gradient of a map's weight: a sum of outer products, block by block."""
    if heads == 1:
        return delta.T @ operand
    blocks = (part.unflatten(-1, (heads, -1)) for part in (delta, operand))
    return torch.einsum("nku,nkd->kud", *blocks).flatten(0, 1)
