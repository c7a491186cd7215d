"""Sorting equations into phases: what can run before which product or norm is complete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sluice.equations.graph import Elementwise, Leaf, Node
from sluice.render.body import ADD_ROW, LOAD, SCALAR, STORE, Access, Body
from sluice.render.program import (
    CHUNK,
    STEP,
    Phase,
    Place,
    Product,
    RowMean,
    Statistics,
)

_COSTLY = frozenset({"exp", "log", "sqrt", "sigmoid", "log_sigmoid", "tanh", "divide"})
_CHEAP = 3


class Places:
    """All places of a program; asked for by role and width, made when first asked for."""

    def __init__(self) -> None:
        self.all: list[Place] = []
        self._found: dict[tuple[str, int, str], int] = {}

    def get(self, role: str, scope: str, width: str, index: int = 0, items: int = 1) -> int:
        key = (role, index, width)
        if key not in self._found:
            self._found[key] = len(self.all)
            self.all.append(Place(role, index, scope, width, items))
        return self._found[key]

    def item(self, role: str, scope: str, width: str, count: int = 1) -> tuple[int, int]:
        """The next free item (the first of ``count``) of a place that grows."""
        place = self.get(role, scope, width, items=0)
        self.all[place].items += count
        return place, self.all[place].items - count


@dataclass(eq=False)
class Group:
    """Products that run together: several gates of one operand, or deltas back to one."""

    stack: str
    gates: tuple[str, ...]
    operands: tuple[Node, ...]
    transposed: bool
    width: str
    results: tuple[Leaf, ...]
    operand: int = -1
    kept: tuple[int, int] | None = None
    tile: int = -1


@dataclass(eq=False)
class Norm:
    """Statistics of a norm's group in this section, and the leaves that stand for them."""

    norm: str
    parts: tuple[Node, ...]
    leaves: tuple[Leaf, Leaf]
    target: int
    item: int


@dataclass(eq=False)
class Means:
    """Means of row sums: the leaf of each, what is summed, and where."""

    norm: str
    leaf: Leaf
    summed: tuple[Node, ...]
    source: int
    item: int
    target: int
    target_item: int


@dataclass
class Section:
    """Nodes that run as one list of phases; results of others are found by ``known``.

    ``known`` says where a node lies that this section need not compute: (place, item, kind).
    """

    name: str
    chunked: bool
    places: Places
    known: Callable[[Node], tuple[int, int, str] | None]
    groups: list[Group] = field(default_factory=list)
    norms: list[Norm] = field(default_factory=list)
    means: list[Means] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._levels: dict[Node, int] = {}
        self._costs: dict[Node, int] = {}
        self._wants: dict[tuple[int, str], dict[tuple[int, int, str], tuple[Node, bool]]] = {}
        self._crossing: dict[Node, tuple[int, int]] = {}
        self._later: list[tuple[Node, int, int, bool]] = []

    def result_of(self, leaf: Node) -> tuple[Group, int] | None:
        for group in self.groups:
            if leaf in group.results:
                return group, group.results.index(leaf)
        return None

    def level(self, node: Node) -> int:
        """How many products and norms must be complete, one after another, before ``node``."""
        if node not in self._levels:
            self._levels[node] = self._level(node)
        return self._levels[node]

    def _level(self, node: Node) -> int:
        if isinstance(node, Leaf):
            made = self.result_of(node)
            below: tuple[Node, ...] = made[0].operands if made else ()
            below += tuple(p for norm in self.norms if node in norm.leaves for p in norm.parts)
            below += tuple(p for mean in self.means if node is mean.leaf for p in mean.summed)
            return 1 + max(map(self.level, below)) if below else 0
        if self.known(node) is not None:
            return 0
        return max(map(self.level, node.operands), default=0)

    def _cost(self, node: Node) -> int:
        if isinstance(node, Leaf) or self.known(node) is not None:
            return 0
        if node not in self._costs:
            assert isinstance(node, Elementwise)
            own = 2 * _CHEAP if node.op in _COSTLY else 1
            self._costs[node] = min(99, own + sum(map(self._cost, node.arguments)))
        return self._costs[node]

    def want(
        self, node: Node, place: int, item: int, kind: str = STORE, optional: bool = False
    ) -> None:
        """Ask for ``node`` to be stored by the phase in which it is first there."""
        width = self.places.all[place].width or node.width
        wants = self._wants.setdefault((self.level(node), width), {})
        wants[place, item, kind] = (node, optional)

    def want_any_time(self, node: Node, place: int, item: int, optional: bool = False) -> None:
        """As `want`, for what no later phase of this step waits for."""
        self._later.append((node, place, item, optional))

    def phases(self) -> list[Phase]:
        """The phases, in order."""
        for number, group in enumerate(self.groups):
            self._place_group(number, group)
        norms = [(norm, [self._part(p) for p in norm.parts]) for norm in self.norms]
        for mean in self.means:
            for node in mean.summed:
                self._wants.setdefault((self.level(node), node.width), {})[
                    mean.source, mean.item, ADD_ROW
                ] = (node, False)
        for node, place, item, optional in self._later:
            self._settle(node, place, item, optional)
        levels = [level for level, _ in self._wants]
        levels += [self.level(norm.leaves[0]) for norm in self.norms]
        top = max([0, *levels, *map(self._group_level, self.groups)])
        bodies = {}
        for level in range(top, -1, -1):
            for width in sorted({w for at, w in self._wants if at == level}):
                bodies[level, width] = self._body(level, width)
        found: list[Phase] = []
        for level in range(top + 1):
            found += self._phases_at(level, bodies, norms)
        return found

    def _settle(self, node: Node, place: int, item: int, optional: bool) -> None:
        width, level = self.places.all[place].width, self.level(node)
        if level == 0:
            level = min((at for at, w in self._wants if w == width), default=self._first(width))
        wants = self._wants.setdefault((level, width), {})
        wants[place, item, STORE] = (node, optional)

    def _first(self, width: str) -> int:
        return min((self._group_level(g) for g in self.groups if g.width == width), default=0)

    def _group_level(self, group: Group) -> int:
        return self.level(group.results[0])

    def _place_group(self, number: int, group: Group) -> None:
        role = f"{self.name} tile"
        count = len(group.results)
        group.tile = self.places.get(role, STEP, group.width, number, count)
        if group.operand < 0:
            (operand,) = group.operands
            found = self.known(operand)
            if found is not None and found[2] == LOAD and self._is_line(found[0]):
                group.operand = found[0]
                return
            index = len(self.places.all)
            scope = CHUNK if self.chunked else STEP
            group.operand = self.places.get(f"{self.name} operand", scope, operand.width, index)
            self.want(operand, group.operand, 0)

    def _is_line(self, place: int) -> bool:
        found = self.places.all[place]
        return found.items == 1 and found.role in ("input", "previous")

    def _part(self, node: Node) -> tuple[int, int]:
        known = self.known(node)
        if known is not None and known[2] == LOAD:
            return known[0], known[1]
        return self._cross(node)

    def keep(self, node: Node) -> tuple[int, int]:
        """Keep ``node`` for whoever runs after this section."""
        return self._cross(node)

    def _cross(self, node: Node) -> tuple[int, int]:
        """Keep ``node`` for later phases (a product's results side by side)."""
        made = self.result_of(node)
        scope = CHUNK if self.chunked else STEP
        role = f"{self.name} kept"
        if made:
            group, item = made
            if group.kept is None:
                group.kept = self.places.item(role, scope, group.width, len(group.results))
            where = (group.kept[0], group.kept[1] + item)
        elif node in self._crossing:
            return self._crossing[node]
        else:
            where = self.places.item(role, scope, node.width)
            self._crossing[node] = where
        self.want(node, *where)
        return where

    def _locate(self, node: Node, level: int, width: str) -> tuple[int, int, str] | None:
        """Where a body at ``level`` finds ``node``; None where it computes it."""
        known = self.known(node)
        if known is not None:
            return known
        for norm in self.norms:
            if node in norm.leaves:
                return norm.target, norm.item + norm.leaves.index(node), SCALAR
        for mean in self.means:
            if node is mean.leaf:
                return mean.target, mean.target_item, SCALAR
        made = self.result_of(node)
        if made:
            group, item = made
            if self.level(node) == level:
                return group.tile, item, LOAD
            return (*self._cross(node), LOAD)
        own = self.level(node)
        recompute = own == 0 and (self._cost(node) <= _CHEAP or (0, width) not in self._wants)
        if own == level or recompute:
            return None
        return (*self._cross(node), LOAD)

    def _body(self, level: int, width: str) -> tuple[Body, tuple[int, ...]]:
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

        wants = self._wants[level, width]
        for node, _ in wants.values():
            visit(node)
        outputs = tuple(
            (node, Access(kind, slot(place), item, optional))
            for (place, item, kind), (node, optional) in wants.items()
        )
        return Body(tuple(inputs.items()), outputs, len(slots)), tuple(slots)

    def _phases_at(
        self,
        level: int,
        bodies: dict[tuple[int, str], tuple[Body, tuple[int, ...]]],
        norms: list[tuple[Norm, list[tuple[int, int]]]],
    ) -> list[Phase]:
        groups = [group for group in self.groups if self._group_level(group) == level]
        widths = {group.width for group in groups} | {w for at, w in bodies if at == level}
        first = Phase("")
        for norm, parts in norms:
            if self.level(norm.leaves[0]) == level:
                first.statistics.append(Statistics(norm.norm, tuple(parts), norm.target, norm.item))
        for mean in self.means:
            if self.level(mean.leaf) == level:
                words = (mean.norm, mean.source, mean.item, mean.target, mean.target_item)
                first.means.append(RowMean(*words))
        found = []
        for width in sorted(widths):
            phase = Phase(width)
            own = [group for group in groups if group.width == width]
            phase.body, phase.places = bodies.get((level, width), (None, ()))
            if phase.body is not None and _only_keeps(phase.body, own):
                phase.body, phase.places = None, ()
                for group in own:
                    assert group.kept is not None
                    phase.products.append(self._product(group, *group.kept))
            else:
                phase.products = [self._product(group, group.tile, 0) for group in own]
            found.append(phase)
        if not (first.statistics or first.means):
            return found
        if not found:
            first.width = self.places.all[first.statistics[0].parts[0][0]].width
            return [first]
        found[0].statistics, found[0].means = first.statistics, first.means
        return found

    def _product(self, group: Group, target: int, item: int) -> Product:
        return Product(
            group.stack,
            group.gates,
            group.transposed,
            group.operand,
            group.width,
            target,
            item,
        )


def _only_keeps(body: Body, groups: list[Group]) -> bool:
    """Whether a body only moves all results of its phase's products to where they are kept."""
    results = {leaf for group in groups for leaf in group.results}
    outputs = [node for node, _ in body.outputs]
    kept = all(group.kept is not None for group in groups)
    return kept and bool(groups) and set(outputs) == results and len(outputs) == len(results)
