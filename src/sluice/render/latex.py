"""A cell's update equations as one writes them: LaTeX, and plain text in Unicode.

One equation for every named value; what other equations use is referred to by its symbol. What
several equations share without a name gets one of its own (a hat for a pre-activation).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from sluice.equations.graph import (
    Affine,
    Elementwise,
    Graph,
    Leaf,
    Node,
    RowMap,
    RowNorm,
    is_number,
)
from sluice.equations.op_table import CALL, OPS, PRODUCT, SUM
from sluice.equations.row_maps import ROW_MAP_OPS, split_groups
from sluice.equations.specs import StackSpec
from sluice.render.definitions import (
    find_shared_nodes,
    get_visible_operands,
    is_repetition,
    sort_definitions,
)
from sluice.render.math_text import NOW, MathText
from sluice.render.names import format_upright
from sluice.render.notation import Notation


@dataclass(frozen=True)
class Equation:
    """One line: what is defined, and as what.

    ``name`` is as the step returns it, or empty; ``node`` is the value.
    """

    name: str
    left: MathText
    right: MathText
    node: Node

    @property
    def latex(self) -> str:
        """The line in LaTeX."""
        return f"{self.left.latex} = {self.right.latex}"

    @property
    def plain(self) -> str:
        """The line in Unicode."""
        return f"{self.left.plain} = {self.right.plain}"


@dataclass(frozen=True)
class Equations:
    """All lines of a cell, and its notation; ``notes`` explain what is not the usual."""

    lines: tuple[Equation, ...]
    notes: tuple[MathText, ...]
    notation: Notation

    def latex(self) -> str:
        r"""The body of an `align`: lines joined by ``\\``, aligned at the equals sign.

        Example:
            >>> from sluice.cells import Elman
            >>> print(format_equations(Elman().graph).latex())
            h_{t} &= \tanh(W_{ih}\,x_{t} + b_{ih} + W_{hh}\,h_{t-1} + b_{hh})
        """
        rows = [f"{line.left.latex} &= {line.right.latex}" for line in self.lines]
        return " \\\\\n".join(rows + [rf"&\text{{where }} {note.latex}" for note in self.notes])

    def plain(self) -> str:
        """The lines in Unicode, the equals signs below each other.

        Example:
            >>> from sluice.cells import Elman
            >>> print(format_equations(Elman().graph).plain())
            h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)
        """
        width = max(_text_columns(line.left.plain) for line in self.lines)
        rows = [" " * (width - _text_columns(line.left.plain)) + line.plain for line in self.lines]
        return "\n".join(rows + [f"{'':{width}} where {note.plain}" for note in self.notes])


def format_equations(graph: Graph, reverse: bool = False) -> Equations:
    """The update equations of a cell's graph, in an order in which they can be computed.

    With ``reverse`` they are those of a layer that reads from the end: a step at t finds the states
    of t + 1.

    Example:
        >>> from sluice.cells import GRU
        >>> [line.name for line in format_equations(GRU().graph).lines]
        ['reset', 'update', 'candidate', 'h']
    """
    writer = EquationWriter.from_graph(graph, reverse)
    notation = writer.notation
    lines = {
        node: [Equation("", writer.symbols[node], writer.expand(node), node)]
        for node in notation.shared_symbols
    }
    for name, node in graph.outputs:
        alias = writer.symbols.get(node) if node in lines else writer.expand(node)
        assert alias is not None
        lines.setdefault(node, []).append(Equation(name, notation.value(name), alias, node))
    ordered = [line for node in sort_definitions(graph, lines) for line in lines[node]]
    return Equations(tuple(ordered), tuple(writer.notes()), notation)


@dataclass(frozen=True)
class EquationWriter:
    """Writes nodes as expressions. ``symbols`` holds those that others refer to by a symbol."""

    notation: Notation
    symbols: Mapping[Node, MathText]

    @classmethod
    def from_graph(cls, graph: Graph, reverse: bool = False) -> Self:
        """A writer for a cell's nodes, with symbols for named and shared ones."""
        notation = Notation.from_graph(graph, reverse)
        notation.assign_symbols(find_shared_nodes(graph))
        fixed = notation.find_fixed_nodes()
        symbols = {
            node: words if node in fixed else words.with_subscripts(NOW)
            for node, words in notation.shared_symbols.items()
        }
        for name, node in graph.outputs:
            symbols.setdefault(node, notation.value(name))
        return cls(notation, symbols)

    def refer(self, node: Node) -> MathText:
        """``node`` within an expression: by its symbol, where it has one."""
        if isinstance(node, Leaf) or node not in self.symbols:
            return self.expand(node)
        return self.symbols[node]

    def expand(self, node: Node) -> MathText:
        """What ``node`` is, written out."""
        if isinstance(node, Leaf):
            return self.notation.leaf(node)
        if isinstance(node, Affine):
            return self._format_map(node)
        if isinstance(node, RowNorm):
            inner, norm = self.refer(node.group[node.index]), self.notation.norm(node.norm)
            return MathText(f"{norm.latex}({inner.latex})", f"{norm.plain}({inner.plain})")
        if isinstance(node, RowMap):
            return format_row_map(node.op, self.refer(node.operand))
        if not isinstance(node, Elementwise):
            return self.format_call(node, [self.refer(o) for o in get_visible_operands(node)])
        whole = skip_neutral(node)
        if whole is not node:
            return self.refer(whole)
        if is_repetition(node):
            operand = self.refer(node.arguments[0])
            return operand.square() if node.op == "multiply" else operand.scale(MathText("2", "2"))
        if node.op == "multiply" and any(is_number(operand) for operand in node.arguments):
            return self._format_multiple(*sorted(node.arguments, key=is_number, reverse=True))
        return format_operation(node.op, [self.refer(operand) for operand in node.arguments])

    def format_call(self, node: Node, operands: Sequence[MathText]) -> MathText:
        """A node of any other kind: what it is called, and its operands in parentheses."""
        name = format_upright(describe_node(node))
        return MathText(
            f"{name.latex}({', '.join(operand.latex for operand in operands)})",
            f"{name.plain}({', '.join(operand.plain for operand in operands)})",
        )

    def _format_multiple(self, factor: Node, value: Node) -> MathText:
        if is_constant(factor, -1.0):
            return format_operation("negative", [self.refer(value)])
        return self.refer(value).scale(self.refer(factor))

    def _format_map(self, node: Affine) -> MathText:
        product = self.notation.weight(node).juxtapose(
            self.refer(node.operand).parenthesize(CALL), PRODUCT
        )
        if node.gate not in dict(self.notation.graph.get_stack(node.stack).gates_with_bias):
            return product
        bias = self.notation.bias(node)
        return MathText(f"{product.latex} + {bias.latex}", f"{product.plain} + {bias.plain}", SUM)

    def notes(self) -> Iterator[MathText]:
        """What a reader could not guess: block-diagonal maps, norms over several gates, sg."""
        graph = self.notation.graph
        for stack in graph.stacks:
            weights = self._find_weights(stack) if stack.heads > 1 else []
            if weights:
                yield _list_items(weights, f"block-diagonal, {stack.heads} heads")
        for norm in graph.norms:
            if len(norm.widths) > 1:
                group = next(
                    (
                        n.group
                        for n in graph.nodes
                        if isinstance(n, RowNorm) and n.norm == norm.name
                    ),
                    None,
                )
                if group is None:
                    continue
                name = self.notation.norm(norm.name)
                parts = ", ".join(self.refer(part).plain for part in group)
                latex = ", ".join(self.refer(part).latex for part in group)
                yield MathText(
                    rf"{name.latex}\text{{ takes mean and variance over }}{latex}",
                    f"{name.plain} takes mean and variance over {parts}",
                )
        if any(isinstance(n, Elementwise) and n.op == "detach" for n in graph.nodes):
            yield _list_items(
                [format_operation("detach", [MathText("a", "a")])], "a, with no gradient through it"
            )

    def _find_weights(self, stack: StackSpec) -> list[MathText]:
        """The weights of a stack's gates, in order; of those that the step uses."""
        used = {
            node.gate: node
            for node in self.notation.graph.nodes
            if isinstance(node, Affine) and node.stack == stack.name
        }
        return [self.notation.weight(used[gate]) for gate, _ in stack.gates if gate in used]


def describe_node(node: Node) -> str:
    """What a node is called that has no notation of its own."""
    names = (getattr(node, field, None) for field in ("op", "name"))
    return next((str(name) for name in names if name), type(node).__name__)


def skip_neutral(node: Node) -> Node:
    """``node``, or what it leaves as it is: a product with 1, a quotient by 1, a sum with 0."""
    if not isinstance(node, Elementwise) or len(node.arguments) != 2:
        return node
    neutral = {"multiply": 1.0, "divide": 1.0, "add": 0.0, "subtract": 0.0}.get(node.op)
    first, second = node.arguments
    if neutral is None or first.width == second.width:
        return node
    if is_constant(second, neutral):
        return first
    return second if node.op in ("multiply", "add") and is_constant(first, neutral) else node


def is_constant(node: Node, value: float) -> bool:
    return isinstance(node, Leaf) and node.kind == "constant" and float(node.name) == value


def format_operation(op: str, operands: list[MathText]) -> MathText:
    """An operation of the op table, written with these operands."""
    written = OPS[op].notation
    held = [
        operand.parenthesize(need)
        for operand, need in zip(operands, written.operand_precedences, strict=True)
    ]
    return MathText(
        written.latex.format(*(operand.latex for operand in held)),
        written.plain.format(*(operand.plain for operand in held)),
        written.precedence,
    )


def format_row_map(op: str, operand: MathText) -> MathText:
    """A row map's symbol (its groups, where there are several, below it) before its operand."""
    name, groups = split_groups(op)
    latex, plain = ROW_MAP_OPS[name].latex, name.replace("_", " ")
    if groups > 1:
        latex, plain = f"{{{latex}}}_{{{groups}}}", f"{plain}_{groups}"
    return MathText(f"{latex}({operand.latex})", f"{plain}({operand.plain})")


def _list_items(items: list[MathText], description: str) -> MathText:
    latex = ",\\ ".join(item.latex for item in items)
    return MathText(
        rf"{latex}\text{{: {description}}}",
        f"{', '.join(item.plain for item in items)}: {description}",
    )


def _text_columns(text: str) -> int:
    """How many columns of a terminal a text takes: accents take none."""
    return sum(not unicodedata.combining(letter) for letter in text)
