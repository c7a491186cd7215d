"""Arrowheads within a unit: where each stands, at the edge of the part that a wire enters."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sluice.render.sketch.boxes import Box
from sluice.render.sketch.norm_bars import BAR_MIDDLE, BAR_TALL
from sluice.render.sketch.pen import DOT, HEAD, HEAD_HALF, Place
from sluice.render.sketch.placement import ElementPosition
from sluice.render.sketch.routing import Wire

BEYOND = 0.9
"""How far the tips of outgoing lines reach beyond their ends, in tracks."""
JOIN_HALF, JOIN_TALL = 0.22, 0.9
CIRCLE, TALL = 1.1, 1.15
_CLEAR = 0.05


@dataclass(frozen=True)
class Head:
    """An arrowhead: its tip, and where it points."""

    tip: Place
    direction: Place

    @property
    def end(self) -> Place:
        """Where its wire's line ends, so that it does not show beyond the tip."""
        return self._back(0.6 * HEAD)

    @property
    def box(self) -> Box:
        """What it covers."""
        (x, y), (u, v) = self.tip, self._back(HEAD)
        across, up = abs(self.direction[1]) * HEAD_HALF, abs(self.direction[0]) * HEAD_HALF
        return Box(min(x, u) - across, min(y, v) - up, max(x, u) + across, max(y, v) + up)

    def _back(self, by: float) -> Place:
        return self.tip[0] - by * self.direction[0], self.tip[1] - by * self.direction[1]


def measure_extent(spot: ElementPosition, from_below: bool = False) -> tuple[float, float]:
    """From a part's middle to its edge, to a side and up or down."""
    if spot.element.kind == "join":
        return JOIN_HALF, JOIN_TALL
    if spot.element.kind == "circle":
        return spot.half_edge, CIRCLE
    normed = spot.element.has_norm and from_below
    return spot.half_edge, BAR_MIDDLE + BAR_TALL if normed else TALL


def find_head(wire: Wire, spot: ElementPosition | None, dots: Collection[Place]) -> Head | None:
    """The head of a wire that ends at a part, or leaves the unit; none where a dot is too near."""
    (x, y), (u, v) = wire.points[-2:]
    dx, dy = float((u > x) - (u < x)), float((v > y) - (v < y))
    if wire.arrow:
        return Head((u + BEYOND * dx, v + BEYOND * dy), (dx, dy))
    if spot is None:
        return None
    across, up = measure_extent(spot, from_below=dy > 0)
    across, up = across + _CLEAR, up + _CLEAR
    head = Head((u - dx * across, v - dy * up), (dx, dy))
    room = min([_reach(head, dot) for dot in dots if _is_behind(head, dot)], default=9.0)
    return head if room > HEAD + DOT + 0.1 else None


def _is_behind(head: Head, dot: Place) -> bool:
    (x, y), (dx, dy) = head.tip, head.direction
    aside = abs((dot[0] - x) * dy) + abs((dot[1] - y) * dx)
    return aside < 0.01 and (x - dot[0]) * dx + (y - dot[1]) * dy > 0


def _reach(head: Head, dot: Place) -> float:
    return abs(head.tip[0] - dot[0]) + abs(head.tip[1] - dot[1])


def find_heads(
    wires: Iterable[Wire], spots: Iterable[ElementPosition], dots: Collection[Place]
) -> list[Head]:
    """All heads of a sketch."""
    of = {(spot.x, spot.y): spot for spot in spots}
    found = (find_head(wire, of.get(wire.points[-1]), dots) for wire in wires)
    return [head for head in found if head is not None]
