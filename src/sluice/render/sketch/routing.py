"""Wires of a sketch: each connection takes the cheapest way along the grid.

Steps, bends and crossings have a price; two values never share a stretch of wire, and cross only
at right angles. What one value has already laid may be branched from for nothing.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import pairwise

from sluice.equations.graph import Leaf, Node
from sluice.errors import SluiceError
from sluice.render.sketch.elements import Net
from sluice.render.sketch.placement import ElementPosition, Placement

Point = tuple[int, int]
_BEND, _CROSS, _CLOSE = 4, 5, 1
_SIDES: dict[str, Point] = {"right": (1, 0), "left": (-1, 0), "top": (0, 1), "bottom": (0, -1)}
# What it costs to enter or leave a part on each of its sides.
_ENTER = {
    "up": {"bottom": 0, "left": 2, "right": 8, "top": 12},
    "down": {"top": 0, "left": 2, "right": 8, "bottom": 12},
    "join": {"left": 0, "bottom": 0, "top": 1, "right": 9},
    "rail": {"bottom": 0, "top": 0},
}
_LEAVE = {
    "up": {"top": 0, "right": 3, "left": 9},
    "down": {"bottom": 0, "right": 3, "left": 9},
    "join": {"right": 0, "top": 1},
    "rail": {"right": 0},
}


class NoRouteError(SluiceError):
    """A connection finds no way through; more room between the parts makes one."""


@dataclass(frozen=True)
class WireEnd:
    """Where a wire begins or ends: a point, the way it runs there, and what that costs."""

    point: Point
    direction: Point
    cost: int = 0


@dataclass
class Wire:
    """One connection, as the points of its corners; ``step`` says when it is revealed."""

    net: Net
    points: list[Point]
    step: int
    arrow: bool


@dataclass
class _WireRequest:
    net: Net
    target: ElementPosition | None  # None: out of the unit, to the right
    state: str
    is_straight: bool
    distance: int


@dataclass
class Router:
    """Lays all wires of a placed sketch."""

    placement: Placement
    wires: list[Wire] = field(default_factory=list)
    blocked: set[Point] = field(default_factory=set)
    ports: dict[Point, ElementPosition] = field(default_factory=dict)
    occupied_by: dict[tuple[Point, bool], Net] = field(
        default_factory=dict
    )  # a point, horizontally?
    corners: dict[Point, Net] = field(default_factory=dict)
    trees: dict[Net, set[Point]] = field(default_factory=dict)
    predecessors: dict[tuple[Net, Point], Point] = field(default_factory=dict)
    approaches: dict[Point, ElementPosition] = field(default_factory=dict)
    top: int = 0
    enters_from_behind: bool = False  # whether a wire had to enter a part from behind

    def __post_init__(self) -> None:
        spots = self.placement.positions.values()
        self.top = max([*self.placement.rails.values(), *(s.y + s.half_height for s in spots)]) + 4
        for spot in spots:
            for dx in range(1 - spot.half_width, spot.half_width):
                for dy in range(1 - spot.half_height, spot.half_height):
                    self.blocked.add((spot.x + dx, spot.y + dy))
            for side in _SIDES.values():
                port = self._find_port(spot, side)
                self.ports[port] = spot
                self.approaches[port[0] + side[0], port[1] + side[1]] = spot

    def route_wires(self) -> list[Wire]:
        """Every wire. Raises `NoRouteError` where the parts stand too close."""
        for request in sorted(self._build_requests(), key=_routing_order):
            self._route_wire(request)
        return self.wires

    def _find_port(self, position: ElementPosition, side: Point) -> Point:
        return position.x + side[0] * position.half_width, position.y + side[
            1
        ] * position.half_height

    def _build_requests(self) -> list[_WireRequest]:
        found = []
        of = self.placement.elements.by_value
        for spot in self.placement.positions.values():
            line = self.placement.spines.get(spot.lane, [])
            for net in spot.element.inputs:
                if isinstance(net, Node) and self.placement.elements.is_parameter(net):
                    continue
                index = line.index(spot.element) if spot.on_rail else -1
                straight = spot.on_rail and (
                    of.get(net) is line[index - 1]
                    if index
                    else isinstance(net, Leaf) and net.kind == "state" and net.name == spot.lane
                )
                start = self._find_source(net)
                reach = abs(spot.x - start[0]) + abs(spot.y - start[1])
                found.append(_WireRequest(net, spot, "", straight, reach))
        graph = self.placement.graph
        for state, leaf in zip(graph.states, graph.state_leaves, strict=True):
            net = graph.outputs_by_name[state.name]
            straight = bool(self.placement.spines[state.name]) or net is leaf
            reach = 0 if straight else -self.placement.rails[state.name]
            found.append(_WireRequest(net, None, state.name, straight, reach))
        return found

    def _find_source(self, net: Net) -> Point:
        part = self.placement.elements.by_value.get(net)
        if part is not None:
            spot = self.placement.positions[part]
            return spot.x, spot.y
        assert isinstance(net, Leaf)
        return self.find_terminal(net)

    def find_terminal(self, leaf: Leaf) -> Point:
        """Where the input or a state comes into the picture."""
        if leaf.kind == "state":
            return 0, self.placement.rails[leaf.name]
        joins = [s.x for s in self.placement.positions.values() if s.element.kind == "join"]
        layers = [s.x for s in self.placement.positions.values() if leaf in s.element.inputs]
        return min([*joins, *layers], default=6), self.placement.bottom - 6

    def _find_starts(self, net: Net) -> list[WireEnd]:
        if net in self.trees:
            return [WireEnd(p, way) for p in self.trees[net] for way in _SIDES.values()]
        part = self.placement.elements.by_value.get(net)
        if part is None:
            assert isinstance(net, Leaf)
            return [WireEnd(self.find_terminal(net), (1, 0) if net.kind == "state" else (0, 1))]
        spot = self.placement.positions[part]
        kind = "rail" if spot.on_rail else "join" if part.kind == "join" else spot.lane
        return [
            WireEnd(self._find_port(spot, _SIDES[side]), _SIDES[side], price)
            for side, price in _LEAVE[kind].items()
        ]

    def _find_ends(self, request: _WireRequest) -> list[WireEnd]:
        spot = request.target
        if spot is None:
            return [WireEnd((self.placement.width, self.placement.rails[request.state]), (1, 0))]
        if request.is_straight:
            return [WireEnd(self._find_port(spot, (-1, 0)), (1, 0))]
        kind = "rail" if spot.on_rail else "join" if spot.element.kind == "join" else spot.lane
        return [
            WireEnd(
                self._find_port(spot, _SIDES[side]), (-_SIDES[side][0], -_SIDES[side][1]), price
            )
            for side, price in _ENTER[kind].items()
        ]

    def _route_wire(self, request: _WireRequest) -> None:
        net = request.net
        path = self._find_path(request)
        tree = self.trees.setdefault(net, set())
        for here, there in pairwise(path):
            self.predecessors[net, there] = here
            level = here[1] == there[1]
            self.occupied_by[here, level] = self.occupied_by[there, level] = net
        for before, here, after in zip(path, path[1:], path[2:], strict=False):
            if (before[0] == after[0]) == (before[1] == after[1]):
                self.corners[here] = net
        for end in (path[0], path[-1]):
            self.corners[end] = net
        tree.update(path)
        self.enters_from_behind |= request.target is not None and path[-1][0] > request.target.x
        target = request.target
        part = self.placement.elements.by_value.get(net)
        step = target.step if target else self.placement.positions[part].step if part else 0
        self.wires.append(Wire(net, self._trace_wire(path, request), step, target is None))

    def _trace_wire(self, path: list[Point], request: _WireRequest) -> list[Point]:
        """The corners of a value's whole way, from the middle of one part to that of the other."""
        while (request.net, path[0]) in self.predecessors:
            path = [self.predecessors[request.net, path[0]], *path]
        points = _find_corners(path)
        source = self.ports.get(path[0])
        if source is not None:
            points.insert(0, (source.x, source.y))
        if request.target is not None:
            points.append((request.target.x, request.target.y))
        return points

    def _find_path(self, request: _WireRequest) -> list[Point]:
        net = request.net
        ends = {(e.point, e.direction): e.cost for e in self._find_ends(request)}
        best: dict[tuple[Point, Point], int] = {}
        came: dict[tuple[Point, Point], tuple[Point, Point]] = {}
        queue: list[tuple[int, int, Point, Point]] = []
        starts = [end for end in self._find_starts(net) if self._can_start(end.point, net)]
        doors = set() if net in self.trees else {end.point for end in starts}
        for end in starts:
            best[end.point, end.direction] = end.cost
            heapq.heappush(queue, (end.cost, len(queue), end.point, end.direction))
        found: tuple[int, tuple[Point, Point]] | None = None
        count = len(queue)
        while queue:
            price, _, point, way = heapq.heappop(queue)
            if found is not None and price >= found[0]:
                break
            if price > best[point, way]:
                continue
            if (point, way) in ends:
                total = price + ends[point, way]
                if found is None or total < found[0]:
                    found = total, (point, way)
                continue
            for turn in _SIDES.values():
                if turn == (-way[0], -way[1]):
                    continue
                if turn != way and point in doors:
                    continue  # straight out of a part
                extra = self._compute_step_cost(point, way, turn, net, request)
                if extra is None:
                    continue
                after = (point[0] + turn[0], point[1] + turn[1])
                total = price + extra
                if total < best.get((after, turn), 1 << 30):
                    best[after, turn] = total
                    came[after, turn] = (point, way)
                    count += 1
                    heapq.heappush(queue, (total, count, after, turn))
        if found is None:
            raise NoRouteError
        state = found[1]
        path = [state[0]]
        while state in came:
            state = came[state]
            path.append(state[0])
        return path[::-1]

    def _can_start(self, point: Point, net: Net) -> bool:
        if net not in self.trees:
            return self.corners.get(point, net) is net
        crossed = {self.occupied_by.get((point, level), net) for level in (True, False)}
        return crossed <= {net} and (point not in self.ports or self._is_output_port(point, net))

    def _is_output_port(self, point: Point, net: Net) -> bool:
        """Whether a port is the one where the net itself comes out."""
        return self.ports[point].element.output == net

    def _compute_step_cost(
        self, point: Point, direction: Point, next_direction: Point, net: Net, request: _WireRequest
    ) -> int | None:
        """What a step from a point costs; None where it cannot be taken."""
        price = 1 + (_BEND if next_direction != direction else 0)
        if next_direction != direction and any(
            self.occupied_by.get((point, level), net) is not net for level in (True, False)
        ):
            return None  # no turn on another's wire
        after = (point[0] + next_direction[0], point[1] + next_direction[1])
        if not (0 <= after[0] <= self.placement.width) or after in self.blocked:
            return None
        if not (self.placement.bottom - 6 <= after[1] <= self.top):
            return None
        if self.corners.get(after, net) is not net:
            return None
        owner = self.ports.get(after)
        if owner is not None and owner is not request.target:
            return None
        level = next_direction[1] == 0
        if not level and not 3 <= point[0] <= self.placement.width - 4:
            return None  # nothing bends outside the unit
        if self.occupied_by.get((after, level), net) is not net:
            return None
        if self.occupied_by.get((after, not level), net) is not net:
            price += _CROSS
        if self.approaches.get(after, request.target) is not request.target:
            price += _CLOSE
        return price


def _routing_order(request: _WireRequest) -> tuple[bool, bool, bool, int]:
    """Rails before all, then what is joined; of the rest the longest, for others to branch from.

    A state that becomes another's comes last, the lowest first: what goes to its own rail must
    find the place where it leaves.
    """
    joined = request.target is not None and request.target.element.kind == "join"
    state = isinstance(request.net, Leaf) and request.net.kind == "state"
    moved = request.target is None and state and not request.is_straight
    return not request.is_straight, moved, not joined, -request.distance


def _find_corners(path: list[Point]) -> list[Point]:
    """Only the ends and corners of a way."""
    kept = [path[0]]
    for before, here, after in zip(path, path[1:], path[2:], strict=False):
        if (after[0] - here[0], after[1] - here[1]) != (here[0] - before[0], here[1] - before[1]):
            kept.append(here)
    return [*kept, path[-1]]
