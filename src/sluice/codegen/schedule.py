"""Sorting equations into phases: what can run before which product or norm is complete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sluice.codegen.body import ADD_ROW, LOAD, SCALAR, STORE, Access, Body
from sluice.codegen.program import (
    CHUNK,
    STEP,
    BufferSlot,
    NormStatistics,
    Phase,
    Product,
    RowMean,
)
from sluice.equations.graph import Elementwise, Leaf, Node

_COSTLY = frozenset({"exp", "log", "sqrt", "sigmoid", "log_sigmoid", "tanh", "divide"})
_CHEAP = 3


class BufferTable:
    """All places of a program; asked for by role and width, made when first asked for."""

    def __init__(self) -> None:
        self.buffers: list[BufferSlot] = []
        self._indices: dict[tuple[str, int, str], int] = {}

    def get(self, role: str, scope: str, width: str, index: int = 0, items: int = 1) -> int:
        key = (role, index, width)
        if key not in self._indices:
            self._indices[key] = len(self.buffers)
            self.buffers.append(BufferSlot(role, index, scope, width, items))
        return self._indices[key]

    def allocate_item(self, role: str, scope: str, width: str, count: int = 1) -> tuple[int, int]:
        """The next free item (the first of ``count``) of a place that grows."""
        place = self.get(role, scope, width, items=0)
        self.buffers[place].items += count
        return place, self.buffers[place].items - count


@dataclass(eq=False)
class ProductGroup:
    """Products that run together: several gates of one operand, or deltas back to one."""

    stack: str
    gates: tuple[str, ...]
    operands: tuple[Node, ...]
    transposed: bool
    width: str
    results: tuple[Leaf, ...]
    operand_buffer: int = -1
    spill_location: tuple[int, int] | None = None
    tile_buffer: int = -1


@dataclass(eq=False)
class NormGroup:
    """Statistics of a norm's group in this section, and the leaves that stand for them."""

    norm: str
    parts: tuple[Node, ...]
    leaves: tuple[Leaf, Leaf]
    target: int
    item: int


@dataclass(eq=False)
class MeanGroup:
    """Means of row sums: the leaf of each, what is summed, and where."""

    norm: str
    leaf: Leaf
    summands: tuple[Node, ...]
    source: int
    item: int
    target: int
    target_item: int


@dataclass
class PhaseScheduler:
    """Nodes that run as one list of phases; results of others are found by ``known``.

    ``known`` says where a node lies that this section need not compute: (place, item, kind).
    """

    name: str
    is_chunked: bool
    buffers: BufferTable
    locate_external: Callable[[Node], tuple[int, int, str] | None]
    groups: list[ProductGroup] = field(default_factory=list)
    norms: list[NormGroup] = field(default_factory=list)
    means: list[MeanGroup] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._levels: dict[Node, int] = {}
        self._costs: dict[Node, int] = {}
        self._stores: dict[tuple[int, str], dict[tuple[int, int, str], tuple[Node, bool]]] = {}
        self._spills: dict[Node, tuple[int, int]] = {}
        self._deferred_stores: list[tuple[Node, int, int, bool]] = []

    def find_group(self, leaf: Node) -> tuple[ProductGroup, int] | None:
        for group in self.groups:
            if leaf in group.results:
                return group, group.results.index(leaf)
        return None

    def level(self, node: Node) -> int:
        """How many products and norms must be complete, one after another, before ``node``."""
        if node not in self._levels:
            self._levels[node] = self._compute_level(node)
        return self._levels[node]

    def _compute_level(self, node: Node) -> int:
        if isinstance(node, Leaf):
            made = self.find_group(node)
            below: tuple[Node, ...] = made[0].operands if made else ()
            below += tuple(p for norm in self.norms if node in norm.leaves for p in norm.parts)
            below += tuple(p for mean in self.means if node is mean.leaf for p in mean.summands)
            return 1 + max(map(self.level, below)) if below else 0
        if self.locate_external(node) is not None:
            return 0
        return max(map(self.level, node.operands), default=0)

    def _estimate_cost(self, node: Node) -> int:
        if isinstance(node, Leaf) or self.locate_external(node) is not None:
            return 0
        if node not in self._costs:
            assert isinstance(node, Elementwise)
            own = 2 * _CHEAP if node.op in _COSTLY else 1
            self._costs[node] = min(99, own + sum(map(self._estimate_cost, node.arguments)))
        return self._costs[node]

    def store(
        self, node: Node, buffer: int, item: int, kind: str = STORE, optional: bool = False
    ) -> None:
        """Ask for ``node`` to be stored by the phase in which it is first there."""
        width = self.buffers.buffers[buffer].width or node.width
        wants = self._stores.setdefault((self.level(node), width), {})
        wants[buffer, item, kind] = (node, optional)

    def store_when_ready(self, node: Node, buffer: int, item: int, optional: bool = False) -> None:
        """As `want`, for what no later phase of this step waits for."""
        self._deferred_stores.append((node, buffer, item, optional))

    def build_phases(self) -> list[Phase]:
        """The phases, in order."""
        for number, group in enumerate(self.groups):
            self._allocate_group(number, group)
        norms = [(norm, [self._locate_norm_part(p) for p in norm.parts]) for norm in self.norms]
        for mean in self.means:
            for node in mean.summands:
                self._stores.setdefault((self.level(node), node.width), {})[
                    mean.source, mean.item, ADD_ROW
                ] = (node, False)
        for node, place, item, optional in self._deferred_stores:
            self._assign_phase(node, place, item, optional)
        levels = [level for level, _ in self._stores]
        levels += [self.level(norm.leaves[0]) for norm in self.norms]
        top = max([0, *levels, *map(self._group_level, self.groups)])
        bodies = {}
        for level in range(top, -1, -1):
            for width in sorted({w for at, w in self._stores if at == level}):
                bodies[level, width] = self._build_body(level, width)
        found: list[Phase] = []
        for level in range(top + 1):
            found += self._build_phases_at(level, bodies, norms)
        return found

    def _assign_phase(self, node: Node, buffer: int, item: int, optional: bool) -> None:
        width, level = self.buffers.buffers[buffer].width, self.level(node)
        if level == 0:
            level = min(
                (at for at, w in self._stores if w == width), default=self._find_first_level(width)
            )
        wants = self._stores.setdefault((level, width), {})
        wants[buffer, item, STORE] = (node, optional)

    def _find_first_level(self, width: str) -> int:
        return min((self._group_level(g) for g in self.groups if g.width == width), default=0)

    def _group_level(self, group: ProductGroup) -> int:
        return self.level(group.results[0])

    def _allocate_group(self, number: int, group: ProductGroup) -> None:
        role = f"{self.name} tile"
        count = len(group.results)
        group.tile_buffer = self.buffers.get(role, STEP, group.width, number, count)
        if group.operand_buffer < 0:
            (operand,) = group.operands
            found = self.locate_external(operand)
            if found is not None and found[2] == LOAD and self._is_operand_buffer(found[0]):
                group.operand_buffer = found[0]
                return
            index = len(self.buffers.buffers)
            scope = CHUNK if self.is_chunked else STEP
            group.operand_buffer = self.buffers.get(
                f"{self.name} operand", scope, operand.width, index
            )
            self.store(operand, group.operand_buffer, 0)

    def _is_operand_buffer(self, buffer: int) -> bool:
        found = self.buffers.buffers[buffer]
        return found.items == 1 and found.role in ("input", "previous")

    def _locate_norm_part(self, node: Node) -> tuple[int, int]:
        known = self.locate_external(node)
        if known is not None and known[2] == LOAD:
            return known[0], known[1]
        return self._spill(node)

    def spill(self, node: Node) -> tuple[int, int]:
        """Keep ``node`` for whoever runs after this section."""
        return self._spill(node)

    def _spill(self, node: Node) -> tuple[int, int]:
        """Keep ``node`` for later phases (a product's results side by side)."""
        made = self.find_group(node)
        scope = CHUNK if self.is_chunked else STEP
        role = f"{self.name} kept"
        if made:
            group, item = made
            if group.spill_location is None:
                group.spill_location = self.buffers.allocate_item(
                    role, scope, group.width, len(group.results)
                )
            where = (group.spill_location[0], group.spill_location[1] + item)
        elif node in self._spills:
            return self._spills[node]
        else:
            where = self.buffers.allocate_item(role, scope, node.width)
            self._spills[node] = where
        self.store(node, *where)
        return where

    def _locate(self, node: Node, level: int, width: str) -> tuple[int, int, str] | None:
        """Where a body at ``level`` finds ``node``; None where it computes it."""
        known = self.locate_external(node)
        if known is not None:
            return known
        for norm in self.norms:
            if node in norm.leaves:
                return norm.target, norm.item + norm.leaves.index(node), SCALAR
        for mean in self.means:
            if node is mean.leaf:
                return mean.target, mean.target_item, SCALAR
        made = self.find_group(node)
        if made:
            group, item = made
            if self.level(node) == level:
                return group.tile_buffer, item, LOAD
            return (*self._spill(node), LOAD)
        own = self.level(node)
        recompute = own == 0 and (
            self._estimate_cost(node) <= _CHEAP or (0, width) not in self._stores
        )
        if own == level or recompute:
            return None
        return (*self._spill(node), LOAD)

    def _build_body(self, level: int, width: str) -> tuple[Body, tuple[int, ...]]:
        slots: dict[int, int] = {}
        inputs: dict[Node, Access] = {}
        seen: set[Node] = set()

        def slot(place: int) -> int:
            return slots.setdefault(place, len(slots))

        def visit(node: Node) -> None:
            if node in seen or (isinstance(node, Leaf) and node.kind == "constant"):
                return
            seen.add(node)
            found = self._locate(node, level, width)
            if found is not None:
                place, item, kind = found
                inputs[node] = Access(kind, slot(place), item)
                return
            assert isinstance(node, Elementwise), node
            for operand in node.arguments:
                visit(operand)

        wants = self._stores[level, width]
        for node, _ in wants.values():
            visit(node)
        outputs = tuple(
            (node, Access(kind, slot(place), item, optional))
            for (place, item, kind), (node, optional) in wants.items()
        )
        return Body(tuple(inputs.items()), outputs, len(slots)), tuple(slots)

    def _build_phases_at(
        self,
        level: int,
        bodies: dict[tuple[int, str], tuple[Body, tuple[int, ...]]],
        norms: list[tuple[NormGroup, list[tuple[int, int]]]],
    ) -> list[Phase]:
        groups = [group for group in self.groups if self._group_level(group) == level]
        widths = {group.width for group in groups} | {w for at, w in bodies if at == level}
        first = Phase("")
        for norm, parts in norms:
            if self.level(norm.leaves[0]) == level:
                first.statistics.append(
                    NormStatistics(norm.norm, tuple(parts), norm.target, norm.item)
                )
        for mean in self.means:
            if self.level(mean.leaf) == level:
                words = (mean.norm, mean.source, mean.item, mean.target, mean.target_item)
                first.means.append(RowMean(*words))
        found = []
        for width in sorted(widths):
            phase = Phase(width)
            own = [group for group in groups if group.width == width]
            phase.body, phase.buffers = bodies.get((level, width), (None, ()))
            if phase.body is not None and _only_spills(phase.body, own):
                phase.body, phase.buffers = None, ()
                for group in own:
                    assert group.spill_location is not None
                    phase.products.append(self._build_product(group, *group.spill_location))
            else:
                phase.products = [self._build_product(group, group.tile_buffer, 0) for group in own]
            found.append(phase)
        if not (first.statistics or first.means):
            return found
        if not found:
            first.width = self.buffers.buffers[first.statistics[0].sources[0][0]].width
            return [first]
        found[0].statistics, found[0].means = first.statistics, first.means
        return found

    def _build_product(self, group: ProductGroup, target: int, item: int) -> Product:
        return Product(
            group.stack,
            group.gates,
            group.transposed,
            group.operand_buffer,
            group.width,
            target,
            item,
        )


def _only_spills(body: Body, groups: list[ProductGroup]) -> bool:
    """Whether a body only moves all results of its phase's products to where they are kept."""
    results = {leaf for group in groups for leaf in group.results}
    outputs = [node for node, _ in body.outputs]
    kept = all(group.spill_location is not None for group in groups)
    return kept and bool(groups) and set(outputs) == results and len(outputs) == len(results)
