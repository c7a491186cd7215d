"""Draws one placed and wired unit with a pen."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from sluice.render.sketch.elements import Net
from sluice.render.sketch.heads import JOIN_HALF, JOIN_TALL, find_head, measure_extent
from sluice.render.sketch.labels import (
    GAP,
    SMALL,
    WORD_LINE,
    WORDS,
    Label,
    measure_line_height,
    measure_small,
    measure_symbol,
)
from sluice.render.sketch.layout import Layout
from sluice.render.sketch.norm_bars import BAR_TALL, NormBar, find_norm_bars
from sluice.render.sketch.pen import Pen, Place
from sluice.render.sketch.placement import ELEMENT_SCALE, POINTS, ElementPosition
from sluice.render.sketch.routing import Wire, find_corners, trace_points
from sluice.render.sketch.search import Point
from sluice.render.sketch.shades import Shades
from sluice.render.sketch.wire_values import WireValues

if TYPE_CHECKING:
    from matplotlib.patches import Patch

LINE_WIDTH, _CASING = 1.7, 1.4


class UnitDrawing:
    """Draws a sketch, where the pen's origin is, as strongly as ``shades`` say."""

    def __init__(
        self,
        layout: Layout,
        pen: Pen,
        wire_values: WireValues | None = None,
        shades: Shades | None = None,
    ) -> None:
        self.layout, self.pen, self.wire_values = layout, pen, wire_values
        self.theme = pen.theme
        self.shades = shades or Shades(pen.theme)
        known = {label.name for label in layout.labels}
        outputs = layout.placement.graph.outputs if layout.is_simplified else ()
        self._box_names: dict[Net, str] = {
            node: name for name, node in outputs if name not in known
        }
        spots = layout.placement.positions.values()
        self._spots: dict[Place, ElementPosition] = {(spot.x, spot.y): spot for spot in spots}

    def draw_outline(self) -> None:
        """The unit's area."""
        box, (x, y) = self.layout.box, self.layout.box.middle
        half, tall = (box.right - box.left) / 2, (box.top - box.bottom) / 2
        fill, edge = self.theme.body, self.theme.grid
        self.pen.draw_shape("unit", x, y, half, tall, fill, edge, width=1.2, order=0)

    def draw_unit(self) -> None:
        """Wires, dots, parts and labels."""
        self._drawn: dict[object, set[tuple[Point, Point]]] = {}
        for wire in sorted(self.layout.wires, key=self._order_wire):
            if not self.shades.is_hidden(wire.step):
                self._draw_wire(wire)
        for point, step in self.layout.dots.items():
            if self.shades.is_shown(step):  # a dot where a value branches
                self.pen.draw_dot(point, self.shades.ink(step), step)
        for bar in find_norm_bars(self.layout.placement):
            if not self.shades.is_hidden(bar.step):
                self._draw_norm_bar(bar)
        for spot in self._spots.values():
            if not self.shades.is_hidden(spot.step):
                self._draw_element(spot)
        for label in self.layout.labels:
            if not self.shades.is_hidden(label.step):
                self._draw_label(label)

    def _order_wire(self, wire: Wire) -> tuple[float, bool]:
        return self.shades.order(wire.step), wire.arrow

    def _draw_wire(self, wire: Wire) -> None:
        head = find_head(wire, self._spots.get(wire.points[-1]), self.layout.dots)
        points: list[Place] = list(self._skip_drawn(wire))
        if head:
            points[-1] = head.end
        self._draw_line(wire, points)
        if head is not None:
            self.pen.draw_head(head.tip, head.direction, self.shades.ink(wire.step), wire.step)

    def _list_dots(self) -> set[Point]:
        """Where lines do not bend smoothly: at the dots that are drawn or faint."""
        shades, dots = self.shades, self.layout.dots.items()
        return {point for point, step in dots if shades.has_future or shades.is_shown(step)}

    def _skip_drawn(self, wire: Wire) -> list[Point]:
        """A wire from where it leaves what is drawn of its value already, as strongly."""
        strength = self.shades.order(wire.step), self.shades.current == wire.step
        way = list(trace_points(wire))
        known = self._drawn.setdefault(
            (wire.net, strength, self.pen.id_prefix and wire.step), set()
        )
        start = 0
        while start + 2 < len(way) and (way[start], way[start + 1]) in known:
            start += 1
        known |= set(pairwise(way))
        return find_corners(way[start:])

    def _draw_line(self, wire: Wire, points: list[Place]) -> None:
        step, shades = wire.step, self.shades
        colour = self.wire_values and self.wire_values.wire_colour(wire.net)
        strokes = [(shades.ink(step), shades.width(LINE_WIDTH, step))]
        if colour and shades.is_shown(step):  # a pipe, so that pale values are seen as well
            strokes = [
                (self.theme.ink, LINE_WIDTH + 2 * _CASING),
                (colour, LINE_WIDTH + _CASING),
            ]
        for above, (ink, width) in enumerate(strokes):
            order = 1 + shades.order(step) + 0.1 * above
            self.pen.draw_line(points, ink, width, step, order, self._list_dots())

    def _draw_norm_bar(self, bar: NormBar) -> None:
        left, right = bar.ends
        step, ink = bar.step, self.shades.ink(bar.step)
        fill = self.shades.fill(self.theme.layer, step)
        middle, half = (left + right) / 2, (right - left) / 2
        self.pen.draw_shape("bar", middle, bar.y, half, BAR_TALL, fill, ink, step)
        text = "layer norm" if half > 4 else "LN"
        self.pen.draw_text(middle, bar.y - 0.05, text, ink, POINTS * WORDS, step=step)

    def _draw_element(self, position: ElementPosition) -> None:
        kind, step, shades = position.element.kind, position.step, self.shades
        ink = shades.ink(step)
        if kind == "join":
            self.pen.draw_shape("bar", position.x, position.y, JOIN_HALF, JOIN_TALL, ink, ink, step)
            return
        colour = self.theme.layer if kind in ("layer", "norm") else self.theme.pointwise
        half, tall = measure_extent(position)
        opening = self._find_openness(position.element.output)
        if opening is None or not shades.is_shown(step):
            place, width = (position.x, position.y), shades.width(1.4, step)
            self.pen.draw_shape(
                kind, *place, half, tall, shades.fill(colour, step), ink, step, width
            )
        else:
            self._draw_gate(position, half, tall, opening)
        self._draw_symbol(position, ink)

    def _draw_symbol(self, position: ElementPosition, ink: str) -> None:
        place, size = (position.x, position.y), POINTS * ELEMENT_SCALE
        text = self.pen.draw_text(
            *place, f"${position.element.symbol}$", ink, size, step=position.step
        )
        name = self._box_names.get(position.element.output)
        if name is not None and self.pen.id_prefix is None:
            text.set_gid(f"label-{name}")

    def _find_openness(self, net: Net) -> float | None:
        return None if self.wire_values is None else self.wire_values.gate_openness(net)

    def _draw_gate(
        self, position: ElementPosition, half: float, tall: float, openness: float
    ) -> None:
        """A gate's box, filled from below as far as the gate is open."""
        ink, step = self.theme.ink, position.step
        x, y = position.x, position.y
        box = self.pen.draw_shape("layer", x, y, half, tall, self.theme.page, ink, step)
        height = 2 * tall * min(1.0, max(0.0, openness))
        level = self.pen.draw_rectangle(
            (x - half, y - tall), 2 * half, height, step, facecolor=self.theme.layer, zorder=5.1
        )
        level.set_clip_path(box)
        self._name_level(position, level)
        self.pen.draw_shape("layer", x, y, half, tall, "none", ink, step, order=5.2)

    def _name_level(self, position: ElementPosition, level: Patch) -> None:
        """For drawings that are filled later."""

    def _draw_label(self, label: Label) -> None:
        ink, (x, y) = self.shades.ink(label.step), label.box.middle
        size, ha, step = POINTS * (SMALL if label.small else 1.0), "center", label.step
        if label.words:
            flush, below = label.side, label.box.bottom + 0.1 + WORD_LINE / 2
            x = label.box.left + 0.1 if flush == "left" else label.box.right - 0.1
            self.pen.draw_text(x, below, label.words, ink, POINTS * WORDS, flush, step)
            y, ha = label.box.top - 0.1 - measure_line_height(label.text) / 2, flush
        if label.number:
            x, ha = label.box.left + 0.1, "left"
            if label.words and label.side == "right":
                width = measure_symbol(label.text) + GAP
                x = label.box.right - 0.1 - width - measure_small(label.number)
            self._draw_number(label, x + measure_symbol(label.text) + GAP, y)
        if not label.text:
            return
        drawn = self.pen.draw_text(x, y, f"${label.text}$", ink, size, ha, step)
        if label.name and self.pen.id_prefix is None:
            drawn.set_gid(f"label-{label.name}")

    def _draw_number(self, label: Label, x: float, y: float) -> None:
        """The number beside a symbol, from ``x`` on."""
        ink = self.shades.ink(label.step)
        self.pen.draw_text(x, y, f"${label.number}$", ink, POINTS * SMALL, "left", label.step)
