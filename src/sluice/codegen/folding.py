"""Operations on numbers alone, computed once instead of by every body that reads them."""

from __future__ import annotations

from math import isfinite
from typing import cast

from sluice.equations.graph import Leaf, Node, constant, elementwise, is_comparison
from sluice.equations.op_table import apply


def fold(op: str, *operands: Node) -> Node:
    """`elementwise`, or the number that it is where all operands are numbers."""
    found = elementwise(op, *operands)
    if is_comparison(found) or not all(map(_is_constant, operands)):
        return found
    number = cast(float, apply(op, *(float(cast(Leaf, operand).name) for operand in operands)))
    return constant(number) if isfinite(number) else found


def _is_constant(node: Node) -> bool:
    return isinstance(node, Leaf) and node.kind == "constant"
