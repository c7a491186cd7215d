"""What a wire's path costs, in steps along the grid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sluice.render.sketch.search import DOWN, LEFT, RIGHT, UP, Point

_Sides = Mapping[Point, int]
"""The cost of each side of a part, as the direction from its middle; a missing side is closed."""


class RoutingCosts(NamedTuple):
    """Costs of paths. Sides depend on how a part stands: ``up``, ``down``, ``join`` or ``rail``."""

    step: int = 1
    bend: int = 4
    crossing: int = 5
    passing: int = 1
    """A point right before a part that the wire does not enter."""
    enter: Mapping[str, _Sides] = {
        "up": {DOWN: 0, LEFT: 2, RIGHT: 8, UP: 12},
        "down": {UP: 0, LEFT: 2, RIGHT: 8, DOWN: 12},
        "join": {LEFT: 0, DOWN: 0, UP: 1, RIGHT: 9},
        "rail": {DOWN: 0, UP: 0},
    }
    leave: Mapping[str, _Sides] = {
        "up": {UP: 0, RIGHT: 3, LEFT: 9},
        "down": {DOWN: 0, RIGHT: 3, LEFT: 9},
        "join": {RIGHT: 0, UP: 1},
        "rail": {RIGHT: 0},
    }


COSTS = RoutingCosts()
