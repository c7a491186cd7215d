"""What the parts of a graph must be, each in a sentence: names, numbers, widths, operands."""

from __future__ import annotations

import math

from sluice.equations.graph import Leaf, Node, is_comparison, is_number
from sluice.equations.limits import MAX_NAME_LENGTH
from sluice.equations.specs import CONSTANT
from sluice.equations.symbol import EquationError


def is_word(text: str) -> bool:
    """Whether ``text`` can be a part of a dotted name."""
    return bool(text) and f"_{text}".isidentifier()


def require_identifier(name: str) -> None:
    """Raise `EquationError` for what is no Python name."""
    if not name.isidentifier() or len(name) > MAX_NAME_LENGTH:
        raise EquationError(f"a name must be a Python name, got {name!r:.80}")


def require_finite(number: float, what: str) -> None:
    """Raise `EquationError` for NaN and infinity."""
    if not math.isfinite(number):
        raise EquationError(f"{what} must be finite, got {number}")


def require_constant(leaf: Leaf) -> None:
    """Raise `EquationError` unless a leaf's name is a number as Python writes it."""
    try:
        number = float(leaf.name)
    except ValueError:
        raise EquationError(f"{leaf.name!r:.80} is no number") from None
    require_finite(number, "a number in the equations")
    if repr(number) != leaf.name:
        raise EquationError(f"the number {leaf.name!r:.80} must be written as {number!r}")
    require_width("a number", CONSTANT, leaf.width)


def require_width(what: str, expected: str, found: str) -> None:
    """Raise `EquationError` for another width than the expected one."""
    if found != expected:
        raise EquationError(f"{what} must have width {expected}, got {found}")


def refuse_number(what: str, operand: Node) -> None:
    """Raise `EquationError` for what is the same number in every row and step."""
    if operand.width == CONSTANT and is_number(operand):
        raise EquationError(
            f"{what} must be applied to x, a state, or a value computed from them, got a number"
        )


def refuse_comparison(what: str, operand: Node) -> None:
    """Raise `EquationError` for a condition where numbers are needed."""
    if is_comparison(operand):
        raise EquationError(
            f"{what} must be applied to numbers, got a comparison; write where(a > b, 1.0, 0.0)"
        )
