"""A graph that gives out more than its step returns: pre-activations, learned maps and operands.

Every backend keeps what a graph names, so naming a node is all it takes to have it recorded, with
its derivative. Nothing that was computed before is computed otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sluice.equations.derived import keep_with_graph
from sluice.equations.graph import (
    Affine,
    Elementwise,
    Graph,
    Node,
    RowMap,
    RowNorm,
    sort_topologically,
)

PREACTIVATION_PREFIX = "pre."
"""What the name of a pre-activation begins with."""
_LINEAR = ("add", "subtract", "multiply", "detach")


@keep_with_graph
def find_preactivations(graph: Graph) -> dict[str, Node]:
    """For each gate what enters its activation function, by the gate's name.

    It is the sum of the gate's maps with all that is added to it (biases, peepholes), after layer
    norm where the cell has one. A gate that goes through no function, or whose sum is scaled
    before, has the sum of its maps; a map without one (a projection) has none.

    Example:
        >>> from sluice.cells import LSTM
        >>> sorted(find_preactivations(LSTM().graph))
        ['candidate', 'forget', 'input', 'output']
    """
    gates = dict.fromkeys(gate for stack in graph.stacks for gate, _ in stack.gates)
    found = {gate: _find_preactivation(graph, gate) for gate in gates}
    return {gate: node for gate, node in found.items() if node is not None}


def _find_preactivation(graph: Graph, gate: str) -> Node | None:
    sums = _find_sums(graph, gate)
    bent = {
        operand
        for node in graph.nodes
        if isinstance(node, RowMap) or (isinstance(node, Elementwise) and node.op not in _LINEAR)
        for operand in node.operands
    }
    entering = [node for node in sums if node in bent]
    if entering:
        return entering[0]
    mine = [node for node in graph.nodes if isinstance(node, Affine) and node.gate == gate]
    paired = any(node.stack in ("ih", "hh") for node in mine)
    pure = [node for node in sums if _find_terms(node) == set(mine)]
    return pure[-1] if paired and pure else None


def _find_sums(graph: Graph, gate: str) -> list[Node]:
    """The gate's maps, and the sums and norms that they are part of, operands first."""
    found: dict[Node, None] = {}
    for node in graph.nodes:
        is_sum = isinstance(node, Elementwise) and node.op in ("add", "subtract")
        own = node.group[node.index] if isinstance(node, RowNorm) else None
        if (
            (isinstance(node, Affine) and node.gate == gate)
            or (own is not None and own in found)
            or (is_sum and any(operand in found for operand in node.operands))
        ):
            found[node] = None
    return list(found)


def _find_terms(node: Node) -> set[Node]:
    """What a sum of maps adds up, norms looked through."""

    def get_summands(node: Node) -> tuple[Node, ...]:
        if isinstance(node, RowNorm):
            return (node.group[node.index],)
        return node.operands if isinstance(node, Elementwise) and node.op == "add" else ()

    return {n for n in sort_topologically([node], get_operands=get_summands) if not get_summands(n)}


@dataclass(frozen=True)
class LearnedMap:
    """One gate's map of one operand, and the names by which a watched graph gives both out."""

    affine: Affine
    result: str
    operand: str


@keep_with_graph
def find_learned_maps(graph: Graph) -> tuple[LearnedMap, ...]:
    """Every learned map of ``graph``, as `instrument_graph` names it and what it reads.

    Example:
        >>> from sluice.cells import Elman
        >>> [(m.result, m.operand) for m in find_learned_maps(Elman().graph)]
        [('map.ih.hidden.0', 'read.0'), ('map.hh.hidden.1', 'read.1')]
    """
    found, operands = list[LearnedMap](), dict[Node, int]()
    for node in graph.nodes:
        if isinstance(node, Affine) and graph.get_stack(node.stack).learned:
            number = operands.setdefault(node.operand, len(operands))
            name = f"map.{node.stack}.{node.gate}.{number}"
            found.append(LearnedMap(node, name, f"read.{number}"))
    return tuple(found)


def instrument_graph(graph: Graph, pre: bool, maps: bool) -> Graph:
    """``graph`` that also gives out its pre-activations (``pre.forget``), or its maps and operands.

    A value that the cell itself returns under such a name stays.
    """
    return _add_outputs(graph, pre, maps) or graph


@keep_with_graph
def _add_outputs(graph: Graph, pre: bool, maps: bool) -> Graph | None:
    """As `instrument_graph`; None where nothing is added."""
    more: dict[str, Node] = {}
    if pre:
        more |= {
            f"{PREACTIVATION_PREFIX}{gate}": node
            for gate, node in find_preactivations(graph).items()
        }
    if maps:
        for one in find_learned_maps(graph):
            more |= {one.result: one.affine, one.operand: one.affine.operand}
    fresh = tuple((name, node) for name, node in more.items() if name not in graph.outputs_by_name)
    return replace(graph, outputs=graph.outputs + fresh) if fresh else None
