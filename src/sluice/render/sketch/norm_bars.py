"""Layer norms of a sketch: one bar below all the layers whose maps are normalised together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sluice.equations.graph import Node
from sluice.render.sketch.placement import ElementPosition, Placement
from sluice.render.sketch.search import Point

BAR_MIDDLE, BAR_TALL = 2.15, 0.62
"""From the middle of a layer down to that of its bar, and half the bar's height, in tracks."""


@dataclass(frozen=True)
class NormBar:
    """A bar below ``layers``, which stand side by side."""

    layers: tuple[ElementPosition, ...]

    @property
    def ends(self) -> tuple[float, float]:
        """Where it begins and ends."""
        left = min(spot.x - spot.half_width for spot in self.layers)
        return left + 0.3, max(spot.x + spot.half_width for spot in self.layers) - 0.3

    @property
    def y(self) -> float:
        return self.layers[0].y - BAR_MIDDLE

    @property
    def step(self) -> int:
        return min(spot.step for spot in self.layers)

    @property
    def points(self) -> Iterator[Point]:
        """What it covers, of the grid's points."""
        first = min(self.layers, key=lambda spot: spot.x)
        last = max(self.layers, key=lambda spot: spot.x)
        for x in range(first.x, last.x + 1):
            yield x, first.y - 1
            yield x, first.y - 2


def find_norm_bars(placement: Placement) -> list[NormBar]:
    """The bars; where a layer without the norm stands between two others, there are two."""
    spots = placement.positions.values()
    rows: dict[int, list[ElementPosition]] = {}
    for spot in spots:
        if not spot.on_rail and spot.element.kind != "join":
            rows.setdefault(spot.y, []).append(spot)
    found: list[list[ElementPosition]] = []
    for row in rows.values():
        before: frozenset[tuple[Node, ...]] = frozenset()
        for spot in sorted(row, key=lambda spot: spot.x):
            norms = spot.element.norms
            if norms & before:
                found[-1].append(spot)
            elif norms:
                found.append([spot])
            before = norms
    return [NormBar(tuple(layers)) for layers in found]
