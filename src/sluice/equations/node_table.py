"""Nodes as a table of rows, which refer to each other by number: how nodes are pickled.

pickle itself would recurse from operand to operand, as deep as the longest chain of a step. It
learns of this where `sluice.equations` is imported.
"""

from __future__ import annotations

import copyreg
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from sluice.equations.graph import (
    Affine,
    Elementwise,
    Graph,
    Leaf,
    Node,
    RowMap,
    RowNorm,
    sort_topologically,
)


@dataclass(frozen=True)
class _RowNumber:
    """Stands for a node in the fields of another."""

    number: int


NodeTable = list[tuple[type[Node], tuple[Any, ...]]]


def write_table(outputs: Iterable[Node]) -> NodeTable:
    """All nodes that ``outputs`` need, operands first."""
    numbers: dict[Node, _RowNumber] = {}
    rows: NodeTable = []

    def refer(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(refer, value))
        return numbers[value] if isinstance(value, Node) else value

    for node in sort_topologically(outputs):
        own = (getattr(node, field.name) for field in fields(node))  # type: ignore[arg-type]
        rows.append((type(node), tuple(map(refer, own))))
        numbers[node] = _RowNumber(len(numbers))
    return rows


def read_table(rows: NodeTable) -> list[Node]:
    """The nodes of the rows."""
    nodes: list[Node] = []

    def find(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(find, value))
        return nodes[value.number] if isinstance(value, _RowNumber) else value

    for kind, own in rows:
        nodes.append(kind(*map(find, own)))
    return nodes


def read_node(rows: NodeTable) -> Node:
    """The node that was written alone."""
    return read_table(rows)[-1]


def reduce_node(node: Node) -> tuple[Any, ...]:
    """What pickle keeps of a node."""
    return read_node, (write_table([node]),)


def reduce_graph(graph: Graph) -> tuple[Any, ...]:
    """What pickle keeps of a graph."""
    rest = {f.name: getattr(graph, f.name) for f in fields(graph) if f.name != "outputs"}
    numbers = {node: number for number, node in enumerate(graph.nodes)}
    outputs = [(name, numbers[node]) for name, node in graph.outputs]
    return read_graph, (rest, write_table(node for _, node in graph.outputs), outputs)


def read_graph(rest: dict[str, Any], rows: NodeTable, outputs: Iterable[tuple[str, int]]) -> Graph:
    """The graph that `reduce_graph` wrote."""
    nodes = read_table(rows)
    return Graph(**rest, outputs=tuple((name, nodes[number]) for name, number in outputs))


for _kind in (Leaf, Elementwise, Affine, RowNorm, RowMap):
    copyreg.pickle(_kind, reduce_node)
copyreg.pickle(Graph, reduce_graph)
