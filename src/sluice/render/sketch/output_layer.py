"""The output layer beside a unit: y = softmax(V h + b), read off the hidden state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from sluice.render.sketch.boxes import Box
from sluice.render.sketch.layout import Layout
from sluice.render.sketch.pen import HEAD, Pen
from sluice.render.sketch.placement import ELEMENT_SCALE, POINTS, TRACK
from sluice.render.sketch.routing import Wire
from sluice.render.sketch.shades import Shades
from sluice.render.sketch.unit import LINE_WIDTH
from sluice.render.typeset import measure_text

_SYMBOL, _EQUATION, _RESULT = (
    r"\mathrm{softmax}",
    r"y_{t} = \mathrm{softmax}(V\,h_{t} + b)",
    "y_{t}",
)
_HALF, _TALL, _SMALL = 3.3, 1.15, 0.8
BEYOND_RISER = 2
"""How far the states' lines reach beyond one that rises beside the unit, in tracks."""
_RISE, _UP = 2.6, 3.0
"""From the unit's top to the layer's middle, and from there to the arrow's tip, in tracks."""


@dataclass(frozen=True)
class OutputLayer:
    """Where it stands: above ``top``, on a line that begins at (``x``, ``start``).

    It is revealed in step ``step`` of a series. ``has_dot``: whether its line is a branch.
    """

    x: float
    start: float
    top: float
    step: int = 0
    has_dot: bool = True

    @classmethod
    def beside(cls, layout: Layout) -> Self:
        """Beside a unit: right of all its labels. The first state is what its layer outputs."""
        places = layout.placement
        h = find_end(layout, places.graph.states[0].name)
        last = max(0, len(places.steps) - 1)
        return cls(find_riser(layout), h, layout.box.top, last)

    @property
    def y(self) -> float:
        """The height of the layer's middle."""
        return self.top + _RISE

    @property
    def box(self) -> Box:
        """What it covers."""
        equation = measure_text(f"${_EQUATION}$", POINTS * _SMALL)[0] / TRACK
        left = self.x - _HALF - 0.5 - equation
        return Box(left, self.start, self.x + _HALF, self.y + _UP + 0.4)

    def extend_ends(self, layout: Layout) -> Layout:
        """The unit with the lines of its states as far as beyond the output layer's."""
        return extend_ends(layout, int(self.x) + BEYOND_RISER)

    def draw(self, pen: Pen, shades: Shades) -> None:
        """Its line, its layer and its result."""
        x, y, step = self.x, self.y, self.step
        ink, width = shades.ink(step), shades.width(LINE_WIDTH, step)
        tip, entry = y + _UP, y - _TALL - 0.05
        pen.draw_line([(x, self.start), (x, entry - 0.6 * HEAD)], ink, width, step)
        pen.draw_line([(x, y), (x, tip - 0.6 * HEAD)], ink, width, step)
        for end in (entry, tip):
            pen.draw_head((x, end), (0, 1), ink, step)
        if self.has_dot:
            pen.draw_dot((x, self.start), ink, step)
        fill = shades.fill(pen.theme.layer, step)
        pen.draw_shape("layer", x, y, _HALF, _TALL, fill, ink, step, shades.width(1.4, step))
        pen.draw_text(x, y, f"${_SYMBOL}$", ink, POINTS * ELEMENT_SCALE, step=step)
        place = (x - _HALF - 0.5, y)
        pen.draw_text(*place, f"${_EQUATION}$", ink, POINTS * _SMALL, "right", step)
        beside = x + 0.7
        pen.draw_text(beside, tip - 0.3, f"${_RESULT}$", ink, POINTS, "left", step)


def find_riser(layout: Layout) -> int:
    """Where a line may rise beside a unit, right of all its labels."""
    return int(max(layout.placement.width, *(label.box.right for label in layout.labels)) + 1.5)


def find_end(layout: Layout, state: str) -> int:
    """The height of the line on which a state leaves."""
    node = layout.placement.graph.outputs_by_name[state]
    ends = [wire.points[-1][1] for wire in layout.wires if wire.arrow and wire.net == node]
    label = next(label for label in layout.labels if label.name == state)
    return min(ends, key=lambda y: abs(y + 1.2 - label.box.middle[1]))


def extend_ends(layout: Layout, x: int) -> Layout:
    """A unit with the lines of its new states as far as ``x``."""

    def extend(wire: Wire) -> Wire:
        points = [*wire.points[:-1], (x, wire.points[-1][1])]
        return replace(wire, points=points) if wire.arrow else wire

    return replace(layout, wires=[extend(wire) for wire in layout.wires])
