"""How much of its memory a cell keeps at a step, derived from the cell's equations.

The share that is kept is the derivative of a state with respect to itself one step before, along
the elementwise operations that lead from one to the other, all other named values held fixed. For
``c = forget * c + input * candidate`` it is ``forget``, for ``h = (1 - z) * n + z * h`` ``z``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from sluice.equations.graph import Elementwise, Graph, Leaf, Node, find_dependents
from sluice.equations.op_table import OPS, apply
from sluice.equations.ops import Value
from sluice.equations.specs import MaskSpec


@dataclass(frozen=True)
class KeptMemory:
    """The share of a state that is kept, (time, units).

    Attributes:
        state: whose it is.
        share: the derivative; 1 keeps all, 0 forgets all.
        gate: the named value that it equals, if there is one.
        is_complement: whether it is 1 less that value.
    """

    state: str
    share: Tensor
    gate: str = ""
    is_complement: bool = False


def find_kept_memory(graph: Graph, values: Mapping[Node, Tensor]) -> KeptMemory | None:
    """The share of the first state that a cell carries over directly.

    Args:
        graph: the cell's equations.
        values: those of `find_known_values`.

    Returns:
        None for a cell without such a state, as Elman's, or whose equations need values that are
        not known.
    """
    for state, leaf in zip(graph.states, graph.state_leaves, strict=True):
        end = graph.outputs_by_name[state.name]
        share = _differentiate(graph, end, leaf, values) if end in values else None
        if share is not None:
            return _name_share(graph, state.name, share.expand_as(values[end]), values)
    return None


def is_carried_over(graph: Graph) -> bool:
    """Whether elementwise operations lead from some state to the same state one step later."""
    for state, leaf in zip(graph.states, graph.state_leaves, strict=True):
        end = graph.outputs_by_name[state.name]
        found, rest = {end}, [end]
        while rest:
            node = rest.pop()
            operands = node.operands if isinstance(node, Elementwise) else ()
            new = [operand for operand in operands if operand not in found]
            found |= {*new}
            rest += new
        if leaf in found:
            return True
    return False


def _differentiate(
    graph: Graph, end: Node, start: Leaf, values: Mapping[Node, Tensor]
) -> Tensor | None:
    """The derivative of one node by another along elementwise operations; None without a way."""
    fixed = {node for node in graph.outputs_by_name.values() if node is not end}
    reached = find_dependents(graph.nodes, [start])
    slopes: dict[Node, Value] = {end: torch.ones_like(values[end])}
    found: Value | None = None
    for node in reversed(graph.nodes):
        slope = slopes.pop(node, None)
        if slope is None or (node in fixed and node is not end):
            continue
        if node is start:
            found = slope
        if not isinstance(node, Elementwise) or node not in reached:
            continue
        unknown = torch.full_like(values[end], torch.nan)
        own = [values.get(operand, unknown) for operand in node.operands]
        parts = OPS[node.op].derivative(slope, values.get(node, unknown), *own)
        for operand, part in zip(node.operands, parts, strict=True):
            if part is not None and operand in reached:
                slopes[operand] = slopes[operand] + part if operand in slopes else part
    if not isinstance(found, Tensor) or not bool(torch.isfinite(found).all()):
        return None
    return found


def _name_share(
    graph: Graph, state: str, share: Tensor, values: Mapping[Node, Tensor]
) -> KeptMemory:
    for name, node in graph.outputs:
        value = values.get(node)
        if value is None or value.shape != share.shape or name == state:
            continue
        for is_complement in (False, True):
            if torch.equal(1 - value if is_complement else value, share):
                return KeptMemory(state, share, name, is_complement)
    return KeptMemory(state, share)


def find_known_values(
    graph: Graph,
    recorded: Mapping[str, Tensor],
    initial: Mapping[str, float],
    vectors: Mapping[str, Tensor],
) -> dict[Node, Tensor]:
    """The values of all nodes that are recorded, (time, width), or follow elementwise from those.

    A state as a step finds it is that of the step before; at the first step that in ``initial``, or
    NaN without one. ``vectors`` are the cell's learned vectors.
    """
    known: dict[Node, Tensor] = {
        graph.outputs_by_name[name]: value.double() for name, value in recorded.items()
    }
    steps = len(next(iter(recorded.values())))
    for leaf in graph.state_leaves:
        if leaf.name in recorded:
            value = recorded[leaf.name].double()
            start = torch.full_like(value[:1], initial.get(leaf.name, torch.nan))
            known[leaf] = torch.cat([start, value[:-1]])
    masks = {mask.name: mask for mask in graph.masks}
    for node in graph.nodes:
        if isinstance(node, Leaf) and node.kind == "constant":
            known[node] = torch.full((steps, 1), float(node.name), dtype=torch.float64)
        elif isinstance(node, Leaf) and node.kind == "vector" and node.name in vectors:
            known[node] = vectors[node.name].detach().double()[None].expand(steps, -1)
        elif isinstance(node, Leaf) and node.kind == "mask":
            mask = masks[node.name]
            if isinstance(mask, MaskSpec):
                known[node] = torch.full((steps, 1), mask.eval_value, dtype=torch.float64)
        elif isinstance(node, Elementwise) and node not in known:
            operands = [known[operand] for operand in node.operands if operand in known]
            if len(operands) == len(node.operands):
                found = apply(node.op, *operands)
                assert isinstance(found, Tensor)
                known[node] = found
    return known
