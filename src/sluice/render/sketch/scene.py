"""Several units on one page, and what connects them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sluice.render.sketch.boxes import Box
from sluice.render.sketch.layout import Layout
from sluice.render.sketch.legend import Legend
from sluice.render.sketch.output_layer import OutputLayer
from sluice.render.sketch.page import MARGIN, Page, measure_unit
from sluice.render.sketch.pen import HEAD, Pen, Place
from sluice.render.sketch.placement import POINTS, TRACK
from sluice.render.sketch.shades import Shades
from sluice.render.sketch.unit import LINE_WIDTH, UnitDrawing
from sluice.render.theme import Theme
from sluice.render.typeset import measure_text, measure_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LEGEND_GAP = 0.9


class Scene:
    """What is to be drawn, and the area that it covers; `draw` makes the page for it."""

    def __init__(self, theme: Theme, language: str = "en") -> None:
        self.theme, self.language = theme, language
        self.area: Box | None = None
        self._acts: list[Callable[[Pen], object]] = []
        self._layouts: list[Layout] = []
        self._more: list[str] = []

    def _cover(self, box: Box) -> None:
        self.area = box if self.area is None else self.area.join(box)

    def add_unit(self, layout: Layout, x: float = 0.0, y: float = 0.0) -> None:
        """A unit whose layout's origin is at (x, y)."""

        def act(pen: Pen) -> None:
            unit = UnitDrawing(layout, pen.at(x, y))
            unit.draw_outline()
            unit.draw_unit()

        self._cover(measure_unit(layout).shift(x, y))
        self._layouts.append(layout)
        self._acts.append(act)

    def add_outline(self, box: Box, text: str) -> None:
        """A unit of which only the name is shown."""

        def act(pen: Pen) -> None:
            half, tall = (box.right - box.left) / 2, (box.top - box.bottom) / 2
            place, theme = box.middle, pen.theme
            pen.draw_shape("unit", *place, half, tall, theme.body, theme.grid, width=1.2, order=0)
            pen.draw_text(*place, text, theme.ink, POINTS)

        self._cover(box)
        self._acts.append(act)

    def add_line(self, points: Sequence[Place], has_head: bool = True, dot: bool = False) -> None:
        """A line, with an arrowhead at its end, and a dot where it begins."""
        (x, y), (u, v) = points[-2:]
        direction = (float((u > x) - (u < x)), float((v > y) - (v < y)))

        def act(pen: Pen) -> None:
            ink, way = pen.theme.ink, list(points)
            if has_head:
                back = 0.6 * HEAD
                way[-1] = (u - back * direction[0], v - back * direction[1])
                pen.draw_head((u, v), direction, ink)
            pen.draw_line(way, ink, LINE_WIDTH)
            if dot:
                pen.draw_dot(points[0], ink)

        xs, ys = zip(*points, strict=True)
        self._cover(Box(min(xs) - 0.4, min(ys) - 0.4, max(xs) + 0.4, max(ys) + 0.4))
        self._acts.append(act)

    def add_bar(self, x: float, y: float) -> None:
        """Where values are put side by side, on a line that rises."""
        self._more.append("join")
        self._acts.append(
            lambda pen: pen.draw_shape("bar", x, y, 0.9, 0.22, pen.theme.ink, pen.theme.ink)
        )

    def add_symbol(self, x: float, y: float, latex: str, ha: str = "left", size: float = 1) -> None:
        """A symbol."""
        text = f"${latex}$"
        width, height = (side / TRACK for side in measure_text(text, POINTS * size))
        self._add_text(x, y, text, ha, POINTS * size, width, height)

    def add_words(self, x: float, y: float, text: str, ha: str = "left", size: float = 0.8) -> None:
        """Plain words."""
        width, height = (side / TRACK for side in measure_words(text, POINTS * size))
        self._add_text(x, y, text, ha, POINTS * size, width, height)

    def _add_text(
        self, x: float, y: float, text: str, ha: str, size: float, width: float, height: float
    ) -> None:
        left = x - width * {"left": 0.0, "center": 0.5, "right": 1.0}[ha]
        self._cover(Box(left, y - height / 2, left + width, y + height / 2))
        self._acts.append(lambda pen: pen.draw_text(x, y, text, pen.theme.ink, size, ha))

    def add_output_layer(self, layer: OutputLayer, x: float = 0.0, y: float = 0.0) -> None:
        """The output layer of a unit whose origin is at (x, y)."""
        self._cover(layer.box.shift(x, y))
        self._more.append("layer")
        self._acts.append(lambda pen: layer.draw(pen.at(x, y), Shades(pen.theme)))

    def draw(self) -> Figure:
        """The page, with a legend below."""
        area = self.area or Box(0, 0, 1, 1)
        width = max(area.right - area.left, 16.0)
        legend = Legend.of(self._layouts, width, language=self.language, more=self._more)
        bottom = area.bottom - _LEGEND_GAP - legend.height
        page = Page(Box(area.left, bottom, area.left + width, area.top).grow(MARGIN), self.theme)
        for act in self._acts:
            act(page.pen)
        legend.draw(page.pen, area.left, area.bottom - _LEGEND_GAP)
        return page.figure
