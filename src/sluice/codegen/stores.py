"""The second pass of scheduling: which values each phase's body reads and stores.

A body is planned from the top level down. Whatever it needs from a lower level, and cannot
cheaply compute again, becomes one more value for that lower level to store (a *spill*). A
comparison is no number to store: every body that needs one computes it again from its operands. A
body never reads a higher level, so no body gains a store after it was planned.

One number a row has width 1. In each level the phase of that width runs first and is planned last:
bodies of other widths read what it stores, in every lane.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sluice.codegen.body import ADD_ROW, BROADCAST, LOAD, PARAMETER, SCALAR
from sluice.codegen.section import Location, ProductGroup, Section, StoreRequest
from sluice.equations.graph import (
    Elementwise,
    Leaf,
    Node,
    is_comparison,
    sort_topologically,
)
from sluice.equations.specs import CONSTANT

_COSTLY = frozenset(
    "exp expm1 log sqrt power sin cos erf sigmoid log_sigmoid softplus silu tanh divide".split()
)
_COST_OF_LOAD = 3
"""What is cheaper than this is computed again instead of being loaded."""
_COST_OF_PHASE = 16
"""What of one number a row is cheaper than this is computed again in every block."""
_MAX_COST = 99
_SHARED_LATE = ("flow", "upstream", "input")
"""Roles whose rows the threads that share units bring in each its part, at the step's start."""

PhaseKey = tuple[int, str]
"""A phase's level and width."""
_Stores = dict[PhaseKey, dict[Location, StoreRequest]]


@dataclass(frozen=True)
class BodyPlan:
    """What a phase's body reads, in the order of use, and what it stores."""

    inputs: tuple[tuple[Node, Location], ...]
    stores: tuple[StoreRequest, ...]


def plan_bodies(section: Section, tiles: Mapping[ProductGroup, int]) -> dict[PhaseKey, BodyPlan]:
    """The body of each level and width; ``tiles`` are the buffers of the products' results."""
    stores = _assign_requests(section)
    costs, plans = _RecomputeCosts(section), dict[PhaseKey, BodyPlan]()
    for level in range(max((at for at, _ in stores), default=0), -1, -1):
        widths = sorted(w for at, w in stores if at == level and w != CONSTANT)
        for width in (*widths, CONSTANT):  # which the other bodies of the level may read
            if (level, width) in stores:
                body = _BodyPlanner(section, tiles, stores, costs, level, width)
                inputs = body.find_inputs()
                plans[level, width] = BodyPlan(inputs, tuple(stores[level, width].values()))
    return plans


def _assign_requests(section: Section) -> _Stores:
    """Each request at the level of its node; a deferred one may join a higher level."""
    stores: _Stores = {}
    sums = [
        StoreRequest(node, mean.source, mean.item, ADD_ROW)
        for mean in section.means
        for node in mean.summands
    ]
    for request in (*section.requests, *sums):
        _add_store(section, stores, request, section.level(request.node))
    for request in section.deferred_requests:
        level = section.level(request.node)
        if level == 0:  # rather in a body that runs anyway than in one of its own
            level = _find_first_level(section, stores, _store_width(section, request))
        _add_store(section, stores, request, level)
    return stores


def _add_store(section: Section, stores: _Stores, request: StoreRequest, level: int) -> None:
    phase = stores.setdefault((level, _store_width(section, request)), {})
    phase[request.buffer, request.item, request.kind] = request


def _store_width(section: Section, request: StoreRequest) -> str:
    return section.buffers.buffers[request.buffer].width or request.node.width


def _find_first_level(section: Section, stores: _Stores, width: str) -> int:
    levels = [level for level, w in stores if w == width]
    levels = levels or [section.group_level(g) for g in section.groups if g.width == width]
    return min(levels, default=0)


class _RecomputeCosts:
    """What it costs to compute a node again from what lies outside the section, in additions."""

    def __init__(self, section: Section) -> None:
        self._locate_external, self._costs = section.locate_external, dict[Node, int]()

    def estimate(self, node: Node) -> int:
        if node not in self._costs:
            for each in sort_topologically([node], self._costs, self._get_computed_from):
                operands = self._get_computed_from(each)
                own = (
                    6 if isinstance(each, Elementwise) and each.op in _COSTLY else len(operands) > 0
                )
                total = own + sum(self._costs[operand] for operand in operands)
                self._costs[each] = min(_MAX_COST, total) if operands else 0
        return self._costs[node]

    def _get_computed_from(self, node: Node) -> tuple[Node, ...]:
        is_given = isinstance(node, Leaf) or self._locate_external(node) is not None
        return () if is_given else node.operands


@dataclass
class _BodyPlanner:
    """Plans the body of one level and width; adds to ``stores`` of lower levels alone."""

    section: Section
    tiles: Mapping[ProductGroup, int]
    stores: _Stores
    costs: _RecomputeCosts
    level: int
    width: str

    def find_inputs(self) -> tuple[tuple[Node, Location], ...]:
        """What the body reads to compute all of its stores."""
        inputs: dict[Node, Location] = {}

        def find_operands(node: Node) -> tuple[Node, ...]:
            if isinstance(node, Leaf) and node.kind == "constant":
                return ()
            found = self._locate(node)
            if found is not None:
                inputs[node] = found
                return ()
            assert isinstance(node, Elementwise), node
            return node.arguments

        requests = self.stores[self.level, self.width].values()
        sort_topologically((r.node for r in requests), get_operands=find_operands)
        return tuple(inputs.items())

    def _locate(self, node: Node) -> Location | None:
        """Where the body reads ``node``; None where it computes it."""
        found = self.section.locate_external(node) or self._locate_statistic(node)
        if found is not None:
            return self._broadcast(node, found)
        if is_comparison(node):
            return None
        level, group = self.section.level(node), self.section.find_group(node)
        if level < self.level and (group or not self._is_recomputed(node, level)):
            return self._spill(node, level)
        if node.width != self.width and (group or not self._is_recomputed_in_blocks(node)):
            return self._spill(node, level)
        return (self.tiles[group[0]], group[1], LOAD) if group else None

    def _broadcast(self, node: Node, found: Location) -> Location:
        """How this body reads what lies there: one number a row in every lane."""
        buffer, item, kind = found
        slot = self.section.buffers.buffers[buffer]
        if slot.width != CONSTANT or self.width == CONSTANT or kind not in (LOAD, PARAMETER):
            return found
        if slot.role in _SHARED_LATE and self.section.name == "back":
            return self._spill(node, 0)
        return buffer, item, BROADCAST

    def _is_recomputed_in_blocks(self, node: Node) -> bool:
        """Whether to compute one number a row again in every block of this level."""
        has_phase = (self.level, CONSTANT) in self.stores
        return self.costs.estimate(node) <= (_COST_OF_LOAD if has_phase else _COST_OF_PHASE)

    def _locate_statistic(self, node: Node) -> Location | None:
        for norm in self.section.norms:
            if node in norm.leaves:
                return norm.target, norm.item + norm.leaves.index(node), SCALAR
        for mean in self.section.means:
            if node is mean.leaf:
                return mean.target, mean.target_item, SCALAR
        if isinstance(node, Leaf) and node in self.section.maps:
            found = self.section.maps[node]
            return found.target, found.item, SCALAR if node.width == CONSTANT else LOAD
        return None

    def _is_recomputed(self, node: Node, level: int) -> bool:
        """Whether to compute again what needs no product: cheap, or without a phase of its own."""
        if level > 0 or self.section.is_spilled(node):
            return False
        cheap = self.costs.estimate(node) <= _COST_OF_LOAD
        return cheap or (0, node.width) not in self.stores

    def _spill(self, node: Node, level: int) -> Location:
        buffer, item = self.section.allocate_spill(node)
        _add_store(self.section, self.stores, StoreRequest(node, buffer, item), level)
        return buffer, item, LOAD if node.width == self.width else BROADCAST
