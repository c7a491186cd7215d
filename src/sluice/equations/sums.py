"""What sums are made of."""

from __future__ import annotations

from collections.abc import Container, Iterable

from sluice.equations.graph import Elementwise, Node, sort_topologically


def list_terms(node: Node, ops: Container[str] = ("add",)) -> list[Node]:
    """What a sum (an operation of ``ops``, of such operations) is made of, each once."""

    def get_summands(node: Node) -> Iterable[Node]:
        return node.operands if isinstance(node, Elementwise) and node.op in ops else ()

    return [n for n in sort_topologically([node], get_operands=get_summands) if not get_summands(n)]
