"""A sketch before it is drawn: parts placed, wired and labelled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.equations.graph import Graph
from sluice.render.picture import PictureError
from sluice.render.sketch.elements import ElementTable, Net
from sluice.render.sketch.labels import Box, Label, place_labels
from sluice.render.sketch.placement import Placement, place_elements
from sluice.render.sketch.routing import NoRouteError, Router, Wire


@dataclass(frozen=True)
class Layout:
    """A sketch before it is drawn: where everything is, in tracks."""

    placement: Placement
    wires: list[Wire]
    labels: list[Label]
    box: Box  # the unit's outline


def build_layout(graph: Graph, numbers: Mapping[Net, str] | None = None) -> Layout:
    """Place, wire and label a cell's sketch, with as much room as its wires need.

    ``numbers`` stand beside the labels of the values that they are of.

    Raises `sluice.render.picture.PictureError` for a cell that is too intricate.
    """
    made: Layout | None = None
    for gap in (3, 4, 6, 8, 12):
        places = place_elements(ElementTable.from_graph(graph), gap)
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


def find_branches(wires: list[Wire]) -> dict[tuple[int, int], int]:
    """The points where a value parts, and the first step that goes another way there."""
    arms: dict[Any, dict[tuple[int, int], int]] = {}
    for wire in wires:
        for (x, y), (u, v) in zip(wire.points, wire.points[1:], strict=False):
            way = ((u > x) - (u < x), (v > y) - (v < y))
            steps = abs(u - x) + abs(v - y)
            for k in range(steps):
                here = (x + k * way[0], y + k * way[1])
                there = (here[0] + way[0], here[1] + way[1])
                for key in ((wire.net, here, there), (wire.net, there, here)):
                    known = arms.setdefault((key[0], key[1]), {})
                    known[key[2]] = min(known.get(key[2], wire.step), wire.step)
    return {
        point: sorted(ways.values())[2] if len(ways) > 2 else 0
        for (_, point), ways in arms.items()
        if len(ways) > 2
    }
