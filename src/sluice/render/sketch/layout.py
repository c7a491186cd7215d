"""A sketch before it is drawn: parts placed, wired and labelled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from sluice.equations.graph import Graph, Leaf
from sluice.render.sketch.blocks import BlockSketch
from sluice.render.sketch.boxes import Box
from sluice.render.sketch.captions import shift_time
from sluice.render.sketch.coordinates import Room, assign_coordinates
from sluice.render.sketch.elements import ElementTable, Net
from sluice.render.sketch.labels import Label, Surroundings, place_labels
from sluice.render.sketch.placement import Placement, place_elements
from sluice.render.sketch.routing import NoRouteError, Router, Wire, WireRequest, trace_points
from sluice.render.sketch.search import Point, SearchBudget, SearchLimitError

_MOST_NODES = 120
"""How many computing nodes a cell has at most for a sketch of each operation."""
_MOST_STEPS = 40_000
"""How many steps the search for the wires may take; about a second."""
_ROOMS = (
    (Room(3), 1),
    (Room(4), 1),
    (Room(4), 4),
    (Room(4, 4, 8), 5),
    (Room(6, 6, 8), 6),
)
"""How much room to try for wires, and how many tries with it."""


@dataclass(frozen=True)
class Layout:
    """A sketch before it is drawn: where everything is, in tracks."""

    placement: Placement
    wires: list[Wire]
    labels: list[Label]
    box: Box  # the unit's outline
    dots: Mapping[Point, int]  # where a value branches, and the step that reveals it
    is_simplified: bool = False  # whether it has a box for each equation, not each operation


def build_layout(
    graph: Graph,
    numbers: Mapping[Net, str] | None = None,
    language: str = "en",
    reverse: bool = False,
) -> Layout:
    """Place, wire and label a cell's sketch, with as much room as its wires need.

    ``numbers`` are the values to write beside the labels; ``language`` is that of words; with
    ``reverse`` the states that come in are those of t + 1. A cell that is too large, or whose wires
    find no way within a fixed number of steps, gets a simplified sketch.
    """
    router = _route(graph)
    if router is None:
        found = _build_blocks(graph, numbers or {}, language)
    else:
        found = _build_parts(router, numbers or {}, language)
    if not reverse:
        return found
    labels = [replace(label, text=shift_time(label.text, reverse=True)) for label in found.labels]
    return replace(found, labels=labels)


def _build_parts(router: Router, numbers: Mapping[Net, str], language: str) -> Layout:
    """The sketch of every operation."""
    places, wires = router.placement, router.wires
    tops = [*places.rails.values(), *(s.y + s.half_height for s in places.positions.values())]
    box = Box(2.0, places.bottom - 4.0, places.width - 2.0, max(tops) + 2.0)
    dots = find_branches(wires)
    around = Surroundings.of(box, places, wires, dots)
    labels = place_labels(places, wires, router, numbers, around, language)
    return Layout(places, wires, labels, box, dots)


def _build_blocks(graph: Graph, numbers: Mapping[Net, str], language: str = "en") -> Layout:
    """The simplified sketch."""
    blocks = BlockSketch.from_graph(graph, numbers, language)
    places = blocks.placement
    box = Box(2.0, places.bottom - 4.0, places.width - 2.0, blocks.top + 4.0)
    return Layout(places, blocks.wires, blocks.labels, box, blocks.dots, is_simplified=True)


@lru_cache(maxsize=32)
def _route(graph: Graph) -> Router | None:
    """The parts and wires of a sketch of every operation; None where these find no way.

    Kept, since a page shows the same cell in several themes, or at several steps.
    """
    if sum(not isinstance(node, Leaf) for node in graph.nodes) > _MOST_NODES:
        return None
    made, budget = None, SearchBudget(_MOST_STEPS)
    for room, tries in _ROOMS:
        try:
            found = _route_in(graph, budget, room, tries)
        except SearchLimitError:
            return made
        if found is not None and (made is None or not found.enters_from_behind):
            made = found
        if made is not None and (room.gap > 3 or not made.enters_from_behind):
            return made
    return made


def _route_in(graph: Graph, budget: SearchBudget, room: Room, tries: int) -> Router | None:
    """The wires with so much room; one that finds no way is laid first at the next try."""
    preferred: list[WireRequest] = []
    places = place_elements(ElementTable.from_graph(graph))
    assign_coordinates(places, room)
    for _ in range(tries):
        router = Router(places, budget)
        try:
            router.route_wires(preferred)
        except NoRouteError as error:
            if error.request in preferred[:1]:
                return None
            preferred = [error.request, *(r for r in preferred if r != error.request)]
        else:
            return router
    return None


def find_branches(wires: list[Wire]) -> dict[Point, int]:
    """The points where a value branches, and the step that reveals the third of its arms."""
    arms: dict[tuple[Net, Point], dict[Point, int]] = {}
    for wire in wires:
        for here, there in pairwise(trace_points(wire)):
            for point, neighbour in ((here, there), (there, here)):
                known = arms.setdefault((wire.net, point), {})
                known[neighbour] = min(known.get(neighbour, wire.step), wire.step)
    return {
        point: sorted(steps.values())[2] for (_, point), steps in arms.items() if len(steps) > 2
    }
