"""From columns, lanes and depths to tracks: where each part of a sketch stands.

From the bottom up: the lower rails, the joins and rows of gates that rise from them, the rows that
hang from the upper rails, the upper rails. From left to right: the columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from sluice.render.sketch.elements import SketchElement
from sluice.render.sketch.placement import (
    ELEMENT_SCALE,
    LATER_JOIN,
    POINTS,
    TRACK,
    ElementPosition,
    Placement,
)
from sluice.render.typeset import measure_text

_GATES = 6
"""Tracks from the lower rails (or the row above them) to the first row of gates."""
_LATER_JOINS = 4
"""Tracks more where joins stand right below the gates."""
_JOIN_TO_GATE = 5
"""Tracks from such a join up to the gates."""
_MARGINS = 4, 3
"""Tracks at the left and at the right."""


class Room(NamedTuple):
    """How much room the parts leave for wires, in tracks.

    Attributes:
        gap: Free tracks between two columns.
        margin: More tracks at both sides, for states that change their rails.
        row: From one row to the next, and from one rail to the next.
    """

    gap: int
    margin: int = 0
    row: int = 6


def assign_coordinates(placement: Placement, room: Room) -> None:
    """Set all coordinates."""
    for position in placement.positions.values():
        position.half_width, position.half_edge = _measure_half_width(position.element)
        position.half_height = _half_height(position.element)
    _assign_rails(placement, room.row)
    rows = _RowHeights.of(placement, room.row)
    for index, name in enumerate(reversed(_split_rails(placement)[0])):
        placement.rails[name] = rows.top_rail + room.row * index
    for position in placement.positions.values():
        position.y = _find_height(placement, rows, position)
    _assign_columns(placement, room)


def _measure_half_width(element: SketchElement) -> tuple[int, float]:
    """From a part's middle to its port and to its edge: as much as its label needs."""
    if element.kind == "join":
        return 1, 1.0
    width, _ = measure_text(f"${element.symbol}$", POINTS * ELEMENT_SCALE)
    needs = width / TRACK / 2
    if element.kind == "circle" and needs < 0.92:
        return 2, 1.1
    half = max(2, math.ceil(needs + (0.65 if element.kind == "layer" else 0.85)))
    return half, half - 0.3


def _half_height(element: SketchElement) -> int:
    if element.has_norm:
        return 3
    return 1 if element.kind == "join" else 2


def _split_rails(placement: Placement) -> tuple[list[str], list[str]]:
    """The states whose rails run above the gates, and those below: the output of a cell with
    several states, and states without pointwise parts."""
    first, *others = (state.name for state in placement.graph.states)
    tops = [name for name in (*others, first) if placement.spines[name]]
    if others and first in tops:
        tops.remove(first)
    return tops, [name for name in (first, *others) if name not in tops]


def _assign_rails(placement: Placement, row: int) -> None:
    """Set the heights of the lower rails, the first at 0."""
    for index, name in enumerate(_split_rails(placement)[1]):
        placement.rails[name] = -row * index
    placement.bottom = min(placement.rails.values(), default=0)


@dataclass(frozen=True)
class _RowHeights:
    """The heights that rows are counted from."""

    first_join: int
    gates: int
    top_rail: int
    norm: int  # tracks more for a layer that has a norm
    row: int

    @classmethod
    def of(cls, placement: Placement, row: int) -> _RowHeights:
        """The heights that leave enough room for all rows."""
        positions = placement.positions.values()
        bottoms = _split_rails(placement)[1]
        norm = int(any(p.element.has_norm for p in positions))
        first_join = row if any(placement.spines[name] for name in bottoms) else 0
        gates = first_join + _GATES + norm
        if any(p.depth == LATER_JOIN for p in positions):
            gates += _LATER_JOINS
        rising = max((p.depth for p in positions if p.lane == "up"), default=0) + 1
        hanging = max((p.depth + 1 for p in positions if p.lane == "down"), default=0) + 1
        return cls(first_join, gates, gates + norm + row * max(rising, hanging), norm, row)


def _find_height(placement: Placement, rows: _RowHeights, position: ElementPosition) -> int:
    if position.on_rail:
        return placement.rails[position.lane]
    if position.element.kind == "join":
        later = position.depth == LATER_JOIN
        return rows.gates - _JOIN_TO_GATE - rows.norm if later else rows.first_join
    if position.lane == "down":
        return rows.top_rail - rows.row * (position.depth + 1)
    return rows.gates + rows.row * position.depth + (rows.norm if position.depth else 0)


def _assign_columns(placement: Placement, room: Room) -> None:
    """Set the parts' distances from the left, and the sketch's width."""
    left, positions = _MARGINS[0] + room.margin, list(placement.positions.values())
    for column in range(max((p.column for p in positions), default=0) + 1):
        own = [position for position in positions if position.column == column]
        half = max((position.half_width for position in own), default=1)
        for position in own:
            position.x = left + half
        left += 2 * half + room.gap
    placement.width = left + _MARGINS[1] + room.margin
