"""Wires of a sketch: each connection takes the cheapest path along the grid.

Steps, bends and crossings have costs (`RoutingCosts`). Two values never share a stretch of wire,
and cross only at right angles. A new wire may branch from any earlier wire of the same value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from sluice.equations.graph import Leaf, Node
from sluice.errors import SluiceError
from sluice.render.sketch.costs import COSTS
from sluice.render.sketch.elements import Net
from sluice.render.sketch.norm_bars import find_norm_bars
from sluice.render.sketch.placement import ElementPosition, Placement
from sluice.render.sketch.search import (
    DIRECTIONS,
    LEFT,
    RIGHT,
    UP,
    Point,
    SearchBudget,
    WireEnd,
    find_cheapest_path,
    opposite,
)

MARGIN = 6
"""Tracks below the lowest rail, where the input comes in."""
_EDGE = 3
"""Tracks at the left and right where no wire bends: they lie outside the unit."""


_APART = 4
"""Tracks between two inputs."""


class NoRouteError(SluiceError):
    """A connection, the ``request``, has no path.

    It may have one where it is laid earlier, or where the parts stand further apart.
    """

    def __init__(self, request: WireRequest) -> None:
        super().__init__("a wire has no path")
        self.request = request


@dataclass
class Wire:
    """One connection, as the points of its corners; ``step`` says when it is revealed."""

    net: Net
    points: list[Point]
    step: int
    arrow: bool


@dataclass(frozen=True)
class WireRequest:
    """A connection to lay: from what yields a value to a part, or out of the unit."""

    net: Net
    target: ElementPosition | None  # None: out of the unit, to the right
    state: str
    is_straight: bool
    distance: int


@dataclass
class Router:
    """Lays all wires of a placed sketch, as far as the ``budget`` of its searches goes."""

    placement: Placement
    budget: SearchBudget
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
    input_columns: dict[Leaf, int] = field(default_factory=dict)
    top: int = 0
    enters_from_behind: bool = False  # whether a wire had to enter a part from behind

    def __post_init__(self) -> None:
        self._assign_inputs()
        spots = self.placement.positions.values()
        self.top = max([*self.placement.rails.values(), *(s.y + s.half_height for s in spots)]) + 4
        for spot in spots:
            for dx in range(1 - spot.half_width, spot.half_width):
                for dy in range(1 - spot.half_height, spot.half_height):
                    self.blocked.add((spot.x + dx, spot.y + dy))
        self.blocked |= {point for bar in find_norm_bars(self.placement) for point in bar.points}
        for spot in spots:
            for side in DIRECTIONS:
                port = self._find_port(spot, side)
                self.ports[port] = spot
                self.approaches[port[0] + side[0], port[1] + side[1]] = spot

    def route_wires(self, preferred: Sequence[WireRequest] = ()) -> list[Wire]:
        """Every wire; of those that are not straight the ``preferred`` are laid first.

        Raises `NoRouteError` where one finds no path, and
        `sluice.render.sketch.search.SearchLimitError` where the budget is used up.
        """
        ranks = {request: rank for rank, request in enumerate(preferred)}

        def order(request: WireRequest) -> tuple[bool, int, tuple[bool, bool, bool, int]]:
            rank = ranks.get(request, len(ranks))
            return not request.is_straight, rank, _routing_order(request)

        for request in sorted(self._build_requests(), key=order):
            self._route_wire(request)
        return self.wires

    def _find_port(self, position: ElementPosition, side: Point) -> Point:
        return (
            position.x + side[0] * position.half_width,
            position.y + side[1] * position.half_height,
        )

    def _build_requests(self) -> list[WireRequest]:
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
                found.append(WireRequest(net, spot, "", straight, reach))
        graph = self.placement.graph
        for state, leaf in zip(graph.states, graph.state_leaves, strict=True):
            net = graph.outputs_by_name[state.name]
            straight = bool(self.placement.spines[state.name]) or net is leaf
            reach = 0 if straight else -self.placement.rails[state.name]
            found.append(WireRequest(net, None, state.name, straight, reach))
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
        return self.input_columns[leaf], self.placement.bottom - MARGIN

    def _assign_inputs(self) -> None:
        """Where each input comes in: below the first part that reads it, apart from the others."""
        spots = self.placement.positions.values()
        joins = [s.x for s in spots if s.element.kind == "join"]
        leaves = [n for n in self.placement.graph.nodes if isinstance(n, Leaf)]
        for leaf in sorted((n for n in leaves if n.kind == "input"), key=lambda n: n.name != "x"):
            reads = [
                spot.x
                for spot in spots
                for net in spot.element.inputs
                if net is leaf or (isinstance(net, tuple) and leaf in net)
            ]
            x = min([*(joins if leaf.name == "x" else []), *reads], default=MARGIN)
            while any(abs(x - other) < _APART for other in self.input_columns.values()):
                x += _APART
            self.input_columns[leaf] = x

    def _find_starts(self, net: Net) -> list[WireEnd]:
        if net in self.trees:
            return [WireEnd(p, way) for p in self.trees[net] for way in DIRECTIONS]
        part = self.placement.elements.by_value.get(net)
        if part is None:
            assert isinstance(net, Leaf)
            return [WireEnd(self.find_terminal(net), RIGHT if net.kind == "state" else UP)]
        spot = self.placement.positions[part]
        return [
            WireEnd(self._find_port(spot, side), side, cost)
            for side, cost in COSTS.leave[_port_kind(spot)].items()
        ]

    def _find_ends(self, request: WireRequest) -> list[WireEnd]:
        spot = request.target
        if spot is None:
            return [WireEnd((self.placement.width, self.placement.rails[request.state]), RIGHT)]
        if request.is_straight:
            return [WireEnd(self._find_port(spot, LEFT), RIGHT)]
        return [
            WireEnd(self._find_port(spot, side), opposite(side), cost)
            for side, cost in COSTS.enter[_port_kind(spot)].items()
        ]

    def _route_wire(self, request: WireRequest) -> None:
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

    def _trace_wire(self, path: list[Point], request: WireRequest) -> list[Point]:
        """The corners of a value's whole way, from the middle of one part to that of the other."""
        while (request.net, path[0]) in self.predecessors:
            path = [self.predecessors[request.net, path[0]], *path]
        points = find_corners(path)
        source = self.ports.get(path[0])
        if source is not None:
            points.insert(0, (source.x, source.y))
        if request.target is not None:
            points.append((request.target.x, request.target.y))
        return points

    def _find_path(self, request: WireRequest) -> list[Point]:
        net = request.net
        starts = [end for end in self._find_starts(net) if self._can_start(end.point, net)]
        exits = set() if net in self.trees else {end.point for end in starts}
        step_cost = self._build_step_cost(net, request.target, exits)
        path = find_cheapest_path(
            starts,
            self._find_ends(request),
            step_cost,
            self.budget,
            least_step=COSTS.step,
            least_bend=COSTS.bend,
        )
        if path is None:
            raise NoRouteError(request)
        return path

    def _can_start(self, point: Point, net: Net) -> bool:
        if net not in self.trees:
            return self.corners.get(point, net) is net
        crossed = {self.occupied_by.get((point, level), net) for level in (True, False)}
        return crossed <= {net} and (point not in self.ports or self._is_output_port(point, net))

    def _is_output_port(self, point: Point, net: Net) -> bool:
        """Whether a port is the one where the net itself comes out."""
        return self.ports[point].element.output == net

    def _build_step_cost(
        self, net: Net, target: ElementPosition | None, exits: set[Point]
    ) -> Callable[[Point, Point, Point], int | None]:
        """What a step costs a wire of ``net``; None where it may not go.

        One function with everything at hand: a sketch takes some thousand steps.
        """
        blocked, corners, ports = self.blocked, self.corners, self.ports
        occupied_by, approaches = self.occupied_by, self.approaches
        width, top, lowest = self.placement.width, self.top, self.placement.bottom - MARGIN
        step, bend, crossing, passing = COSTS[:4]

        def step_cost(point: Point, direction: Point, turn: Point) -> int | None:
            is_level = not turn[1]
            cost = step
            if turn != direction:
                if point in exits:
                    return None  # a wire leaves a part straight
                if occupied_by.get((point, True), net) is not net:
                    return None  # no bend on another value's wire
                if occupied_by.get((point, False), net) is not net:
                    return None
                cost += bend
            if not is_level and not _EDGE <= point[0] < width - _EDGE:
                return None  # no bend outside the unit
            after = (point[0] + turn[0], point[1] + turn[1])
            if not (0 <= after[0] <= width and lowest <= after[1] <= top) or after in blocked:
                return None
            if corners.get(after, net) is not net:
                return None
            part = ports.get(after)
            if part is not None and part is not target:
                return None
            if occupied_by.get((after, is_level), net) is not net:
                return None
            if occupied_by.get((after, not is_level), net) is not net:
                cost += crossing
            if approaches.get(after, target) is not target:
                cost += passing
            return cost

        return step_cost


def _port_kind(position: ElementPosition) -> str:
    """How a part stands, as `RoutingCosts` names it."""
    if position.on_rail:
        return "rail"
    return "join" if position.element.kind == "join" else position.lane


def _routing_order(request: WireRequest) -> tuple[bool, bool, bool, int]:
    """Rails before all, then what is joined; of the rest the longest, for others to branch from.

    A state that becomes another's comes last, the lowest first: what goes to its own rail must
    find the place where it leaves.
    """
    joined = request.target is not None and request.target.element.kind == "join"
    state = isinstance(request.net, Leaf) and request.net.kind == "state"
    moved = request.target is None and state and not request.is_straight
    return not request.is_straight, moved, not joined, -request.distance


def find_corners(path: list[Point]) -> list[Point]:
    """Only the ends and corners of a way."""
    kept = [path[0]]
    for before, here, after in zip(path, path[1:], path[2:], strict=False):
        if (after[0] - here[0], after[1] - here[1]) != (here[0] - before[0], here[1] - before[1]):
            kept.append(here)
    return [*kept, path[-1]]


def trace_points(wire: Wire) -> Iterator[Point]:
    """Every point of the grid on a wire's way."""
    yield wire.points[0]
    for (x, y), (u, v) in pairwise(wire.points):
        direction = ((u > x) - (u < x), (v > y) - (v < y))
        for k in range(1, abs(u - x) + abs(v - y) + 1):
            yield x + k * direction[0], y + k * direction[1]
