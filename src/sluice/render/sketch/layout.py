"""A sketch before it is drawn: parts placed, wired and labelled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from sluice.equations.graph import Graph
from sluice.render.picture import PictureError
from sluice.render.sketch.coordinates import assign_coordinates
from sluice.render.sketch.elements import ElementTable, Net
from sluice.render.sketch.labels import Box, Label, place_labels
from sluice.render.sketch.placement import Placement, place_elements
from sluice.render.sketch.routing import NoRouteError, Router, Wire
from sluice.render.sketch.search import Point, move


@dataclass(frozen=True)
class Layout:
    """A sketch before it is drawn: where everything is, in tracks."""

    placement: Placement
    wires: list[Wire]
    labels: list[Label]
    box: Box  # the unit's outline


def build_layout(graph: Graph, numbers: Mapping[Net, str] | None = None) -> Layout:
    """Place, wire and label a cell's sketch, with as much room as its wires need.

    ``numbers`` are the values to write beside the labels.

    Raises `sluice.render.picture.PictureError` for a cell that is too intricate.
    """
    made: Layout | None = None
    for gap in (3, 4, 6, 8, 12):
        places = place_elements(ElementTable.from_graph(graph))
        assign_coordinates(places, gap)
        router = Router(places)
        try:
            wires = router.route_wires()
        except NoRouteError:
            continue
        if made is None or not router.enters_from_behind:
            top = max(
                [*places.rails.values(), *(s.y + s.half_height for s in places.positions.values())]
            )
            box = Box(2.0, places.bottom - 4.0, places.width - 2.0, top + 2.0)
            made = Layout(places, wires, place_labels(places, wires, router, numbers or {}), box)
        if gap > 3 or not router.enters_from_behind:
            return made
    if made is None:
        raise PictureError(f"{graph.name} is too intricate to be sketched")
    return made


def find_branches(wires: list[Wire]) -> dict[Point, int]:
    """The points where a value branches, and the step that reveals the third of its arms."""
    arms: dict[tuple[Net, Point], dict[Point, int]] = {}
    for wire in wires:
        for here, there in _iterate_tracks(wire):
            for point, neighbour in ((here, there), (there, here)):
                known = arms.setdefault((wire.net, point), {})
                known[neighbour] = min(known.get(neighbour, wire.step), wire.step)
    return {
        point: sorted(steps.values())[2] for (_, point), steps in arms.items() if len(steps) > 2
    }


def _iterate_tracks(wire: Wire) -> Iterator[tuple[Point, Point]]:
    """Every piece of a wire from one point of the grid to the next."""
    for (x, y), (u, v) in pairwise(wire.points):
        direction = ((u > x) - (u < x), (v > y) - (v < y))
        for k in range(abs(u - x) + abs(v - y)):
            here = (x + k * direction[0], y + k * direction[1])
            yield here, move(here, direction)
