"""Cuts a graph at its matrix products, and says what must be saved for the backward pass.

*Hoisted* nodes depend on the input alone: they are computed for all time steps at once. The
rest of a step falls into *stages*: a stage begins with the matrix products of what is already
there (of a state, in the first; of something computed in this step, in a later one) and
continues with what follows elementwise. What depends elementwise on a state, before any product, is
*ready*: the step before can hand it over, so it costs no stage.
"""

from __future__ import annotations

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
    stages: list[list[Node]] = [[] for _ in range(1 + max(levels.values(), default=-1))]
    for node in inner:
        if node in each_step and levels[node] >= 0:
            stages[levels[node]].append(node)
    return Stages(
        hoisted_nodes=tuple(node for node in inner if node not in each_step),
        ready_nodes=tuple(node for node in inner if node in each_step and levels[node] < 0),
        stages=tuple(map(tuple, stages)),
        saved_nodes=_find_saved_nodes(graph),
    )


def has_elementwise_recurrence(graph: Graph) -> bool:
    """Whether what a state becomes never comes back to it through a product or a norm.

    So it is in minGRU, LRU, S4D, RWKV and their kind: their products are those of the input (also
    of an earlier one, kept as a state) and of what is given out.

    Example:
        >>> from sluice.cells import GRU, MinGRU
        >>> has_elementwise_recurrence(MinGRU().graph), has_elementwise_recurrence(GRU().graph)
        (True, False)
    """
    new = {leaf: graph.outputs_by_name[leaf.name] for leaf in graph.state_leaves}
    reached = {leaf: find_dependents(graph.nodes, [leaf]) for leaf in new}
    later = {leaf: {other for other in new if new[other] in reached[leaf]} for leaf in new}
    for _ in new:  # what follows a state after any number of steps
        later = {leaf: found.union(*(later[one] for one in found)) for leaf, found in later.items()}
    products = [node for node in graph.nodes if not isinstance(node, Elementwise | Leaf)]
    for product in products:
        after = find_dependents(graph.nodes, [product])
        entering = {leaf for leaf in new if product in reached[leaf]}
        leaving = [leaf for leaf in new if new[leaf] in after]
        if any(entering & ({leaf} | later[leaf]) for leaf in leaving):
            return False
    return True


def _level(node: Node, levels: dict[Node, int]) -> int:
    before = max((levels[operand] for operand in node.operands), default=-1)
    return before + 1 if isinstance(node, Affine) else before


def _find_saved_nodes(graph: Graph) -> tuple[Node, ...]:
    kept = dict.fromkeys(node for _, node in graph.outputs)
    read = set(differentiate(graph).find_forward_nodes(graph))
    derived = set[Node]()  # what follows from kept nodes and leaves without a product or a norm
    for node in graph.nodes:
        is_elementwise = isinstance(node, Elementwise | RowMap) and derived.issuperset(
            node.operands
        )
        if node in kept or is_elementwise or isinstance(node, Leaf):
            derived.add(node)
        elif node in read:
            kept[node] = None
            derived.add(node)
    return tuple(node for node in kept if not isinstance(node, Leaf))
