"""Cuts a graph at its matrix products, and says what must be saved for the backward pass.

*Hoisted* nodes depend on the input alone: they are computed for all time steps at once. The
rest of a step falls into *stages*: a stage begins with the matrix products of what is already
there (of a state, in the first; of something computed in this step, in a later one) and
continues with what follows elementwise. What depends elementwise on a state, before any product, is
*ready*: the step before can hand it over, so it costs no stage.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sluice.equations.adjoint import differentiate
from sluice.equations.graph import (
    Affine,
    Elementwise,
    Graph,
    Leaf,
    Node,
    RowMap,
    find_dependents,
    sort_topologically,
)


@dataclass(frozen=True)
class Stages:
    """A graph in the order in which it can run; leaves are in none of the parts.

    ``saved_nodes`` are what backpropagation through time needs of each step, beside the states: all
    else that it reads follows from it elementwise, so that no matrix product is repeated.
    """

    hoisted_nodes: tuple[Node, ...]
    ready_nodes: tuple[Node, ...]
    stages: tuple[tuple[Node, ...], ...]
    saved_nodes: tuple[Node, ...]


def split_stages(graph: Graph) -> Stages:
    """Cut ``graph`` into hoisted nodes, ready nodes and stages."""
    roots = [n for n in graph.nodes if isinstance(n, Leaf) and n.kind in ("state", "mask")]
    each_step = find_dependents(graph.nodes, roots)
    levels: dict[Node, int] = {}
    for node in graph.nodes:
        levels[node] = _level(node, levels) if node in each_step else -1
    inner = [node for node in graph.nodes if not isinstance(node, Leaf)]
    count = 1 + max(levels.values(), default=-1)
    return Stages(
        hoisted_nodes=tuple(node for node in inner if node not in each_step),
        ready_nodes=tuple(node for node in inner if node in each_step and levels[node] < 0),
        stages=tuple(
            tuple(node for node in inner if node in each_step and levels[node] == stage)
            for stage in range(count)
        ),
        saved_nodes=_find_saved_nodes(graph),
    )


def _level(node: Node, levels: dict[Node, int]) -> int:
    before = max((levels[operand] for operand in node.operands), default=-1)
    return before + 1 if isinstance(node, Affine) else before


def _find_saved_nodes(graph: Graph) -> tuple[Node, ...]:
    kept: list[Node] = list(dict.fromkeys(node for _, node in graph.outputs))
    for node in differentiate(graph).find_forward_nodes(graph):
        if not _is_elementwise_from(node, kept):
            kept.append(node)
    return tuple(node for node in kept if not isinstance(node, Leaf))


def _is_elementwise_from(node: Node, known: Iterable[Node]) -> bool:
    """Whether ``node`` follows from ``known`` and the leaves without a product or a norm."""
    below = sort_topologically([node], known=known)
    return all(isinstance(n, Elementwise | RowMap | Leaf) for n in below)
