"""Several copies of one cell as one graph: every map block-diagonal, every value n times as wide.

The units of a copy lie side by side, those of one copy after those of another. A graph fits layers
of every size, so its widths stay as they are and the layer's `Sizes` grow; a width that is a number
grows here.
"""

from __future__ import annotations

from dataclasses import replace

from sluice.equations.derived import keep_with_graph
from sluice.equations.graph import Affine, Elementwise, Graph, Leaf, Node
from sluice.equations.sizes import CONSTANT, Sizes
from sluice.equations.symbol import EquationError


@keep_with_graph
def replicate_graph(graph: Graph, copies: int) -> Graph:
    """The graph of ``copies`` cells that do not know of each other.

    Raises `EquationError` where a part of the cell reads a whole row, or a number of one: those
    would be rows of all copies.
    """
    if graph.inputs or graph.norms:
        part = "inputs beside x" if graph.inputs else "norms"
        raise EquationError(f"{graph.name} has {part}, which copies= cannot run side by side")
    if len(graph.output) > 1:
        raise EquationError(
            f"{graph.name} gives out several values, which copies= cannot run side by side"
        )
    found: dict[Node, Node] = {}
    for node in graph.nodes:
        found[node] = _replicate_node(graph.name, node, found, copies)
    return replace(
        graph,
        states=tuple(replace(s, width=_widen(graph.name, s.width, copies)) for s in graph.states),
        stacks=tuple(
            replace(
                stack,
                heads=stack.heads * copies,
                operand=_widen(graph.name, stack.operand, copies),
                gates=tuple((g, _widen(graph.name, w, copies)) for g, w in stack.gates),
            )
            for stack in graph.stacks
        ),
        vectors=tuple(replace(v, width=_widen(graph.name, v.width, copies)) for v in graph.vectors),
        masks=tuple(replace(m, width=_widen(graph.name, m.width, copies)) for m in graph.masks),
        outputs=tuple((name, found[node]) for name, node in graph.outputs),
    )


def replicate_sizes(sizes: Sizes, copies: int) -> Sizes:
    """The sizes of a layer of so many copies of a layer of these."""
    named = {name: size * copies for name, size in dict(sizes.named).items()}
    return Sizes(sizes.input * copies, sizes.hidden * copies, sizes.projection * copies, named)


def _replicate_node(name: str, node: Node, found: dict[Node, Node], copies: int) -> Node:
    if isinstance(node, Leaf) and node.kind == "constant":
        return node
    if isinstance(node, Elementwise):
        arguments = tuple(found[operand] for operand in node.arguments)
        is_number = all(argument.width == CONSTANT for argument in arguments)
        width = CONSTANT if is_number else _widen(name, node.width, copies)
        return Elementwise(node.op, arguments, width)
    width = _widen(name, node.width, copies)
    if isinstance(node, Affine):
        return Affine(node.stack, node.gate, found[node.operand], width, False)
    if isinstance(node, Leaf):
        return Leaf(node.kind, node.name, width)
    raise EquationError(f"{name} reads whole rows, which copies= cannot run side by side")


def _widen(name: str, width: str, copies: int) -> str:
    """A width of all copies together, in sizes that have grown already."""
    factors = width.split("*")
    names = [factor for factor in factors if not factor.isdecimal()]
    if width == CONSTANT or len(names) > 1:
        what = "one number a row" if width == CONSTANT else f"values of width '{width}'"
        raise EquationError(f"{name} has {what}, which copies= cannot run side by side")
    return width if names else str(Sizes(0, 0).of(width) * copies)
