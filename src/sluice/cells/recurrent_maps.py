"""Which maps of a cell are its recurrence: those that read a state of the step before."""

from __future__ import annotations

from sluice.equations.graph import Affine, Graph, Leaf, Node, RowNorm, X

PAIRED = ("ih", "hh")
"""The stacks of gates: of the input, and of a state."""


def find_state_maps(graph: Graph) -> list[Affine]:
    """The maps, other than gates, of a state of the step before.

    A map reads a state where the state itself, or an elementwise function of it, enters the map:
    ``map(h)`` or ``map(r * h)``. What other maps made of it, and the state's new value (which a
    projection reads), do not count.
    """
    ends = {graph.outputs_by_name[state.name] for state in graph.states}
    return [node for node in _list_maps(graph) if _reads(node.operand, "state", ends)]


def find_input_maps(graph: Graph) -> list[Affine]:
    """The maps, other than gates, of x or of an elementwise function of it."""
    return [node for node in _list_maps(graph) if _reads(node.operand, "input", set())]


def _list_maps(graph: Graph) -> list[Affine]:
    return [n for n in graph.nodes if isinstance(n, Affine) and n.stack not in PAIRED]


def _reads(node: Node, kind: str, ends: set[Node]) -> bool:
    waiting, seen = [node], set[Node]()
    while waiting:
        one = waiting.pop()
        if isinstance(one, Leaf):
            if one is X if kind == "input" else one.kind == kind:
                return True
        elif one not in seen and one not in ends and not isinstance(one, Affine | RowNorm):
            seen.add(one)
            waiting += one.operands
    return False
