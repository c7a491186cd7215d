"""A cell's update equations as one writes them: LaTeX, and plain text in Unicode.

One equation for every named value; what other equations use is referred to by its symbol. What
several equations share without a name gets one of its own (a hat for a pre-activation).
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
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
    sort_topologically,
)
from sluice.equations.ops import CALL, OPS, PRODUCT, SUM
from sluice.equations.row_maps import ROW_MAP_OPS, split_groups
from sluice.equations.specs import StackSpec
from sluice.render.notation import NOW, MathText, Notation


@dataclass(frozen=True)
class Equation:
    """One line: what is defined, and as what. ``name`` is as the step returns it, or empty."""

    name: str
    left: MathText
    right: MathText

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


def format_equations(graph: Graph) -> Equations:
    """The update equations of a cell's graph, in an order in which they can be computed.

    Example:
        >>> from sluice.cells import GRU
        >>> [line.name for line in format_equations(GRU().graph).lines]
        ['reset', 'update', 'candidate', 'h']
    """
    writer = EquationWriter.from_graph(graph)
    notation = writer.notation
    lines = {
        node: [Equation("", words.with_subscripts(NOW), writer.expand(node))]
        for node, words in notation.shared_symbols.items()
    }
    for name, node in graph.outputs:
        alias = writer.symbols.get(node) if node in lines else writer.expand(node)
        assert alias is not None
        lines.setdefault(node, []).append(Equation(name, notation.value(name), alias))
    ordered = [line for node in _sort_definitions(graph, lines) for line in lines[node]]
    return Equations(tuple(ordered), tuple(writer.notes()), notation)


@dataclass(frozen=True)
class EquationWriter:
    """Writes nodes as expressions. ``symbols`` holds those that others refer to by a symbol."""

    notation: Notation
    symbols: Mapping[Node, MathText]

    @classmethod
    def from_graph(cls, graph: Graph) -> Self:
        """A writer for a cell's nodes, with symbols for named and shared ones."""
        notation = Notation.from_graph(graph)
        notation.assign_symbols(_find_shared_nodes(graph))
        symbols = {
            node: words.with_subscripts(NOW) for node, words in notation.shared_symbols.items()
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
        assert isinstance(node, Elementwise)
        if node.op == "multiply" and any(is_number(operand) for operand in node.arguments):
            return self._format_multiple(*sorted(node.arguments, key=is_number, reverse=True))
        return format_operation(node.op, [self.refer(operand) for operand in node.arguments])

    def _format_multiple(self, factor: Node, value: Node) -> MathText:
        return (
            self.refer(factor)
            .parenthesize(PRODUCT)
            .juxtapose(self.refer(value).parenthesize(PRODUCT), PRODUCT)
        )

    def _format_map(self, node: Affine) -> MathText:
        product = self.notation.weight(node).juxtapose(
            self.refer(node.operand).parenthesize(CALL), PRODUCT
        )
        if not self.notation.graph.get_stack(node.stack).bias:
            return product
        bias = self.notation.bias(node)
        return MathText(f"{product.latex} + {bias.latex}", f"{product.plain} + {bias.plain}", SUM)

    def notes(self) -> Iterator[MathText]:
        """What a reader could not guess: block-diagonal maps, norms over several gates, sg."""
        graph = self.notation.graph
        for stack in graph.stacks:
            if stack.heads > 1:
                weights = [self._find_weight(stack, gate) for gate, _ in stack.gates]
                yield _list_items(weights, f"block-diagonal, {stack.heads} heads")
        for norm in graph.norms:
            if len(norm.widths) > 1:
                group = next(
                    n.group for n in graph.nodes if isinstance(n, RowNorm) and n.norm == norm.name
                )
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

    def _find_weight(self, stack: StackSpec, gate: str) -> MathText:
        return next(
            self.notation.weight(node)
            for node in self.notation.graph.nodes
            if isinstance(node, Affine) and (node.stack, node.gate) == (stack.name, gate)
        )


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


def _find_shared_nodes(graph: Graph) -> list[Node]:
    """Nodes without a name that several expressions read and that are long to write."""
    named = set(graph.outputs_by_name.values())
    readers = Counter(operand for node in graph.nodes for operand in _visible_operands(node))
    return [
        node
        for node in graph.nodes
        if readers[node] > 1 and node not in named and not isinstance(node, Leaf) and _is_long(node)
    ]


def _visible_operands(node: Node) -> set[Node]:
    """The operands that are written where ``node`` is: of a norm's group only the node's part."""
    return {node.group[node.index]} if isinstance(node, RowNorm) else set(node.operands)


def _is_long(node: Node) -> bool:
    """Whether a node holds a map or a norm, or more than one operation."""
    inner = [part for part in sort_topologically([node]) if not isinstance(part, Leaf)]
    return len(inner) > 1 or not isinstance(node, Elementwise)


def _sort_definitions(graph: Graph, nodes: Collection[Node]) -> list[Node]:
    """The nodes to define, each after those it reads; gates first, as they were returned."""
    states = {graph.outputs_by_name[state.name] for state in graph.states}
    places = {node: place for place, node in enumerate(nodes)}
    reads = {}
    for node in nodes:
        inner = sort_topologically([node], known=set(nodes) - {node})
        reads[node] = {o for part in inner for o in part.operands if o in places} - {node}
    ordered: list[Node] = []
    while len(ordered) < len(places):
        ready = [n for n in nodes if n not in ordered and reads[n] <= set(ordered)]
        ordered.append(min(ready, key=lambda n: (n in states, places[n])))
    return ordered


def _text_columns(text: str) -> int:
    """How many columns of a terminal a text takes: accents take none."""
    return sum(not unicodedata.combining(letter) for letter in text)
