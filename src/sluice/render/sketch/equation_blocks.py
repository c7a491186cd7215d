"""The boxes of a simplified sketch: one for each equation, merged where there are very many."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sluice.equations.graph import Affine, Graph, Leaf, Node, sort_topologically
from sluice.render.definitions import sort_definitions
from sluice.render.sketch.elements import ElementTable

_MANY = 30
"""From how many boxes on those of unnamed values are merged into the one that reads them."""


@dataclass(eq=False)
class EquationBlock:
    """One box.

    Attributes:
        node: The value that it computes.
        names: What the step calls it; none for a value without a name.
        label: Its symbol.
        reads: The boxes' values, states and inputs that it reads.
        is_layer: Whether learned maps are in it.
        level: Its column: one more than those that it reads.
        bus: The place of its line of dots, from the left.
    """

    node: Node
    names: list[str]
    label: str
    reads: tuple[Node, ...]
    is_layer: bool
    level: int = 0
    bus: int = 0


def find_blocks(elements: ElementTable) -> list[EquationBlock]:
    """The boxes of a cell, from left to right; those of new states last in their column."""
    graph, writer = elements.graph, elements.writer
    names: dict[Node, list[str]] = {}
    for name, node in graph.outputs:
        names.setdefault(node, []).append(name)
    fixed = elements.find_fixed_states()
    nodes = [
        node
        for node in sort_definitions(graph, list(writer.symbols))
        if node in fixed or not (isinstance(node, Leaf) or elements.is_parameter(node))
    ]
    contents = _find_contents(elements, nodes)
    while len(nodes) > _MANY:
        readers = Counter(read for reads, _ in contents.values() for read in reads)
        kept = [n for n in nodes if n in names or contents[n][1] or readers[n] != 1]
        if len(kept) == len(nodes):
            break
        nodes, contents = kept, _find_contents(elements, kept)
    found, levels = list[EquationBlock](), dict[Node, int]()
    for node in nodes:
        reads, is_layer = contents[node]
        own = names.get(node, [])
        label = " = ".join(writer.notation.value(name).latex for name in own)
        levels[node] = 1 + max((levels.get(read, 0) for read in reads), default=0)
        label = label or writer.symbols[node].latex
        found.append(EquationBlock(node, own, label, reads, is_layer, levels[node]))
    found.sort(key=lambda block: (block.level, _is_state(graph, block.node)))
    for bus, block in enumerate(found):
        block.bus = bus
    return found


def _is_state(graph: Graph, node: Node) -> bool:
    return any(graph.outputs_by_name[state.name] is node for state in graph.states)


def _find_contents(
    elements: ElementTable, nodes: list[Node]
) -> dict[Node, tuple[tuple[Node, ...], bool]]:
    """What each box reads, in order, and whether learned maps are in it."""
    boundary, found = set(nodes), dict[Node, tuple[tuple[Node, ...], bool]]()
    for node in nodes:
        inner = sort_topologically([node], known=boundary - {node})
        reads = dict.fromkeys(
            operand
            for part in inner
            for operand in part.operands
            if operand is not node
            and not elements.is_parameter(operand)
            and (operand in boundary or isinstance(operand, Leaf))
        )
        found[node] = tuple(reads), any(isinstance(part, Affine) for part in inner)
    return found
