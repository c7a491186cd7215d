"""The way there of a program: equations expanded, sorted into sections, given places."""

from __future__ import annotations

from sluice.equations.graph import (
    Affine,
    Elementwise,
    Graph,
    Leaf,
    Node,
    RowNorm,
    dependents,
    elementwise,
)
from sluice.render.body import LOAD, PARAMETER, SCALAR
from sluice.render.program import CONST, STEP, TIME
from sluice.render.section import Group, Norm, Places, Section


class Forward:
    """The graph with its maps and norms replaced by leaves that products and statistics fill."""

    def __init__(self, graph: Graph, biased: bool) -> None:
        self.graph, self.biased, self.places = graph, biased, Places()
        self.hoisted = Section("hoisted", True, self.places, self._known_hoisted)
        self.step = Section("step", False, self.places, self._known_step)
        self.parameters: dict[tuple[str, str], tuple[int, int]] = {}
        self.saved: dict[Node, tuple[int, int]] = {}
        roots = [n for n in graph.nodes if isinstance(n, Leaf) and n.kind in ("state", "mask")]
        self._each_step = dependents(graph.nodes, roots)
        self._expanded: dict[Node, Node] = {}
        for node in graph.nodes:
            self.expand(node)
        for section in (self.hoisted, self.step):
            for group in section.groups:
                group.gates, group.results = self._in_order(group)
        self._states()

    def expand(self, node: Node) -> Node:
        """``node`` as elementwise operations on leaves."""
        if node not in self._expanded:
            self._expanded[node] = self._expand(node)
        return self._expanded[node]

    def _expand(self, node: Node) -> Node:
        if isinstance(node, Leaf):
            return node
        section = self.step if node in self._each_step else self.hoisted
        if isinstance(node, Affine):
            return self._affine(section, node)
        if isinstance(node, RowNorm):
            value, (mean, scale) = self.norm_parts(node)
            gain, bias = self.norm_parameters(node)
            standard = (value - mean) * scale
            scaled: Node = standard * gain
            return scaled if bias is None else elementwise("add", scaled, bias)
        assert isinstance(node, Elementwise)
        if node.op == "detach":  # a matter of gradients, which the adjoint has settled
            return self.expand(node.arguments[0])
        return elementwise(node.op, *map(self.expand, node.arguments))

    def _affine(self, section: Section, node: Affine) -> Leaf:
        operand = (self.expand(node.operand),)
        group = next(
            (
                g
                for g in section.groups
                if (g.stack, g.operands, g.width) == (node.stack, operand, node.width)
            ),
            None,
        )
        if group is None:
            group = Group(node.stack, (), operand, False, node.width, ())
            section.groups.append(group)
        name = f"{section.name}.{section.groups.index(group)}.{node.gate}"
        leaf = Leaf("product", name, node.width)
        if leaf not in group.results:
            group.gates, group.results = (*group.gates, node.gate), (*group.results, leaf)
        return leaf

    def _in_order(self, group: Group) -> tuple[tuple[str, ...], tuple[Leaf, ...]]:
        order = [gate for gate, _ in self.graph.stack(group.stack).gates]
        pairs = sorted(
            zip(group.gates, group.results, strict=True), key=lambda pair: order.index(pair[0])
        )
        return tuple(gate for gate, _ in pairs), tuple(leaf for _, leaf in pairs)

    def norm_parts(self, node: RowNorm) -> tuple[Node, tuple[Leaf, Leaf]]:
        """A norm's own part of its group, and the leaves of its mean and 1/σ."""
        parts = tuple(map(self.expand, node.group))
        for norm in (*self.step.norms, *self.hoisted.norms):
            if (norm.norm, norm.parts) == (node.norm, parts):
                return parts[node.index], norm.leaves
        section = self.step if node in self._each_step else self.hoisted
        number = len(self.step.norms) + len(self.hoisted.norms)
        leaves = (Leaf("row", f"{number}.mean", "1"), Leaf("row", f"{number}.scale", "1"))
        role = "statistics" if section is self.step else "hoisted statistics"
        place, item = self.places.item(role, TIME, "", 2)
        norm = Norm(node.norm, parts, leaves, place, item)
        section.norms.append(norm)
        return parts[node.index], norm.leaves

    def norm_parameters(self, node: RowNorm) -> tuple[Node, Node | None]:
        width = node.group[node.index].width
        gain = Leaf("vector", f"weight_{node.norm}/{node.index}", width)
        bias = Leaf("vector", f"bias_{node.norm}/{node.index}", width)
        return gain, bias if self.biased else None

    def parameter(self, leaf: Leaf) -> tuple[int, int]:
        """Where a per-unit parameter lies; its name may end in "/part" for a part of a norm."""
        name, _, part = leaf.name.partition("/")
        key = (leaf.name, leaf.width)
        if key not in self.parameters:
            self.parameters[key] = self.places.item("parameters", CONST, leaf.width)
            self.named_parameters.append((name, part, *self.parameters[key]))
        return self.parameters[key]

    named_parameters: list[tuple[str, str, int, int]]

    def leaf(self, leaf: Leaf) -> tuple[int, int, str] | None:
        """Where what comes in from outside a step lies."""
        get = self.places.get
        if leaf.kind == "state":
            return get("previous", STEP, leaf.width, self._state_index(leaf.name)), 0, LOAD
        if leaf.kind == "input":
            return get("input", TIME, leaf.width), 0, LOAD
        if leaf.kind == "mask":
            names = [mask.name for mask in self.graph.masks]
            return get("mask", TIME, leaf.width, names.index(leaf.name)), 0, LOAD
        if leaf.kind == "vector":
            return (*self.parameter(leaf), PARAMETER)
        return None

    def statistic(self, leaf: Leaf) -> tuple[int, int, str] | None:
        """Where a norm's mean or 1/σ lies, whichever section filled it."""
        for norm in (*self.step.norms, *self.hoisted.norms):
            if leaf in norm.leaves:
                return norm.target, norm.item + norm.leaves.index(leaf), SCALAR
        return None

    def _known_hoisted(self, node: Node) -> tuple[int, int, str] | None:
        return self.leaf(node) if isinstance(node, Leaf) else None

    def _known_step(self, node: Node) -> tuple[int, int, str] | None:
        if not isinstance(node, Leaf):
            return None
        if self.hoisted.result_of(node):
            return (*self.hoisted.keep(node), LOAD)
        if any(node in norm.leaves for norm in self.hoisted.norms):
            return self.statistic(node)
        return self.leaf(node)

    def _state_index(self, name: str) -> int:
        return [state.name for state in self.graph.states].index(name)

    def _states(self) -> None:
        self.named_parameters = []
        self.names: dict[str, tuple[int, int]] = {}
        for index, state in enumerate(self.graph.states):
            place = self.places.get("next", TIME, state.width, index)
            node = self.expand(self.graph.named[state.name])
            self.step.want_any_time(node, place, 0)
            self.names[state.name] = (place, 0)
            if not isinstance(node, Leaf) or node.kind == "product":
                self.saved.setdefault(node, (place, 0))
        for name, node in self.graph.named.items():
            if name not in self.names:
                self.names[name] = self.save(self.expand(node), self._width(name, node))

    def _width(self, name: str, node: Node) -> str:
        return "hidden" if node.width == "1" else node.width

    def save(self, node: Node, width: str) -> tuple[int, int]:
        """Keep ``node`` of every step, for the way back and for whoever looks."""
        if node not in self.saved:
            where = self.places.item("tape", TIME, width)
            self.step.want_any_time(node, *where, optional=True)
            self.saved[node] = where
        return self.saved[node]
