"""Where the parts of a sketch stand: states run straight through, gates rise between them.

Places are points of a grid of tracks; wires run along its lines. Part by part, in the order in
which a teacher would draw them, each gets a column of its own or stands over what it reads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from sluice.equations.graph import Graph, Leaf, Node
from sluice.render.sketch.parts import Part, Parts
from sluice.render.typeset import text_size

TRACK = 0.2  # inches from one line of the grid to the next
POINTS = 15.0  # the size of labels
_ROW = 5  # tracks between two rows


@dataclass(eq=False)
class Spot:
    """Where a part stands. ``way`` is up, down or the name of the rail it stands on."""

    part: Part
    column: int
    way: str
    depth: int
    step: int
    x: int = 0
    y: int = 0
    half: int = 2  # from its middle to its ports, sideways
    tall: int = 2  # and upwards

    @property
    def on_rail(self) -> bool:
        return self.way not in ("up", "down")


@dataclass
class Places:
    """The spots of a cell's parts, and its rails: for each state its height."""

    parts: Parts
    spines: dict[str, list[Part]]
    rails: dict[str, int] = field(default_factory=dict)
    spots: dict[Part, Spot] = field(default_factory=dict)
    steps: list[list[str]] = field(default_factory=list)
    width: int = 0
    bottom: int = 0

    @property
    def graph(self) -> Graph:
        return self.parts.graph


def spine(parts: Parts, start: Node, end: Node, taken: set[Part]) -> list[Part]:
    """The longest way from one step's state to the next's through pointwise parts alone."""
    part = parts.of.get(end)
    if part is None or part in taken or part.kind in ("layer", "join"):
        return []
    if start in part.inputs and len(part.inputs) == 1:
        return [part]
    ways = [spine(parts, start, net, taken) for net in part.inputs if isinstance(net, Node)]
    best = max(ways, key=len, default=[])
    if best:
        return [*best, part]
    return [part] if start in part.inputs else []


def place(parts: Parts, gap: int = 3) -> Places:
    """Give every part its place; ``gap`` is how many tracks lie free between two columns."""
    graph, taken = parts.graph, set[Part]()
    spines: dict[str, list[Part]] = {}
    for state in (*graph.states[1:], graph.states[0]):
        start = Leaf("state", state.name, state.width)
        spines[state.name] = spine(parts, start, graph.named[state.name], taken)
        taken |= set(spines[state.name])
    places = Places(parts, spines)
    placer = _Placer(places)
    for name in spines:
        placer.state(name)
    for _, node in graph.outputs:
        placer.value(node)
    _measure(places, gap)
    return places


@dataclass
class _Placer:
    places: Places
    columns: int = 0
    fresh: list[Part] = field(default_factory=list)

    def state(self, name: str) -> None:
        """A state's spine from left to right, a step for each of its parts and what feeds it."""
        for part in self.places.spines[name]:
            self.part(part)
            self._close(part)
        self.value(self.places.graph.named[name])

    def value(self, node: Node) -> None:
        part = self.places.parts.of.get(node)
        if part is not None:
            self.part(part)
            self._close(None)

    def _close(self, last: Part | None) -> None:
        """End a step; a part on a rail with more than one before it is a step of its own."""
        fresh, self.fresh = self.fresh, []
        if last is not None and len(fresh) > 3:
            self._step([part for part in fresh if part is not last])
            fresh = [last]
        self._step(fresh)

    def _step(self, fresh: list[Part]) -> None:
        if not fresh:
            return
        number = len(self.places.steps)
        told = {node: name for name, node in reversed(self.places.graph.outputs)}
        self.places.steps.append([told[p.output] for p in fresh if p.output in told])
        for part in fresh:
            self.places.spots[part].step = number

    def part(self, part: Part) -> Spot:
        """Place what a part reads, then the part."""
        known = self.places.spots.get(part)
        if known is not None:
            return known
        rail = next((n for n, line in self.places.spines.items() if part in line), None)
        before: Part | None = None
        if rail is not None:
            line = self.places.spines[rail]
            index = line.index(part)
            before = line[index - 1] if index else None
            if before is not None:
                self.part(before)
        reads = self._reads(part, before)
        spot = self._on_rail(part, rail, reads, before) if rail else self._free(part, reads)
        self.places.spots[part] = spot
        self.fresh.append(part)
        return spot

    def _reads(self, part: Part, before: Part | None) -> list[Spot]:
        found = []
        for net in part.inputs:
            source = self.places.parts.of.get(net)
            if source is not None and source is not before:
                found.append(self.part(source))
        return found

    def _on_rail(self, part: Part, rail: str, reads: list[Spot], before: Part | None) -> Spot:
        left = self.places.spots[before].column if before is not None else 0
        low = rail == self.places.graph.states[0].name and len(self.places.spines) > 1
        fitting = [s for s in reads if s.way == ("down" if low else "up") and s.column > left]
        column = max((s.column for s in fitting if self._open(s)), default=None)
        return Spot(part, self._new() if column is None else column, rail, 0, 0)

    def _free(self, part: Part, reads: list[Spot]) -> Spot:
        if part.kind == "join":
            first = not any(p.kind == "join" for p in self.places.spots)
            return Spot(
                part, 0 if first and not reads else self._new(), "up", -1 if first else -2, 0
            )
        off_rail = [s for s in reads if not s.on_rail and s.part.kind != "join"]
        joined = [s for s in reads if s.part.kind == "join" and s.depth == -2]
        mapped = self.places.parts.of.get(part.inputs[0])
        hanging = mapped is not None and self.places.spots[mapped].way == "down"
        if part.kind == "layer" and not hanging:
            return Spot(part, joined[0].column if joined else self._new(), "up", 0, 0)
        if not off_rail:
            return Spot(part, self._new(), "down" if self._reads_top(part) else "up", 0, 0)
        main = max(off_rail, key=lambda s: s.column)
        depth = max(s.depth for s in off_rail if s.way == main.way) + 1
        return Spot(part, main.column if self._open(main) else self._new(), main.way, depth, 0)

    def _reads_top(self, part: Part) -> bool:
        tops = {n for n, line in self.places.spines.items() if line}
        nets = [net for net in part.inputs if isinstance(net, Node)]
        return any(
            (isinstance(net, Leaf) and net.name in tops)
            or (
                net in self.places.parts.of and self.places.spots[self.places.parts.of[net]].on_rail
            )
            for net in nets
        )

    def _open(self, spot: Spot) -> bool:
        """Whether nothing stands beyond a spot in its column yet."""
        others = [s for s in self.places.spots.values() if s.column == spot.column]
        return not any(s.on_rail or s.depth > spot.depth for s in others)

    def _new(self) -> int:
        self.columns += 1
        return self.columns


def _measure(places: Places, gap: int) -> None:
    """From columns and depths to tracks."""
    spots = list(places.spots.values())
    names = [state.name for state in places.graph.states]
    tops = [n for n in (*names[1:], names[0]) if places.spines[n]]
    if len(names) > 1 and names[0] in tops:
        tops.remove(names[0])
    bottoms = [n for n in names if n not in tops]
    for index, name in enumerate(bottoms):
        places.rails[name] = -_ROW * index
    places.bottom = min(places.rails.values(), default=0)
    raised = _ROW if bottoms and any(places.spines[n] for n in bottoms) else 0
    later = any(s.depth == -2 for s in spots)
    tall = any(s.part.normed for s in spots)
    gate = raised + 6 + tall + (4 if later else 0)
    up = max((s.depth for s in spots if s.way == "up"), default=0)
    down = max((s.depth + 1 for s in spots if s.way == "down"), default=0)
    low = gate + tall + _ROW * max(up + 1, down + 1)
    for index, name in enumerate(reversed(tops)):
        places.rails[name] = low + _ROW * index
    for spot in spots:
        spot.half = _half(spot.part)
        spot.tall = 3 if spot.part.normed else 1 if spot.part.kind == "join" else 2
        if spot.on_rail:
            spot.y = places.rails[spot.way]
        elif spot.part.kind == "join":
            spot.y = gate - 5 - tall if spot.depth == -2 else raised
        else:
            risen = gate + _ROW * spot.depth + (tall if spot.depth else 0)
            spot.y = risen if spot.way == "up" else low - _ROW * (spot.depth + 1)
    edge = 4
    for column in range(max((s.column for s in spots), default=0) + 1):
        here = [s for s in spots if s.column == column]
        half = max((s.half for s in here), default=1)
        for spot in here:
            spot.x = edge + half
        edge += 2 * half + gap
    places.width = edge + 3


def _half(part: Part) -> int:
    """Half a part's width, in tracks: as much as its label needs."""
    if part.kind == "join":
        return 1
    width, _ = text_size(f"${part.label}$", POINTS)
    return max(2, math.ceil(width / TRACK / 2 + (0.7 if part.kind != "pointwise" else 1.0)))
