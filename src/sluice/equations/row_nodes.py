"""Row maps as nodes: made where the operand has units, and checked where they come from a text."""

from __future__ import annotations

from sluice.equations.graph import Leaf, Node, RowMap, constant, is_comparison, is_number
from sluice.equations.limits import MAX_SIZE
from sluice.equations.row_maps import MAXIMUM, REPEAT, ROW_MAP_OPS, SUM
from sluice.equations.specs import CONSTANT
from sluice.equations.symbol import EquationError


def row_map(op: str, operand: Node, width: str) -> Node:
    """``op`` of the table of row maps. Raises `EquationError` for an operand without units."""
    if is_number(operand) or is_comparison(operand):
        raise EquationError(
            f"{op} must be applied to x, a state, or a value computed from them, got "
            f"{'a comparison' if is_comparison(operand) else 'a number'}"
        )
    if operand.width == width and op in (SUM, MAXIMUM, REPEAT):  # one unit a group
        return operand
    return RowMap(op, operand, width)


def find_size(width: str) -> Node:
    """The number of units of ``width``, as a node."""
    return constant(1.0) if width == CONSTANT else Leaf("size", width, CONSTANT)


def explain_row_map(node: RowMap) -> str | None:
    """Why the row map is none; None where its operation and widths fit together."""
    name, slash, groups = node.op.partition("/")
    known = ROW_MAP_OPS.get(name)
    if known is None:
        return f"there is no operation on rows '{node.op:.80}'"
    has_groups = groups.isdecimal() and len(groups) < 11 and 1 < int(groups) <= MAX_SIZE
    if slash and (name in (SUM, REPEAT) or not has_groups or groups[0] == "0"):
        return f"'{node.op:.80}' cannot be divided into these groups"
    expected = {"same": node.operand.width, "groups": groups or CONSTANT}.get(known.shape)
    if expected is not None and node.width != expected:
        return f"the result of {node.op} must have width {expected}, got {node.width}"
    if row_map(node.op, node.operand, node.width) is not node:
        return f"{node.op} must change its operand"
    return None
