"""What a sketch shows of a graph: boxes, circles, and which value each of them reads.

A *layer* is a sum of learned maps and what is done to it at once, as in σ(W x + R h + b); an
affine map within it is not drawn. *Pointwise* parts act on each unit alone. A *join* puts values
side by side, as [h, x].
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from sluice.equations.graph import Affine, Elementwise, Graph, Leaf, Node, RowNorm
from sluice.equations.ops import CALL, TABLE
from sluice.render.latex import Writer

Net = Node | tuple[Node, ...]  # what a wire carries: a value, or several side by side


@dataclass(eq=False)
class Part:
    """One thing drawn: ``kind`` is layer, pointwise (a pill), circle, norm or join."""

    kind: str
    label: str
    inputs: tuple[Net, ...]
    output: Net
    normed: bool = False


@dataclass
class Parts:
    """The parts of a graph, by the value that each yields."""

    graph: Graph
    writer: Writer
    of: dict[Net, Part] = field(default_factory=dict)

    @classmethod
    def from_graph(cls, graph: Graph) -> Parts:
        """Every part that the states and named values of ``graph`` need."""
        parts = cls(graph, Writer.of(graph))
        for _, node in graph.outputs:
            parts.add(node)
        return parts

    def __post_init__(self) -> None:
        self._readers = Counter(o for node in self.graph.nodes for o in set(node.operands))
        self._told = set(self.graph.named.values())
        self._learned: dict[Node, bool] = {}

    def add(self, node: Node) -> None:
        """Make the part that yields ``node``, and those before it."""
        if node in self.of or isinstance(node, Leaf) or self.is_parameter(node):
            return
        part = self._layer(node) or self._other(node)
        self.of[node] = part
        for net in part.inputs:
            for value in net if isinstance(net, tuple) else (net,):
                self.add(value)
            if isinstance(net, tuple):
                self.of.setdefault(net, Part("join", "", net, net))

    def is_parameter(self, node: Node) -> bool:
        """Whether neither the input nor a state reaches ``node``: constants, vectors, masks."""
        if node not in self._learned:
            self._learned[node] = (
                node.kind not in ("input", "state")
                if isinstance(node, Leaf)
                else all(map(self.is_parameter, node.operands))
            )
        return self._learned[node]

    def _layer(self, node: Node) -> Part | None:
        """The layer that ends in ``node``, if there is one: maps, their sum, a function of it."""
        inner, label = self._fused(node)
        maps, rest = self._terms(inner, root=inner is node or self._inside(inner))
        if not maps or (rest and not label):
            return None
        operands = tuple(dict.fromkeys(affine.operand for affine, _ in maps))
        read: Net = operands[0] if len(operands) == 1 else self._input_last(operands)
        if not label:
            label = self.writer.notation.weight(maps[0][0]).latex if len(maps) == 1 else "W"
        return Part("layer", label, (read, *rest), node, any(normed for _, normed in maps))

    @staticmethod
    def _input_last(operands: tuple[Node, ...]) -> tuple[Node, ...]:
        return tuple(sorted(operands, key=lambda o: isinstance(o, Leaf) and o.kind == "input"))

    def _terms(self, node: Node, root: bool) -> tuple[list[tuple[Affine, bool]], list[Node]]:
        """The maps that a sum adds up, each with whether it is normed, and its other terms."""
        if not root and not self._inside(node):
            return [], [node]
        if isinstance(node, Affine):
            return [(node, False)], []
        if isinstance(node, RowNorm) and isinstance(node.group[node.index], Affine):
            affine = node.group[node.index]
            assert isinstance(affine, Affine)
            return [(affine, True)], []
        if isinstance(node, Elementwise) and node.op == "add":
            found = [self._terms(operand, False) for operand in node.arguments]
            if any(maps for maps, _ in found):
                return [m for maps, _ in found for m in maps], [
                    r for _, rest in found for r in rest
                ]
        return [], [node]

    def _inside(self, node: Node) -> bool:
        """Whether a node may vanish within the part that reads it."""
        return node not in self._told and self._readers[node] == 1

    def _other(self, node: Node) -> Part:
        if isinstance(node, RowNorm):
            return Part("norm", r"\mathrm{LN}", (node.group[node.index],), node)
        assert isinstance(node, Elementwise)
        inner, label = self._fused(node)
        if label:
            called = any(
                mark in label for mark in ("\\sigma", "\\exp", "\\log", "\\tanh", "mathrm")
            )
            kind = "pointwise" if called or len(label) > 4 else "circle"
            return Part(kind, label, (inner,), node)
        read = tuple(o for o in node.arguments if not self.is_parameter(o))
        return Part("circle", TABLE[node.op].written.sign, read, node)

    def _fused(self, node: Node) -> tuple[Node, str]:
        """Down a chain of operations on one value: where it begins, and the label of it all."""
        if not isinstance(node, Elementwise):
            return node, ""
        varying = {operand for operand in node.arguments if not self.is_parameter(operand)}
        if len(varying) != 1:
            return node, ""
        (operand,) = varying
        inner, label = self._fused(operand) if self._inside(operand) else (operand, "")
        return inner, self._label(node, label)

    def _label(self, node: Elementwise, inner: str) -> str:
        """An operation on one value, without that value, or of what ``inner`` already says."""
        written = TABLE[node.op].written
        if node.arguments[0] is node.arguments[-1] and len(node.arguments) > 1:
            return rf"{inner or '(.)'}^2" if node.op == "multiply" else rf"2\,{inner}"
        shown = [
            self.writer.refer(o).within(need).latex if self.is_parameter(o) else inner
            for o, need in zip(node.arguments, written.needs, strict=True)
        ]
        if len(shown) == 1:
            return written.sign + (f"({inner})" if inner else "")
        if node.op == "multiply":
            factor = shown[0] if self.is_parameter(node.arguments[0]) else shown[1]
            return rf"{factor}\,{inner}" if inner else rf"\times\,{factor}"
        if written.binds == CALL:
            shown = [s or r"\cdot" for s in shown]
        return written.latex.format(*shown).strip()
