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

from sluice.equations.graph import Affine, Elementwise, Graph, Leaf, Node, RowNorm, topological
from sluice.equations.ops import CALL, PRODUCT, SUM, TABLE
from sluice.equations.specs import CONSTANT, Stack
from sluice.render.notation import NOW, Notation, Words


@dataclass(frozen=True)
class Equation:
    """One line: what is defined, and as what. ``name`` is as the step returns it, or empty."""

    name: str
    left: Words
    right: Words

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
    notes: tuple[Words, ...]
    notation: Notation

    def latex(self) -> str:
        r"""The body of an `align`: lines joined by ``\\``, aligned at the equals sign.

        Example:
            >>> from sluice.cells import Elman
            >>> print(equations(Elman().graph).latex())
            h_{t} &= \tanh(W_{ih}\,x_{t} + b_{ih} + W_{hh}\,h_{t-1} + b_{hh})
        """
        rows = [f"{line.left.latex} &= {line.right.latex}" for line in self.lines]
        return " \\\\\n".join(rows + [rf"&\text{{where }} {note.latex}" for note in self.notes])

    def plain(self) -> str:
        """The lines in Unicode, the equals signs below each other.

        Example:
            >>> from sluice.cells import Elman
            >>> print(equations(Elman().graph).plain())
            h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)
        """
        width = max(_columns(line.left.plain) for line in self.lines)
        rows = [" " * (width - _columns(line.left.plain)) + line.plain for line in self.lines]
        return "\n".join(rows + [f"{'':{width}} where {note.plain}" for note in self.notes])


def equations(graph: Graph) -> Equations:
    """The update equations of a cell's graph, in an order in which they can be computed.

    Example:
        >>> from sluice.cells import GRU
        >>> [line.name for line in equations(GRU().graph).lines]
        ['reset', 'update', 'candidate', 'h']
    """
    writer = Writer.of(graph)
    notation = writer.notation
    lines = {
        node: [Equation("", words.at(NOW), writer.defined(node))]
        for node, words in notation.extra.items()
    }
    for name, node in graph.outputs:
        alias = writer.symbols.get(node) if node in lines else writer.defined(node)
        assert alias is not None
        lines.setdefault(node, []).append(Equation(name, notation.value(name), alias))
    ordered = [line for node in _order(graph, lines) for line in lines[node]]
    return Equations(tuple(ordered), tuple(writer.notes()), notation)


@dataclass(frozen=True)
class Writer:
    """Writes nodes as expressions. ``symbols`` holds those that others refer to by a symbol."""

    notation: Notation
    symbols: Mapping[Node, Words]

    @classmethod
    def of(cls, graph: Graph) -> Self:
        """A writer for a cell's nodes, with symbols for named and shared ones."""
        notation = Notation.of(graph)
        notation.share(_shared(graph))
        symbols = {node: words.at(NOW) for node, words in notation.extra.items()}
        for name, node in graph.outputs:
            symbols.setdefault(node, notation.value(name))
        return cls(notation, symbols)

    def refer(self, node: Node) -> Words:
        """``node`` within an expression: by its symbol, where it has one."""
        if isinstance(node, Leaf) or node not in self.symbols:
            return self.defined(node)
        return self.symbols[node]

    def defined(self, node: Node) -> Words:
        """What ``node`` is, written out."""
        if isinstance(node, Leaf):
            return self.notation.leaf(node)
        if isinstance(node, Affine):
            return self._map(node)
        if isinstance(node, RowNorm):
            inner, norm = self.refer(node.group[node.index]), self.notation.norm(node.norm)
            return Words(f"{norm.latex}({inner.latex})", f"{norm.plain}({inner.plain})")
        assert isinstance(node, Elementwise)
        if node.op == "multiply" and any(_is_number(operand) for operand in node.arguments):
            return self._scaled(*sorted(node.arguments, key=_is_number, reverse=True))
        return operation(node.op, [self.refer(operand) for operand in node.arguments])

    def _scaled(self, factor: Node, value: Node) -> Words:
        return self.refer(factor).within(PRODUCT).joined(self.refer(value).within(PRODUCT), PRODUCT)

    def _map(self, node: Affine) -> Words:
        product = self.notation.weight(node).joined(self.refer(node.operand).within(CALL), PRODUCT)
        if not self.notation.graph.stack(node.stack).bias:
            return product
        bias = self.notation.bias(node)
        return Words(f"{product.latex} + {bias.latex}", f"{product.plain} + {bias.plain}", SUM)

    def notes(self) -> Iterator[Words]:
        """What a reader could not guess: block-diagonal maps, norms over several gates, sg."""
        graph = self.notation.graph
        for stack in graph.stacks:
            if stack.heads > 1:
                weights = [self._gate(stack, gate) for gate, _ in stack.gates]
                yield _listed(weights, f"block-diagonal, {stack.heads} heads")
        for norm in graph.norms:
            if len(norm.widths) > 1:
                group = next(
                    n.group for n in graph.nodes if isinstance(n, RowNorm) and n.norm == norm.name
                )
                name = self.notation.norm(norm.name)
                parts = ", ".join(self.refer(part).plain for part in group)
                latex = ", ".join(self.refer(part).latex for part in group)
                yield Words(
                    rf"{name.latex}\text{{ takes mean and variance over }}{latex}",
                    f"{name.plain} takes mean and variance over {parts}",
                )
        if any(isinstance(n, Elementwise) and n.op == "detach" for n in graph.nodes):
            yield _listed(
                [operation("detach", [Words("a", "a")])], "a, with no gradient through it"
            )

    def _gate(self, stack: Stack, gate: str) -> Words:
        return next(
            self.notation.weight(node)
            for node in self.notation.graph.nodes
            if isinstance(node, Affine) and (node.stack, node.gate) == (stack.name, gate)
        )


def operation(op: str, operands: list[Words]) -> Words:
    """An operation of the op table, written with these operands."""
    written = TABLE[op].written
    held = [operand.within(need) for operand, need in zip(operands, written.needs, strict=True)]
    return Words(
        written.latex.format(*(operand.latex for operand in held)),
        written.plain.format(*(operand.plain for operand in held)),
        written.binds,
    )


def _is_number(node: Node) -> bool:
    return node.width == CONSTANT


def _listed(items: list[Words], said: str) -> Words:
    latex = ",\\ ".join(item.latex for item in items)
    return Words(rf"{latex}\text{{: {said}}}", f"{', '.join(item.plain for item in items)}: {said}")


def _shared(graph: Graph) -> list[Node]:
    """Nodes without a name that several expressions read and that are long to write."""
    named = set(graph.named.values())
    readers = Counter(operand for node in graph.nodes for operand in _read(node))
    return [
        node
        for node in graph.nodes
        if readers[node] > 1 and node not in named and not isinstance(node, Leaf) and _long(node)
    ]


def _read(node: Node) -> set[Node]:
    """The operands that are written where ``node`` is: of a norm's group only the node's part."""
    return {node.group[node.index]} if isinstance(node, RowNorm) else set(node.operands)


def _long(node: Node) -> bool:
    """Whether a node holds a map or a norm, or more than one operation."""
    inner = [part for part in topological([node]) if not isinstance(part, Leaf)]
    return len(inner) > 1 or not isinstance(node, Elementwise)


def _order(graph: Graph, defined: Collection[Node]) -> list[Node]:
    """The nodes to define, each after those it reads; gates first, as they were returned."""
    states = {graph.named[state.name] for state in graph.states}
    places = {node: place for place, node in enumerate(defined)}
    reads = {}
    for node in defined:
        inner = topological([node], known=set(defined) - {node})
        reads[node] = {o for part in inner for o in part.operands if o in places} - {node}
    ordered: list[Node] = []
    while len(ordered) < len(places):
        ready = [n for n in defined if n not in ordered and reads[n] <= set(ordered)]
        ordered.append(min(ready, key=lambda n: (n in states, places[n])))
    return ordered


def _columns(text: str) -> int:
    """How many columns of a terminal a text takes: accents take none."""
    return sum(not unicodedata.combining(letter) for letter in text)
