"""The forward pass of a program: equations expanded, sorted into sections, given buffers."""

from __future__ import annotations

from sluice.codegen.body import LOAD, PARAMETER, SCALAR
from sluice.codegen.buffers import BufferTable, Item
from sluice.codegen.folding import fold
from sluice.codegen.program import CONST, STEP, TIME
from sluice.codegen.section import (
    MAPPED,
    Location,
    NormGroup,
    ProductGroup,
    Section,
    StoreRequest,
    broadcast,
)
from sluice.equations.graph import (
    Affine,
    Elementwise,
    Graph,
    Leaf,
    Node,
    RowMap,
    RowNorm,
    X,
    as_node,
    elementwise,
    find_dependents,
)
from sluice.equations.specs import CONSTANT


class ForwardLowering:
    """The graph with its maps and norms replaced by leaves for products and statistics."""

    def __init__(self, graph: Graph, has_bias: bool) -> None:
        self.graph, self.has_bias, self.buffers = graph, has_bias, BufferTable()
        self.hoisted = Section("hoisted", True, self.buffers, self._locate_for_hoisted)
        self.step = Section("step", False, self.buffers, self._locate_for_step)
        self.parameter_locations: dict[tuple[str, str], Item] = {}
        self.tape_locations: dict[Node, Item] = {}
        roots = [
            n
            for n in graph.nodes
            if isinstance(n, RowMap) or (isinstance(n, Leaf) and n.kind in ("state", "mask"))
        ]
        self._per_step_nodes = find_dependents(graph.nodes, roots)
        self._expansions: dict[Node, Node] = {}
        self._groups: dict[tuple[str, str, Node, str], tuple[int, ProductGroup]] = {}
        for node in graph.nodes:
            self.expand(node)
        for section in (self.hoisted, self.step):
            for group in section.groups:
                group.gates, group.results = self._sort_gates(group)
        self._store_kept_values()

    def expand(self, node: Node) -> Node:
        """``node`` as elementwise operations on leaves."""
        if node not in self._expansions:
            self._expansions[node] = self._expand(node)
        return self._expansions[node]

    def _expand(self, node: Node) -> Node:
        if isinstance(node, Leaf):
            return node
        section = self.step if node in self._per_step_nodes else self.hoisted
        if isinstance(node, Affine):
            return self._expand_affine(section, node)
        if isinstance(node, RowNorm):
            value, (mean, scale) = self.expand_norm(node)
            gain, bias = self.build_norm_parameters(node)
            standard = (value - mean) * scale
            scaled = as_node(standard * gain)
            return scaled if bias is None else elementwise("add", scaled, bias)
        if isinstance(node, RowMap):
            return expand_row_map(section, node, self.expand(node.operand))
        assert isinstance(node, Elementwise)
        if (
            node.op == "detach"
        ):  # it concerns gradients alone, and the adjoint has taken it into account
            return self.expand(node.arguments[0])
        return fold(node.op, *map(self.expand, node.arguments))

    def _expand_affine(self, section: Section, node: Affine) -> Leaf:
        operand = self.expand(node.operand)
        key = (section.name, node.stack, operand, node.width)
        if key not in self._groups:
            group = ProductGroup(node.stack, (), (operand,), False, node.width, ())
            self._groups[key] = len(section.groups), group
            section.add_group(group)
        number, group = self._groups[key]
        name = f"{section.name}.{number}.{node.gate}"
        leaf = Leaf("product", name, node.width)
        if leaf not in group.results:
            section.add_result(group, node.gate, leaf)
        return leaf

    def _sort_gates(self, group: ProductGroup) -> tuple[tuple[str, ...], tuple[Leaf, ...]]:
        order = [gate for gate, _ in self.graph.get_stack(group.stack).gates]
        pairs = sorted(
            zip(group.gates, group.results, strict=True), key=lambda pair: order.index(pair[0])
        )
        return tuple(gate for gate, _ in pairs), tuple(leaf for _, leaf in pairs)

    def expand_norm(self, node: RowNorm) -> tuple[Node, tuple[Leaf, Leaf]]:
        """A norm's own part of its group, and the leaves of its mean and 1/σ."""
        parts = tuple(map(self.expand, node.group))
        for norm in (*self.step.norms, *self.hoisted.norms):
            if (norm.norm, norm.parts) == (node.norm, parts):
                return parts[node.index], norm.leaves
        section = self.step if node in self._per_step_nodes else self.hoisted
        number = len(self.step.norms) + len(self.hoisted.norms)
        leaves = (Leaf("row", f"{number}.mean", "1"), Leaf("row", f"{number}.scale", "1"))
        role = "statistics" if section is self.step else "hoisted statistics"
        buffer, item = self.buffers.allocate_item(role, TIME, "", 2)
        norm = NormGroup(node.norm, parts, leaves, buffer, item)
        section.norms.append(norm)
        return parts[node.index], norm.leaves

    def build_norm_parameters(self, node: RowNorm) -> tuple[Node, Node | None]:
        width = node.group[node.index].width
        gain = Leaf("vector", f"weight_{node.norm}/{node.index}", width)
        bias = Leaf("vector", f"bias_{node.norm}/{node.index}", width)
        return gain, bias if self.has_bias else None

    def locate_parameter(self, leaf: Leaf) -> Item:
        """Where a per-unit parameter lies; its name may end in "/part" for a part of a norm.

        Without a name it is one where a unit is, or the number of units of the width after "/".
        """
        name, _, part = leaf.name.partition("/")
        key = (leaf.name, leaf.width)
        if key not in self.parameter_locations:
            self.parameter_locations[key] = self.buffers.allocate_item(
                "parameters", CONST, leaf.width
            )
            self.parameter_entries.append((name, part, *self.parameter_locations[key]))
        return self.parameter_locations[key]

    parameter_entries: list[tuple[str, str, int, int]]

    def locate_leaf(self, leaf: Leaf) -> Location | None:
        """Where a value from outside the step lies."""
        get = self.buffers.get
        if leaf.kind == "state":
            return get("previous", STEP, leaf.width, self._state_index(leaf.name)), 0, LOAD
        if leaf is X:
            return get("input", TIME, leaf.width), 0, LOAD
        if leaf.kind in ("mask", "input"):
            index = [one.name for one in self.graph.masks_and_inputs].index(leaf.name)
            return get("mask", TIME, leaf.width, index), 0, LOAD
        if leaf.kind == "vector":
            return (*self.locate_parameter(leaf), PARAMETER)
        if leaf.kind == "size":
            return (*self.locate_parameter(Leaf("vector", f"/{leaf.name}", leaf.width)), PARAMETER)
        return None

    def locate_statistic(self, leaf: Leaf) -> Location | None:
        """Where a norm's mean or 1/σ lies, of either section, or a number that a row map made."""
        for norm in (*self.step.norms, *self.hoisted.norms):
            if leaf in norm.leaves:
                return norm.target, norm.item + norm.leaves.index(leaf), SCALAR
        if leaf.kind == "row" and leaf in self.step.maps:
            return self.step.maps[leaf].target, self.step.maps[leaf].item, SCALAR
        return None

    def _locate_for_hoisted(self, node: Node) -> Location | None:
        return self.locate_leaf(node) if isinstance(node, Leaf) else None

    def _locate_for_step(self, node: Node) -> Location | None:
        if not isinstance(node, Leaf):
            return None
        if self.hoisted.find_group(node):
            return (*self.hoisted.spill(node), LOAD)
        if any(node in norm.leaves for norm in self.hoisted.norms):
            return self.locate_statistic(node)
        return self.locate_leaf(node)

    def _state_index(self, name: str) -> int:
        return [value.name for value in self.graph.kept_values].index(name)

    def _store_kept_values(self) -> None:
        self.parameter_entries = []
        self.value_locations: dict[str, Item] = {}
        for index, value in enumerate(self.graph.kept_values):
            buffer = self.buffers.get("next", TIME, value.width, index)
            node = self.expand(self.graph.outputs_by_name[value.name])
            self.step.store_when_ready(StoreRequest(node, buffer, 0))
            self.value_locations[value.name] = (buffer, 0)
            if not isinstance(node, Leaf) or node.kind in ("product", MAPPED):
                self.tape_locations.setdefault(node, (buffer, 0))
        for name, node in self.graph.outputs_by_name.items():
            if name not in self.value_locations:
                self.value_locations[name] = self.save_to_tape(self.expand(node), node.width)

    def save_to_tape(self, node: Node, width: str) -> Item:
        """Keep ``node`` of every step, for the backward pass and for recordings."""
        if node not in self.tape_locations:
            where = self.buffers.allocate_item("tape", TIME, width)
            self.step.store_when_ready(StoreRequest(node, *where, optional=True))
            self.tape_locations[node] = where
        return self.tape_locations[node]


def expand_row_map(section: Section, node: RowMap, operand: Node) -> Node:
    """A row map as a leaf of ``section``, or, of one number a row, as that number everywhere."""
    if node.operand.width == CONSTANT:
        return broadcast(operand, node.width)
    return section.add_map(node.op, operand, node.width)
