"""Draws a placed and wired sketch with matplotlib: one drawing for SVG, PNG and PDF."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sluice.equations.graph import Graph, Node
from sluice.render.picture import create_figure, use_rc_settings
from sluice.render.sketch.captions import build_captions
from sluice.render.sketch.elements import Net
from sluice.render.sketch.labels import GAP, SMALL, Label, measure_symbol
from sluice.render.sketch.layout import Layout, build_layout
from sluice.render.sketch.legend import draw_colour_bar, draw_legend, measure_legend
from sluice.render.sketch.pen import Pen
from sluice.render.sketch.placement import POINTS, TRACK, ElementPosition
from sluice.render.sketch.routing import Wire
from sluice.render.sketch.wire_values import WireValues
from sluice.render.theme import Theme, get_theme
from sluice.render.typeset import measure_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LINE, _CASING = 1.8, 1.7
_LEADING, _CAPTION = 2.3, 0.85


def draw_sketch(
    graph: Graph,
    theme: str = "light",
    num_steps: int | None = None,
    *,
    values: Mapping[str | Node, float] | None = None,
    title: str | None = None,
) -> Figure:
    r"""The unit of ``graph`` as a matplotlib figure; ``num_steps`` reveals only its first steps.

    With ``values``, by name (``"forget"``; ``"c before"`` for a state as the step finds it) or by
    node, wires are coloured by what they carry, numbers are beside the symbols, and a gate's σ
    is filled as far as it is open. ``title`` is above.

    A cell too intricate for a part for each operation gets a box for each of its equations; the
    caption says so.

    Raises MissingExtraError without matplotlib, KeyError for an unknown name in ``values``,
    ValueError for an unknown theme or a value that is not finite.

    Example:
        >>> from sluice.cells import LSTM
        >>> r"$\sigma$" in [text.get_text() for text in draw_sketch(LSTM().graph).axes[0].texts]
        True
        >>> shown = draw_sketch(LSTM().graph, values={"forget": 0.93})
        >>> "$0.93$" in [text.get_text() for text in shown.axes[0].texts]
        True
    """
    colours = get_theme(theme)
    with use_rc_settings():
        painted = None if values is None else WireValues.from_values(graph, values, colours)
        made = build_layout(graph, None if painted is None else painted.format_all())
        drawing = Drawing(made, colours, wire_values=painted, title=title)
        drawing.draw_unit(num_steps)
        return drawing.figure


def draw_series(graph: Graph, theme: str = "light") -> list[Figure]:
    """The unit revealed step by step, each with its equations; what is still to come is faint.

    An LSTM's steps are forget, input, update and output.

    Example:
        >>> from sluice.cells import LSTM
        >>> len(draw_series(LSTM().graph))
        4
    """
    with use_rc_settings():
        made = build_layout(graph)
        lines, found = build_captions(made.placement), []
        for upto, mine in enumerate(lines, 1):
            drawing = Drawing(made, get_theme(theme), lines=max(map(len, lines)))
            drawing.draw_unit(upto)
            drawing.draw_captions(mine)
            found.append(drawing.figure)
        return found


class Drawing:
    """Draws one figure."""

    def __init__(
        self,
        layout: Layout,
        theme: Theme,
        *,
        wire_values: WireValues | None = None,
        title: str | None = None,
        lines: int = 0,
        has_legend: bool = True,
    ) -> None:
        """``lines`` is how many lines of equations there is to be room for."""
        self.layout, self.theme, self.wire_values = layout, theme, wire_values
        self.num_steps: int | None = None
        known = {label.name for label in layout.labels}
        outputs = layout.placement.graph.outputs if layout.is_simplified else ()
        self._box_names: dict[Net, str] = {
            node: name for name, node in outputs if name not in known
        }
        box = layout.box
        self.left = min([-2.5, *(label.box.left - 0.5 for label in layout.labels)])
        room = 7.4 if layout.is_simplified else 5.6
        self.bottom = box.bottom - (room if has_legend else 2.4)
        self.bottom -= (3.2 if wire_values else 0.0) + (lines * _LEADING + 0.9 if lines else 0.0)
        self.right = max([box.right + 4.5, *(label.box.right + 0.5 for label in layout.labels)])
        self.top = box.top + (3.4 if title else 1.0)
        if has_legend:
            width = measure_legend(layout, wire_values is not None)
            self.right = max(self.right, box.left + width)
        self.right = max(self.right, box.left + 0.53 * len(title or ""))
        width, height = self.right - self.left, self.top - self.bottom
        self.figure = create_figure(width * TRACK, height * TRACK, theme)
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_xlim(self.left, self.right)
        self.axes.set_ylim(self.bottom, self.top)
        self.axes.set_axis_off()
        self.pen = Pen(self.axes, theme)

        self._draw_outline()
        if has_legend:
            draw_legend(self.pen, layout)
        if title:
            self.pen.draw_text(box.left, box.top + 1.7, title, theme.ink, POINTS * 0.8, "left")
        if wire_values:
            draw_colour_bar(self.pen, layout, wire_values)

    def draw_unit(self, num_steps: int | None) -> None:
        """Draw the unit: its first ``num_steps`` steps, and faint what is still to come."""
        self.num_steps = num_steps
        for wire in sorted(self.layout.wires, key=lambda w: (self._is_shown(w.step), w.arrow)):
            self._draw_wire(wire)
        self._draw_dots()
        for spot in self.layout.placement.positions.values():
            self._draw_element(spot)
        for label in self.layout.labels:
            self._draw_label(label)

    def draw_captions(self, lines: list[str], first: int = 0, step: int = 0) -> None:
        """Equations below, from line ``first`` on."""
        y = self.layout.box.bottom - (7.8 if self.layout.is_simplified else 6.0) - 0.5 * _LEADING
        room = self.right - self.left - 3
        for number, line in enumerate(lines, first):
            width = measure_text(f"${line}$", POINTS * _CAPTION)[0] / TRACK
            size = POINTS * _CAPTION * min(1.0, room / width)
            place = (self.layout.box.left, y - number * _LEADING)
            self.pen.draw_text(*place, f"${line}$", self.theme.ink, size, "left", step)

    def _is_shown(self, step: int) -> bool:
        return self.num_steps is None or step < self.num_steps

    def _ink_colour(self, step: int) -> str:
        return self.theme.ink if self._is_shown(step) else self.theme.grid

    def _draw_outline(self) -> None:
        from matplotlib.patches import FancyBboxPatch

        box = self.layout.box
        self.axes.add_patch(
            FancyBboxPatch(
                (box.left, box.bottom),
                box.right - box.left,
                box.top - box.bottom,
                boxstyle="round,pad=0,rounding_size=1.2",
                facecolor=self.theme.body,
                edgecolor=self.theme.grid,
                linewidth=1.2,
                zorder=0,
            )
        )

    def _draw_wire(self, wire: Wire) -> None:
        from matplotlib.lines import Line2D

        xs, ys = zip(*wire.points, strict=True)
        order = 2 if self._is_shown(wire.step) else 1
        colour = self.wire_values and self.wire_values.wire_colour(wire.net)
        strokes = [(self._ink_colour(wire.step), _LINE)]
        if colour and self._is_shown(wire.step):  # a pipe, so that pale values are seen as well
            strokes = [(self.theme.ink, _LINE + 2 * _CASING), (colour, _LINE + _CASING)]
        for above, (ink, width) in enumerate(strokes):
            line = Line2D(xs, ys, color=ink, zorder=order + 0.1 * above, linewidth=width)
            line.set_solid_capstyle("round")
            line.set_solid_joinstyle("round")
            self.pen.register(self.axes.add_line(line), wire.step)
        if wire.arrow:
            self._draw_arrow(wire.points[-1], (1, 0), wire.step)

    def _draw_arrow(self, tip: tuple[float, float], direction: tuple[int, int], step: int) -> None:
        from matplotlib.patches import Polygon

        x, y = tip
        dx, dy = direction
        corners = [
            (x + 0.9 * dx, y + 0.9 * dy),
            (x - 0.4 * dy, y + 0.4 * dx),
            (x + 0.4 * dy, y - 0.4 * dx),
        ]
        arrow = Polygon(corners, facecolor=self._ink_colour(step), edgecolor="none", zorder=4)
        self.pen.register(self.axes.add_patch(arrow), step)

    def _draw_dots(self) -> None:
        """A dot where a value branches."""
        for point, step in self.layout.dots.items():
            if self._is_shown(step):
                self.pen.draw_dot(point, self.theme.ink, step)

    def _draw_element(self, position: ElementPosition) -> None:
        kind, shown, step = position.element.kind, self._is_shown(position.step), position.step
        ink = self._ink_colour(position.step)
        if kind == "join":
            self.pen.draw_shape("bar", position.x, position.y, 0.22, 0.9, ink, ink, step)
            return
        fill = self.theme.layer if kind in ("layer", "norm") else self.theme.pointwise
        if not shown:
            fill = self.theme.body
        half = 1.1 if kind == "circle" and position.half_width <= 2 else position.half_width - 0.4
        tall = 2.3 if position.element.has_norm else 1.15
        high = 1.1 if kind == "circle" else tall
        opening = self._find_openness(position.element.output)
        if opening is None or not shown:
            self.pen.draw_shape(kind, position.x, position.y, half, high, fill, ink, step)
        else:
            self._draw_gate(position, half, high, opening)
        y = position.y + (1.0 if position.element.has_norm else 0)
        label = re.sub(
            r" ([-+/>])$", r"{\1}", position.element.label
        )  # no room for a missing operand
        text = self.pen.draw_text(position.x, y, f"${label}$", ink, step=step)
        name = self._box_names.get(position.element.output)
        if name is not None and self.pen.id_prefix is None:
            text.set_gid(f"label-{name}")
        if position.element.has_norm:
            self.pen.draw_text(
                position.x, position.y - 1.2, r"$\mathrm{LN}$", ink, POINTS * 0.85, step=step
            )

    def _find_openness(self, net: Net) -> float | None:
        return None if self.wire_values is None else self.wire_values.gate_openness(net)

    def _draw_gate(
        self, position: ElementPosition, half: float, tall: float, openness: float
    ) -> None:
        """A gate's box, filled from below as far as the gate is open."""
        from matplotlib.patches import Rectangle

        ink, step = self.theme.ink, position.step
        box = self.pen.draw_shape(
            "layer", position.x, position.y, half, tall, self.theme.page, ink, step
        )
        corner, height = (
            (position.x - half, position.y - tall),
            2 * tall * min(1.0, max(0.0, openness)),
        )
        level = Rectangle(corner, 2 * half, height, facecolor=self.theme.layer, zorder=5.1)
        self.pen.register(self.axes.add_patch(level), step)
        level.set_clip_path(box)
        edge = self.pen.draw_shape("layer", position.x, position.y, half, tall, "none", ink, step)
        edge.set_zorder(edge.get_zorder() + 0.2)

    def _draw_label(self, label: Label) -> None:
        ink, (x, y) = self._ink_colour(label.step), label.box.middle
        size = POINTS * (SMALL if label.small else 1.0)
        if label.number:
            x, ha = label.box.left + 0.1, "left"
            beside = x + measure_symbol(label.text) + GAP
            self.pen.draw_text(beside, y, f"${label.number}$", ink, POINTS * SMALL, ha, label.step)
        else:
            ha = "center"
        drawn = self.pen.draw_text(x, y, f"${label.text}$", ink, size, ha, label.step)
        if label.name and self.pen.id_prefix is None:
            drawn.set_gid(f"label-{label.name}")
