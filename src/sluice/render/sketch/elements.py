"""What a sketch shows of a graph: boxes, circles, and which value each of them reads.

A *layer* is a sum of learned maps and what is done to it at once, as in σ(W x + R h + b); an
affine map within it is not drawn. *Pointwise* parts act on each unit alone. A *join* puts values
side by side, as [h, x].
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from sluice.equations.graph import Affine, Elementwise, Graph, Leaf, Node, RowMap, RowNorm
from sluice.equations.op_table import CALL, OPS
from sluice.equations.row_maps import ROW_MAP_OPS, split_groups
from sluice.render.latex import EquationWriter

Net = Node | tuple[Node, ...]  # what a wire carries: a value, or several side by side


@dataclass(eq=False)
class SketchElement:
    """One thing drawn: ``kind`` is layer, pointwise (a pill), circle, norm or join."""

    kind: str
    label: str
    inputs: tuple[Net, ...]
    output: Net
    has_norm: bool = False


@dataclass
class ElementTable:
    """The parts of a graph, by the value that each yields."""

    graph: Graph
    writer: EquationWriter
    by_value: dict[Net, SketchElement] = field(default_factory=dict)

    @classmethod
    def from_graph(cls, graph: Graph) -> ElementTable:
        """Every part that the states and named values of ``graph`` need."""
        parts = cls(graph, EquationWriter.from_graph(graph))
        for _, node in graph.outputs:
            parts.add(node)
        return parts

    def __post_init__(self) -> None:
        self._readers = Counter(o for node in self.graph.nodes for o in set(node.operands))
        self._named_nodes = set(self.graph.outputs_by_name.values())
        self._parameter_cache: dict[Node, bool] = {}

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
        if node not in self._parameter_cache:
            self._parameter_cache[node] = (
                node.kind not in ("input", "state")
                if isinstance(node, Leaf)
                else all(map(self.is_parameter, node.operands))
            )
        return self._parameter_cache[node]

    def _match_layer(self, node: Node) -> SketchElement | None:
        """The layer that ends in ``node``, if there is one: maps, their sum, a function of it."""
        inner, label = self._fuse_chain(node)
        maps, rest = self._split_sum(inner, root=inner is node or self._is_fusible(inner))
        if not maps or (rest and not label):
            return None
        operands = tuple(dict.fromkeys(affine.operand for affine, _ in maps))
        read: Net = operands[0] if len(operands) == 1 else self._sort_operands(operands)
        if not label:
            label = self.writer.notation.weight(maps[0][0]).latex if len(maps) == 1 else "W"
        return SketchElement("layer", label, (read, *rest), node, any(normed for _, normed in maps))

    @staticmethod
    def _sort_operands(operands: tuple[Node, ...]) -> tuple[Node, ...]:
        return tuple(sorted(operands, key=lambda o: isinstance(o, Leaf) and o.kind == "input"))

    def _split_sum(self, node: Node, root: bool) -> tuple[list[tuple[Affine, bool]], list[Node]]:
        """The maps that a sum adds up, each with whether it is normed, and its other terms."""
        if not root and not self._is_fusible(node):
            return [], [node]
        if isinstance(node, Affine):
            return [(node, False)], []
        if isinstance(node, RowNorm) and isinstance(node.group[node.index], Affine):
            affine = node.group[node.index]
            assert isinstance(affine, Affine)
            return [(affine, True)], []
        if isinstance(node, Elementwise) and node.op == "add":
            found = [self._split_sum(operand, False) for operand in node.arguments]
            if any(maps for maps, _ in found):
                return [m for maps, _ in found for m in maps], [
                    r for _, rest in found for r in rest
                ]
        return [], [node]

    def _is_fusible(self, node: Node) -> bool:
        """Whether a node may vanish within the part that reads it."""
        return node not in self._named_nodes and self._readers[node] == 1

    def _build_element(self, node: Node) -> SketchElement:
        if isinstance(node, RowNorm):
            return SketchElement("norm", r"\mathrm{LN}", (node.group[node.index],), node)
        if isinstance(node, RowMap):
            symbol = ROW_MAP_OPS[split_groups(node.op)[0]].latex
            return SketchElement("pointwise", symbol, (node.operand,), node)
        assert isinstance(node, Elementwise)
        inner, label = self._fuse_chain(node)
        if label:
            called = any(
                mark in label for mark in ("\\sigma", "\\exp", "\\log", "\\tanh", "mathrm")
            )
            kind = "pointwise" if called or len(label) > 4 else "circle"
            return SketchElement(kind, label, (inner,), node)
        read = tuple(o for o in node.arguments if not self.is_parameter(o))
        return SketchElement("circle", OPS[node.op].notation.symbol, read, node)

    def _fuse_chain(self, node: Node) -> tuple[Node, str]:
        """Down a chain of operations on one value: where it begins, and the label of it all."""
        if not isinstance(node, Elementwise):
            return node, ""
        varying = {operand for operand in node.arguments if not self.is_parameter(operand)}
        if len(varying) != 1:
            return node, ""
        (operand,) = varying
        inner, label = self._fuse_chain(operand) if self._is_fusible(operand) else (operand, "")
        return inner, self._build_label(node, label)

    def _build_label(self, node: Elementwise, inner: str) -> str:
        """An operation on one value, without that value, or of what ``inner`` already says."""
        written = OPS[node.op].notation
        if node.arguments[0] is node.arguments[-1] and len(node.arguments) > 1:
            return rf"{inner or '(.)'}^2" if node.op == "multiply" else rf"2\,{inner}"
        if node.op == "power":
            inner = inner or "(.)"
        shown = [
            self.writer.refer(o).parenthesize(need).latex if self.is_parameter(o) else inner
            for o, need in zip(node.arguments, written.operand_precedences, strict=True)
        ]
        if len(shown) == 1:
            return written.symbol + (f"({inner})" if inner else "")
        if node.op == "multiply":
            factor = shown[0] if self.is_parameter(node.arguments[0]) else shown[1]
            return rf"{factor}\,{inner}" if inner else rf"\times\,{factor}"
        if written.precedence == CALL:
            shown = [s or r"\cdot" for s in shown]
        return written.latex.format(*shown).strip()
