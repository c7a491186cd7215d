"""What a sketch shows of a graph: boxes, circles, and which value each of them reads.

A *layer* is a sum of learned maps and what is done to it at once, as in σ(W x + R h + b); an
affine map within it is not drawn. *Pointwise* parts act on each unit alone. A *join* puts values
side by side, as [h, x].
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from sluice.equations.graph import Affine, Elementwise, Graph, Leaf, Node, RowMap, RowNorm
from sluice.equations.op_table import OPS
from sluice.equations.row_maps import ROW_MAP_OPS, split_groups
from sluice.render.latex import EquationWriter, skip_neutral
from sluice.render.math_text import MathText
from sluice.render.sketch.chains import ChainLabels

Net = Node | tuple[Node, ...]  # what a wire carries: a value, or several side by side


@dataclass(eq=False)
class SketchElement:
    """One thing drawn: ``kind`` is layer, pointwise (a pill), circle, norm, row, join or
    block.

    ``marks`` stand beside the inputs' wires where it matters which is which. ``norms`` are what the
    layer norms of a layer's maps are taken over.
    """

    kind: str
    label: str
    inputs: tuple[Net, ...]
    output: Net
    norms: frozenset[tuple[Node, ...]] = frozenset()
    marks: tuple[str, ...] = ()

    @property
    def symbol(self) -> str:
        """Its label; a sign that has no operand beside it leaves no room for one."""
        return re.sub(r" ([-+/>])$", r"{\1}", self.label)

    @property
    def has_norm(self) -> bool:
        return bool(self.norms)


_LONGEST_FIXED = 24
"""How many letters a value that is the same at every step may have, to be written out."""
_MARKS = {
    "subtract": ("+", "-"),
    "divide": ("", r"\div"),
    "greater": ("", "<"),
    "greater_equal": ("", r"\leq"),
    "power": ("", r"\wedge"),
    "where": (r"?", "", r"\mathrm{else}"),
}


@dataclass
class ElementTable:
    """The parts of a graph, by the value that each yields."""

    graph: Graph
    writer: EquationWriter
    by_value: dict[Net, SketchElement] = field(default_factory=dict)

    @classmethod
    def from_graph(cls, graph: Graph) -> ElementTable:
        """Every part that the states and named values of ``graph`` need."""
        parts = cls.without_parts(graph)
        for _, node in graph.outputs:
            parts.add(node)
        for node in parts.find_fixed_states():
            words = parts.writer.expand(node)
            if len(words.plain) > _LONGEST_FIXED:
                words = parts.writer.refer(node)
            parts.by_value[node] = SketchElement("pointwise", words.latex, (), node)
        return parts

    def find_fixed_states(self) -> list[Node]:
        """New values of states that neither the input nor a state reaches."""
        values = (self.graph.outputs_by_name[state.name] for state in self.graph.states)
        return [node for node in dict.fromkeys(values) if self.is_parameter(node)]

    @classmethod
    def without_parts(cls, graph: Graph) -> ElementTable:
        """A table to which other parts are added."""
        return cls(graph, EquationWriter.from_graph(graph))

    def __post_init__(self) -> None:
        self._readers = Counter(o for node in self.graph.nodes for o in set(node.operands))
        self._named_nodes = set(self.graph.outputs_by_name.values())
        self.chains = ChainLabels(self.writer, self.is_parameter, self._is_fusible, self.resolve)
        self._parameters = find_parameters(self.graph)

    def add(self, node: Node) -> None:
        """Make the part that yields ``node``, and those before it."""
        if node in self.by_value or isinstance(node, Leaf) or self.is_parameter(node):
            return
        part = self._match_layer(node) or self._build_element(node)
        self.by_value[node] = part
        for net in part.inputs:
            for value in net if isinstance(net, tuple) else (net,):
                self.add(value)
            if isinstance(net, tuple):
                self.by_value.setdefault(net, SketchElement("join", "", net, net))

    def is_parameter(self, node: Node) -> bool:
        """Whether neither the input nor a state reaches ``node``: constants, vectors, masks."""
        return node in self._parameters

    def _match_layer(self, node: Node) -> SketchElement | None:
        """The layer that ends in ``node``, if there is one: maps, their sum, a function of it."""
        inner, chain = self.chains.fuse(node)
        maps, rest = self._split_sum(inner, root=inner is node or self._is_fusible(inner))
        if not maps or (rest and not chain):
            return None
        operands = tuple(dict.fromkeys(self.resolve(affine.operand) for affine, _ in maps))
        read: Net = operands[0] if len(operands) == 1 else self._sort_operands(operands)
        weight = MathText("W", "W")
        if len(maps) == 1 and not chain:
            weight = self.writer.notation.weight(maps[0][0])
        label = self.chains.write(chain, weight).latex
        norms = frozenset(group for _, group in maps if group)
        return SketchElement("layer", label, (read, *rest), node, norms)

    @staticmethod
    def _sort_operands(operands: tuple[Node, ...]) -> tuple[Node, ...]:
        return tuple(sorted(operands, key=lambda o: isinstance(o, Leaf) and o.kind == "input"))

    def _split_sum(
        self, node: Node, root: bool
    ) -> tuple[list[tuple[Affine, tuple[Node, ...]]], list[Node]]:
        """The maps that a sum adds up, each with what its norm is taken over, and other terms."""
        if not root and not self._is_fusible(node):
            return [], [node]
        if isinstance(node, Affine):
            return [(node, ())], []
        if isinstance(node, RowNorm) and isinstance(node.group[node.index], Affine):
            affine = node.group[node.index]
            assert isinstance(affine, Affine)
            return [(affine, node.group)], []
        if isinstance(node, Elementwise) and node.op == "add":
            found = [self._split_sum(operand, False) for operand in node.arguments]
            if any(maps for maps, _ in found):
                return [m for maps, _ in found for m in maps], [
                    self.resolve(r) for _, rest in found for r in rest
                ]
        return [], [node]

    def _is_fusible(self, node: Node) -> bool:
        """Whether a node may vanish within the part that reads it."""
        return node not in self._named_nodes and self._readers[node] == 1

    def _build_element(self, node: Node) -> SketchElement:
        if isinstance(node, RowNorm):
            return SketchElement(
                "norm", r"\mathrm{LN}", (self.resolve(node.group[node.index]),), node
            )
        if isinstance(node, RowMap):
            symbol = ROW_MAP_OPS[split_groups(node.op)[0]].latex
            return SketchElement("row", symbol, (self.resolve(node.operand),), node)
        if not isinstance(node, Elementwise):
            read = tuple(o for o in node.operands if not self.is_parameter(o))
            return SketchElement("pointwise", self.chains.write_call(node).latex, read, node)
        inner, chain = self.chains.fuse(node)
        if chain:
            label = self.chains.write(chain).latex
            is_function = OPS[chain[0].op].notation.latex.endswith("({})")
            kind = "pointwise" if is_function or len(label) > 4 else "circle"
            return SketchElement(kind, label, (inner,), node)
        marks = _MARKS.get(node.op, ("",) * len(node.arguments))
        pairs = [(self.resolve(o), mark) for o, mark in zip(node.arguments, marks, strict=True)]
        pairs = [(o, mark) for o, mark in pairs if not self.is_parameter(o)]
        read, marks = tuple(o for o, _ in pairs), tuple(mark for _, mark in pairs)
        kind, label = "circle", OPS[node.op].notation.symbol
        if len(read) < len(node.arguments):  # a branch that is a number, as of where(a > b, a, 0)
            kind, label = "pointwise", self.chains.write_branches(node).latex
        return SketchElement(kind, label, read, node, marks=marks)

    def resolve(self, node: Node) -> Node:
        """``node``, or what it is equal to where it has no name: a product with 1."""
        while node not in self._named_nodes and skip_neutral(node) is not node:
            node = skip_neutral(node)
        return node


def find_parameters(graph: Graph) -> set[Node]:
    """The nodes that neither the input nor a state reaches."""
    found: set[Node] = set()
    for node in graph.nodes:
        if isinstance(node, Leaf):
            fixed = node.kind not in ("input", "state")
        else:
            fixed = all(operand in found for operand in node.operands)
        if fixed:
            found.add(node)
    return found
