"""Which values of a graph get an equation of their own, and in what order these stand.

Named values do, what several equations share, and parts of expressions too long to be read.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection

from sluice.equations.graph import (
    Affine,
    Elementwise,
    Graph,
    Leaf,
    Node,
    RowNorm,
    sort_topologically,
)

_MAP = 5
"""How many more symbols a map takes: its weight, its bias, the sign between them."""
_LONGEST, _DEEPEST, _SHORTEST = 40, 10, 4
"""How many symbols and operations an expression may have, how many within each other, and how many
a part must have to be cut off."""


def find_shared_nodes(graph: Graph) -> list[Node]:
    """Nodes without a name that get an equation: shared and long to write, or too long."""
    named = set(graph.outputs_by_name.values())
    readers = Counter(operand for node in graph.nodes for operand in _written_operands(node))
    found, sizes = set[Node](), dict[Node, tuple[int, int]]()
    for node in graph.nodes:
        size, depth = _measure_expression(node, sizes)
        while size > _LONGEST or depth > _DEEPEST:
            parts = [o for o in _written_operands(node) if sizes[o][0] >= _SHORTEST]
            if not parts:
                break
            longest = max(
                parts, key=lambda o: (sizes[o][1] if depth > _DEEPEST else 0, sizes[o][0])
            )
            found.add(longest)
            sizes[longest] = (1, 0)
            size, depth = _measure_expression(node, sizes)
        sizes[node] = (size, depth)
        is_shared = readers[node] > 1 and not isinstance(node, Leaf) and _is_long(node)
        if is_shared and node not in named:
            found.add(node)
        if is_shared or node in named:
            sizes[node] = (1, 0)
    return [node for node in graph.nodes if node in found]


def get_visible_operands(node: Node) -> tuple[Node, ...]:
    """The operands that are written where ``node`` is: of a norm's group only the node's part."""
    return (node.group[node.index],) if isinstance(node, RowNorm) else node.operands


def _written_operands(node: Node) -> tuple[Node, ...]:
    """The same, each as often as it is written; of a square or double once."""
    operands = get_visible_operands(node)
    return operands[:1] if is_repetition(node) else operands


def is_repetition(node: Node) -> bool:
    """Whether a node multiplies a value by itself, or adds it to itself."""
    return (
        isinstance(node, Elementwise)
        and node.op in ("multiply", "add")
        and node.arguments[0] is node.arguments[1]
    )


def _measure_expression(node: Node, sizes: dict[Node, tuple[int, int]]) -> tuple[int, int]:
    """How long an expression is, and how deep; a sum or product of many is not deep."""
    operands = _written_operands(node)
    size = 1 + sum(sizes[operand][0] for operand in operands)
    if isinstance(node, Affine):
        size += _MAP
    depth = 0
    for operand in operands:
        op = getattr(node, "op", "")
        is_flat = op in ("add", "multiply") and op == getattr(operand, "op", "")
        is_deeper = not isinstance(operand, Leaf) and (not is_flat or is_repetition(node))
        depth = max(depth, sizes[operand][1] + is_deeper)
    return size, depth


def _is_long(node: Node) -> bool:
    """Whether a node holds a map or a norm, or more than one operation."""
    return not isinstance(node, Elementwise) or not all(
        isinstance(operand, Leaf) for operand in node.operands
    )


def sort_definitions(graph: Graph, nodes: Collection[Node]) -> list[Node]:
    """The nodes to define, each after those it reads; gates first, as they were returned."""
    states = {graph.outputs_by_name[state.name] for state in graph.states}
    places = {node: place for place, node in enumerate(nodes)}
    defined, waiting = set(nodes), dict[Node, int]()
    readers: dict[Node, list[Node]] = {}
    for node in nodes:
        inner = sort_topologically([node], known=defined - {node})
        reads = {o for part in inner for o in part.operands if o in places} - {node}
        waiting[node] = len(reads)
        for operand in reads:
            readers.setdefault(operand, []).append(node)
    ready = [(node in states, place, node) for node, place in places.items() if not waiting[node]]
    heap = [(late, place) for late, place, _ in ready]
    by_place, ordered = list(places), list[Node]()
    heapq.heapify(heap)
    while heap:
        node = by_place[heapq.heappop(heap)[1]]
        ordered.append(node)
        for reader in readers.get(node, ()):
            waiting[reader] -= 1
            if not waiting[reader]:
                heapq.heappush(heap, (reader in states, places[reader]))
    return ordered
