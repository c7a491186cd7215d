"""Where the parts of a sketch stand: states run straight through, gates rise between them.

Parts stand at points of a grid of tracks; wires run along its lines. Part by part, in the order in
which a teacher would draw them, each gets a column of its own or stands above what it reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sluice.equations.graph import Graph, Leaf, Node
from sluice.render.sketch.elements import ElementTable, SketchElement

TRACK = 0.15  # inches from one line of the grid to the next
POINTS = 15.0  # the size of labels
ELEMENT_SCALE = 0.92  # how large the symbols within parts are beside labels
FIRST_JOIN, LATER_JOIN = -1, -2
"""The depths of joins, which stand below the rows of a column: the first one, and all others."""


@dataclass(eq=False)
class ElementPosition:
    """Where a part stands.

    Attributes:
        element: The part.
        column: The number of its column, from the left.
        lane: ``"up"`` for a part that rises from the gates, ``"down"`` for one that hangs from the
            upper rails, else the name of the state on whose rail it stands.
        depth: Its row in the lane, counted from 0; below 0 for a join.
        step: The step of the series that reveals it.
        x, y: Its middle, in tracks.
        half_width, half_height: From its middle to its ports, in tracks.
        half_edge: From its middle to its edges at the sides.
    """

    element: SketchElement
    column: int
    lane: str
    depth: int
    step: int
    x: int = 0
    y: int = 0
    half_width: int = 2
    half_height: int = 2
    half_edge: float = 1.1

    @property
    def on_rail(self) -> bool:
        return self.lane not in ("up", "down")


@dataclass
class Placement:
    """The positions of a cell's parts, and the height of each state's rail."""

    elements: ElementTable
    spines: dict[str, list[SketchElement]]
    rails: dict[str, int] = field(default_factory=dict)
    positions: dict[SketchElement, ElementPosition] = field(default_factory=dict)
    steps: list[list[str]] = field(default_factory=list)
    width: int = 0
    bottom: int = 0

    @property
    def graph(self) -> Graph:
        return self.elements.graph


def find_spine(
    elements: ElementTable, start: Node, end: Node, taken: set[SketchElement]
) -> list[SketchElement]:
    """The longest path from one step's state to the next's through pointwise parts alone."""
    known: dict[Node, list[SketchElement]] = {}

    def find(end: Node) -> list[SketchElement]:
        if end not in known:
            known[end] = search(end)
        return known[end]

    def search(end: Node) -> list[SketchElement]:
        part = elements.by_value.get(end)
        if part is None or part in taken or part.kind in ("layer", "join"):
            return []
        if start in part.inputs and len(part.inputs) == 1:
            return [part]
        ways = [find(net) for net in part.inputs if isinstance(net, Node)]
        best = max(ways, key=len, default=[])
        if best:
            return [*best, part]
        return [part] if start in part.inputs else []

    return find(end)


def place_elements(elements: ElementTable) -> Placement:
    """Give every part its column, lane and depth; `assign_coordinates` does the rest."""
    graph, taken = elements.graph, set[SketchElement]()
    spines: dict[str, list[SketchElement]] = {}
    for state in (*graph.states[1:], graph.states[0]):
        start = Leaf("state", state.name, state.width)
        spines[state.name] = find_spine(elements, start, graph.outputs_by_name[state.name], taken)
        taken |= set(spines[state.name])
    places = Placement(elements, spines)
    placer = _Placer(places)
    for name in spines:
        placer.place_state(name)
    for _, node in graph.outputs:
        placer.place_value(node)
    return places


@dataclass
class _Placer:
    placement: Placement
    column_count: int = 0
    new_elements: list[SketchElement] = field(default_factory=list)

    def place_state(self, name: str) -> None:
        """A state's spine from left to right, a step for each of its parts and what feeds it."""
        for part in self.placement.spines[name]:
            self.place_element(part)
            self._end_step(part)
        self.place_value(self.placement.graph.outputs_by_name[name])

    def place_value(self, node: Node) -> None:
        part = self.placement.elements.by_value.get(node)
        if part is not None:
            self.place_element(part)
            self._end_step(None)

    def _end_step(self, last: SketchElement | None) -> None:
        """End a step; a part on a rail with more than one before it is a step of its own."""
        fresh, self.new_elements = self.new_elements, []
        if last is not None and len(fresh) > 3:
            self._add_step([part for part in fresh if part is not last])
            fresh = [last]
        self._add_step(fresh)

    def _add_step(self, new_elements: list[SketchElement]) -> None:
        if not new_elements:
            return
        number = len(self.placement.steps)
        names = {node: name for name, node in reversed(self.placement.graph.outputs)}
        self.placement.steps.append([names[p.output] for p in new_elements if p.output in names])
        for part in new_elements:
            self.placement.positions[part].step = number

    def place_element(self, element: SketchElement) -> ElementPosition:
        """Place what a part reads, then the part."""
        known = self.placement.positions.get(element)
        if known is not None:
            return known
        rail = next((n for n, line in self.placement.spines.items() if element in line), None)
        before: SketchElement | None = None
        if rail is not None:
            line = self.placement.spines[rail]
            index = line.index(element)
            before = line[index - 1] if index else None
            if before is not None:
                self.place_element(before)
        reads = self._place_inputs(element, before)
        spot = (
            self._position_on_rail(element, rail, reads, before)
            if rail
            else self._position_off_rail(element, reads)
        )
        self.placement.positions[element] = spot
        self.new_elements.append(element)
        return spot

    def _place_inputs(
        self, element: SketchElement, before: SketchElement | None
    ) -> list[ElementPosition]:
        found = []
        for net in element.inputs:
            source = self.placement.elements.by_value.get(net)
            if source is not None and source is not before:
                found.append(self.place_element(source))
        return found

    def _position_on_rail(
        self,
        element: SketchElement,
        rail: str,
        reads: list[ElementPosition],
        before: SketchElement | None,
    ) -> ElementPosition:
        left = self.placement.positions[before].column if before is not None else 0
        low = rail == self.placement.graph.states[0].name and len(self.placement.spines) > 1
        fitting = [s for s in reads if s.lane == ("down" if low else "up") and s.column > left]
        column = max((s.column for s in fitting if self._is_column_open(s)), default=None)
        return ElementPosition(
            element, self._add_column() if column is None else column, rail, 0, 0
        )

    def _position_off_rail(
        self, element: SketchElement, reads: list[ElementPosition]
    ) -> ElementPosition:
        if element.kind == "join":
            first = not any(p.kind == "join" for p in self.placement.positions)
            return ElementPosition(
                element,
                0 if first and not reads else self._add_column(),
                "up",
                FIRST_JOIN if first else LATER_JOIN,
                0,
            )
        off_rail = [s for s in reads if not s.on_rail and s.element.kind != "join"]
        joined = [s for s in reads if s.element.kind == "join" and s.depth == LATER_JOIN]
        mapped = None
        if element.inputs:
            mapped = self.placement.elements.by_value.get(element.inputs[0])
        hanging = mapped is not None and self.placement.positions[mapped].lane == "down"
        if element.kind == "layer" and not hanging:
            return ElementPosition(
                element, joined[0].column if joined else self._add_column(), "up", 0, 0
            )
        if not off_rail:
            return ElementPosition(
                element, self._add_column(), "down" if self._reads_top_rail(element) else "up", 0, 0
            )
        main = max(off_rail, key=lambda s: s.column)
        depth = max(s.depth for s in off_rail if s.lane == main.lane) + 1
        return ElementPosition(
            element,
            main.column if self._is_column_open(main) else self._add_column(),
            main.lane,
            depth,
            0,
        )

    def _reads_top_rail(self, element: SketchElement) -> bool:
        tops = {n for n, line in self.placement.spines.items() if line}
        nets = [net for net in element.inputs if isinstance(net, Node)]
        return any(
            (isinstance(net, Leaf) and net.name in tops)
            or (
                net in self.placement.elements.by_value
                and self.placement.positions[self.placement.elements.by_value[net]].on_rail
            )
            for net in nets
        )

    def _is_column_open(self, position: ElementPosition) -> bool:
        """Whether nothing stands beyond a spot in its column yet."""
        others = [s for s in self.placement.positions.values() if s.column == position.column]
        return not any(s.on_rail or s.depth > position.depth for s in others)

    def _add_column(self) -> int:
        self.column_count += 1
        return self.column_count
