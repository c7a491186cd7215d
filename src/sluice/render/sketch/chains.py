"""Chains of operations on one value, drawn as one part: what its label says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sluice.equations.graph import Elementwise, Node
from sluice.equations.op_table import CALL, OPS, PRODUCT
from sluice.equations.specs import CONSTANT
from sluice.render.definitions import is_repetition
from sluice.render.latex import EquationWriter, format_operation, skip_neutral
from sluice.render.math_text import MathText

_LONGEST = 22
"""How many letters a label may have; longer chains are drawn as several parts."""
_PLACE = MathText(r"\cdot", "·")
"""Where the value goes in."""


@dataclass(frozen=True)
class ChainLabels:
    """Finds chains, and writes them without the value that they begin with."""

    writer: EquationWriter
    is_parameter: Callable[[Node], bool]
    is_fusible: Callable[[Node], bool]
    resolve: Callable[[Node], Node]

    def fuse(self, node: Node) -> tuple[Node, list[Elementwise]]:
        """Down a chain of operations on one value: where it begins, and what it does, last first.

        Nothing where ``node`` is none; a chain too long for one label ends earlier.
        """
        chain, inner = list[Elementwise](), node
        while isinstance(inner, Elementwise) and len(chain) < _LONGEST:
            varying = {o for o in inner.arguments if not self.is_parameter(o)}
            if len(varying) != 1 or (chain and not self.is_fusible(inner)):
                break
            chain.append(inner)
            (inner,) = varying
        while len(chain) > 1 and len(self.write(chain).plain) > _LONGEST:
            chain.pop()
        if not chain:
            return node, []
        (inner,) = (o for o in dict.fromkeys(chain[-1].arguments) if not self.is_parameter(o))
        return self.resolve(inner), chain

    def write_branches(self, node: Elementwise) -> MathText:
        """An operation on several values of which some are numbers: `where(a > b, x, 0)`."""
        shown = [self._write(operand) for operand in node.arguments]
        if node.op == "where" and not self.is_parameter(node.arguments[0]):
            _, yes, no = shown
            word = r"\mathrm{if}"
            if self.is_parameter(node.arguments[2]):
                return MathText(rf"{word},\ \mathrm{{else}}\ {no.latex}", f"if, else {no.plain}")
            return MathText(rf"{yes.latex}\ {word}", f"{yes.plain} if")
        return format_operation(node.op, shown)

    def write_call(self, node: Node) -> MathText:
        """A node of another kind, with a dot for each value."""
        return self.writer.format_call(node, [self._write(o) for o in node.operands])

    def _write(self, operand: Node) -> MathText:
        return self.writer.refer(operand) if self.is_parameter(operand) else _PLACE

    def write(self, chain: list[Elementwise], place: MathText | None = None) -> MathText:
        """What a chain does to ``place``, or to a value that comes in."""
        label: MathText | None = None
        for node in reversed(chain):
            if skip_neutral(node) is node:
                label = self._apply(node, label, place, alone=len(chain) == 1)
        return label or place or MathText("=", "=")

    def _apply(
        self, node: Elementwise, inner: MathText | None, place: MathText | None, alone: bool
    ) -> MathText:
        """An operation on what ``inner`` says already, or on the value itself.

        The value's place is left empty where nothing can be misread: σ, 1 −, × 2.
        """
        written, value = OPS[node.op].notation, inner or place or _PLACE
        is_bare = inner is None and place is None and alone
        if len(node.arguments) == 1:
            is_function = written.latex.format("").endswith("()")
            if is_bare or (inner is None and is_function):
                return MathText(written.symbol, written.symbol)
            return format_operation(node.op, [value])
        if is_repetition(node):
            if node.op == "multiply":
                return MathText("(.)^2", "(.)²", PRODUCT) if is_bare else value.square()
            return _times(MathText("2", "2")) if is_bare else value.scale(MathText("2", "2"))
        if node.op == "multiply":
            first, second = node.arguments
            parameter = first if self.is_parameter(first) else second
            factor = self.writer.refer(parameter)
            if factor.plain == "−1":
                return MathText("-", "−") if is_bare else format_operation("negative", [value])
            if is_bare:
                return _times(factor)
            if parameter.width == CONSTANT:
                return value.scale(factor)
            return format_operation("multiply", [factor, value])
        if is_bare and node.op == "power":
            value = MathText("(.)", "(.)")
        elif is_bare and len(node.arguments) == 2 and written.precedence != CALL:
            value = MathText("", "")
        operands = [self.writer.refer(o) if self.is_parameter(o) else value for o in node.arguments]
        whole = format_operation(node.op, operands)
        return MathText(whole.latex.strip(), whole.plain.strip(), whole.precedence)


def _times(factor: MathText) -> MathText:
    return MathText(rf"\times\,{factor.parenthesize(PRODUCT).latex}", f"×{factor.plain}")
