"""Draws a placed and wired sketch with matplotlib: one drawing for SVG, PNG and PDF."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sluice.equations.graph import Graph, Node
from sluice.render.picture import figure, settings
from sluice.render.sketch.caption import captions
from sluice.render.sketch.label import GAP, SMALL, Label, symbol_width
from sluice.render.sketch.layout import Layout, branches, layout
from sluice.render.sketch.place import POINTS, TRACK, Spot
from sluice.render.sketch.route import Wire
from sluice.render.sketch.values import Painted
from sluice.render.theme import Theme, themed
from sluice.render.typeset import text_size

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LINE, _CASING = 1.8, 1.7
_LEADING, _CAPTION = 2.3, 0.85
_SCALE = 10.0
_SAID = "value on a wire; a gate is filled as far as it is open"


def sketch(
    graph: Graph,
    theme: str = "light",
    upto: int | None = None,
    *,
    values: Mapping[str | Node, float] | None = None,
    title: str | None = None,
) -> Figure:
    r"""The unit of ``graph`` as a matplotlib figure; ``upto`` reveals only its first steps.

    With ``values``, by name (``"forget"``; ``"c before"`` for a state as the step finds it) or by
    node, wires are coloured by what they carry, numbers stand beside the symbols, and a gate's σ
    is filled as far as it is open. ``title`` stands above.

    Raises MissingExtra where matplotlib is missing, `sluice.render.picture.PictureError` for a cell
    that is too intricate, KeyError for an unknown name in ``values``, ValueError for an unknown
    theme or a value that is not finite.

    Example:
        >>> from sluice.cells import LSTM
        >>> r"$\sigma$" in [text.get_text() for text in sketch(LSTM().graph).axes[0].texts]
        True
        >>> shown = sketch(LSTM().graph, values={"forget": 0.93})
        >>> "$0.93$" in [text.get_text() for text in shown.axes[0].texts]
        True
    """
    colours = themed(theme)
    with settings():
        painted = None if values is None else Painted.of(graph, values, colours)
        made = layout(graph, None if painted is None else painted.texts())
        drawing = Drawing(made, colours, painted=painted, title=title)
        drawing.unit(upto)
        return drawing.figure


def series(graph: Graph, theme: str = "light") -> list[Figure]:
    """The unit revealed step by step, each with its equations; what is still to come is faint.

    An LSTM's steps are forget, input, update and output.

    Example:
        >>> from sluice.cells import LSTM
        >>> len(series(LSTM().graph))
        4
    """
    with settings():
        made = layout(graph)
        lines, found = captions(made.places), []
        for upto, mine in enumerate(lines, 1):
            drawing = Drawing(made, themed(theme), lines=max(map(len, lines)))
            drawing.unit(upto)
            drawing.captions(mine)
            found.append(drawing.figure)
        return found


class Drawing:
    """One figure in the making."""

    def __init__(
        self,
        made: Layout,
        theme: Theme,
        *,
        painted: Painted | None = None,
        title: str | None = None,
        lines: int = 0,
    ) -> None:
        """``lines`` is how many lines of equations there is to be room for."""
        self.made, self.theme, self.painted = made, theme, painted
        self.upto: int | None = None
        self.lift = 0  # above what was drawn before
        self.mark: str | None = None  # what the ids of all that is drawn begin with
        self._count = 0
        box = made.box
        self.left, self.bottom = -2.5, box.bottom - 5.6
        self.bottom -= (3.2 if painted else 0.0) + (lines * _LEADING + 0.9 if lines else 0.0)
        self.right, self.top = box.right + 4.5, box.top + (3.4 if title else 1.0)
        if painted:  # about as wide as what is written there
            self.right = max(self.right, box.left + _SCALE + 1.0 + 0.42 * len(_SAID))
        self.right = max(self.right, box.left + 0.53 * len(title or ""))
        width, height = self.right - self.left, self.top - self.bottom
        self.figure = figure(width * TRACK, height * TRACK, theme)
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_xlim(self.left, self.right)
        self.axes.set_ylim(self.bottom, self.top)
        self.axes.set_axis_off()

        self._outline()
        self._legend()
        if title:
            self._text(box.left, box.top + 1.7, title, theme.ink, POINTS * 0.8, "left")
        if painted:
            self._scale(painted)

    def unit(self, upto: int | None) -> None:
        """Draw the unit: its first ``upto`` steps, and faint what is still to come."""
        self.upto = upto
        for wire in sorted(self.made.wires, key=lambda w: (self._shown(w.step), w.arrow)):
            self._wire(wire)
        self._dots()
        for spot in self.made.places.spots.values():
            self._part(spot)
        for label in self.made.labels:
            self._label(label)

    def captions(self, lines: list[str], first: int = 0, step: int = 0) -> None:
        """Equations below, from line ``first`` on."""
        y = self.made.box.bottom - 6.0 - 0.5 * _LEADING
        room = self.right - self.left - 3
        for number, line in enumerate(lines, first):
            width = text_size(f"${line}$", POINTS * _CAPTION)[0] / TRACK
            size = POINTS * _CAPTION * min(1.0, room / width)
            place = (self.made.box.left, y - number * _LEADING)
            self._text(*place, f"${line}$", self.theme.ink, size, "left", step)

    def _add(self, artist: Any, step: int) -> Any:
        """Remember of which step something is, and lift it above what lies below."""
        artist.set_zorder(artist.get_zorder() + self.lift)
        if self.mark is not None:
            self._count += 1
            artist.set_gid(f"{self.mark}-{step}-{self._count}")
        return artist

    def _shown(self, step: int) -> bool:
        return self.upto is None or step < self.upto

    def _ink(self, step: int) -> str:
        return self.theme.ink if self._shown(step) else self.theme.grid

    def _outline(self) -> None:
        from matplotlib.patches import FancyBboxPatch

        box = self.made.box
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

    def _wire(self, wire: Wire) -> None:
        from matplotlib.lines import Line2D

        xs, ys = zip(*wire.points, strict=True)
        order = 2 if self._shown(wire.step) else 1
        colour = self.painted and self.painted.colour(wire.net)
        strokes = [(self._ink(wire.step), _LINE)]
        if colour and self._shown(wire.step):  # a pipe, so that pale values are seen as well
            strokes = [(self.theme.ink, _LINE + 2 * _CASING), (colour, _LINE + _CASING)]
        for above, (ink, width) in enumerate(strokes):
            line = Line2D(xs, ys, color=ink, zorder=order + 0.1 * above, linewidth=width)
            line.set_solid_capstyle("round")
            line.set_solid_joinstyle("round")
            self._add(self.axes.add_line(line), wire.step)
        if wire.arrow:
            self._arrow(wire.points[-1], (1, 0), wire.step)

    def _arrow(self, tip: tuple[float, float], way: tuple[int, int], step: int) -> None:
        from matplotlib.patches import Polygon

        x, y = tip
        dx, dy = way
        corners = [
            (x + 0.9 * dx, y + 0.9 * dy),
            (x - 0.4 * dy, y + 0.4 * dx),
            (x + 0.4 * dy, y - 0.4 * dx),
        ]
        arrow = Polygon(corners, facecolor=self._ink(step), edgecolor="none", zorder=4)
        self._add(self.axes.add_patch(arrow), step)

    def _dots(self) -> None:
        """A dot where a value branches."""
        for point, step in branches(self.made.wires).items():
            if self._shown(step):
                self._dot(point, self.theme.ink, step)

    def _dot(self, point: tuple[float, float], colour: str, step: int = 0) -> None:
        from matplotlib.patches import Circle

        dot = Circle(point, 0.3, facecolor=colour, edgecolor="none", zorder=4)
        self._add(self.axes.add_patch(dot), step)

    def _part(self, spot: Spot) -> None:
        kind, shown, step = spot.part.kind, self._shown(spot.step), spot.step
        ink = self._ink(spot.step)
        if kind == "join":
            self._shape("bar", spot.x, spot.y, 0.22, 0.9, ink, ink, step)
            return
        fill = self.theme.layer if kind in ("layer", "norm") else self.theme.pointwise
        if not shown:
            fill = self.theme.body
        half = 1.1 if kind == "circle" and spot.half <= 2 else spot.half - 0.4
        tall = 2.3 if spot.part.normed else 1.15
        high = 1.1 if kind == "circle" else tall
        opening = None if self.painted is None else self.painted.opening(spot.part.output)
        if opening is None or not shown:
            self._shape(kind, spot.x, spot.y, half, high, fill, ink, step)
        else:
            self._open(spot, half, high, opening)
        y = spot.y + (1.0 if spot.part.normed else 0)
        label = re.sub(r" ([-+/>])$", r"{\1}", spot.part.label)  # no room for a missing operand
        self._text(spot.x, y, f"${label}$", ink, step=step)
        if spot.part.normed:
            self._text(spot.x, spot.y - 1.2, r"$\mathrm{LN}$", ink, POINTS * 0.85, step=step)

    def _open(self, spot: Spot, half: float, tall: float, opening: float) -> None:
        """A gate's box, filled from below as far as the gate is open."""
        from matplotlib.patches import Rectangle

        ink, step = self.theme.ink, spot.step
        box = self._shape("layer", spot.x, spot.y, half, tall, self.theme.page, ink, step)
        corner, height = (spot.x - half, spot.y - tall), 2 * tall * min(1.0, max(0.0, opening))
        level = Rectangle(corner, 2 * half, height, facecolor=self.theme.layer, zorder=5.1)
        self._add(self.axes.add_patch(level), step)
        level.set_clip_path(box)
        edge = self._shape("layer", spot.x, spot.y, half, tall, "none", ink, step)
        edge.set_zorder(edge.get_zorder() + 0.2)

    def _shape(
        self,
        kind: str,
        x: float,
        y: float,
        half: float,
        tall: float,
        fill: str,
        edge: str,
        step: int = 0,
    ) -> Any:
        from matplotlib.patches import Ellipse, FancyBboxPatch

        if kind in ("circle", "pointwise"):
            size = (2 * half, 2 * tall)
            oval = Ellipse((x, y), *size, facecolor=fill, edgecolor=edge, linewidth=1.4, zorder=5)
            return self._add(self.axes.add_patch(oval), step)
        rounding = 0.05 if kind == "bar" else 0.25
        box = FancyBboxPatch(
            (x - half, y - tall),
            2 * half,
            2 * tall,
            boxstyle=f"round,pad=0,rounding_size={rounding}",
            facecolor=fill,
            edgecolor=edge,
            linewidth=1.4,
            zorder=5,
        )
        return self._add(self.axes.add_patch(box), step)

    def _text(
        self,
        x: float,
        y: float,
        text: str,
        colour: str,
        size: float = POINTS,
        ha: str = "center",
        step: int = 0,
    ) -> Any:
        drawn = self.axes.text(x, y, text, color=colour, size=size, ha=ha, va="center", zorder=6)
        return self._add(drawn, step)

    def _label(self, label: Label) -> None:
        ink, (x, y) = self._ink(label.step), label.box.middle
        size = POINTS * (SMALL if label.small else 1.0)
        if label.number:
            x, ha = label.box.left + 0.1, "left"
            beside = x + symbol_width(label.text) + GAP
            self._text(beside, y, f"${label.number}$", ink, POINTS * SMALL, ha, label.step)
        else:
            ha = "center"
        drawn = self._text(x, y, f"${label.text}$", ink, size, ha, label.step)
        if label.name and self.mark is None:
            drawn.set_gid(f"label-{label.name}")

    def _scale(self, painted: Painted) -> None:
        """Which colour is which value, in a row of its own."""
        from matplotlib.patches import Rectangle

        left, y, width, parts = self.made.box.left, self.made.box.bottom - 6.9, _SCALE, 40
        for k in range(parts):
            shade = painted.shade(painted.limit * (2 * (k + 0.5) / parts - 1))
            corner = (left + width * k / parts, y - 0.4)
            self.axes.add_patch(Rectangle(corner, width / parts * 1.05, 0.8, facecolor=shade))
        frame = Rectangle((left, y - 0.4), width, 0.8, fill=False, edgecolor=self.theme.ink)
        self.axes.add_patch(frame)
        for at, value in ((0.0, -painted.limit), (0.5, 0.0), (1.0, painted.limit)):
            text = f"${value:.3g}$"
            self._text(left + at * width, y - 1.1, text, self.theme.ink, POINTS * 0.55)
        self._text(left + width + 0.8, y, _SAID, self.theme.ink, POINTS * 0.65, "left")

    def _legend(self) -> None:
        """What the shapes mean, in a row below."""
        y, x = self.made.box.bottom - 4.4, self.made.box.left
        kinds = {spot.part.kind for spot in self.made.places.spots.values()}
        items = [("layer", "learned layer")] if kinds & {"layer", "norm"} else []
        items += [("circle", "pointwise")] if kinds & {"circle", "pointwise"} else []
        items += [("dot", "copy")] if branches(self.made.wires) else []
        items += [("join", "side by side")] if "join" in kinds else []
        for kind, said in items:
            if kind == "dot":
                self._dot((x, y), self.theme.ink)
            elif kind == "join":
                self._shape("bar", x, y, 0.15, 0.55, self.theme.ink, self.theme.ink)
            else:
                fill = self.theme.layer if kind == "layer" else self.theme.pointwise
                self._shape(kind, x, y, 0.6, 0.6, fill, self.theme.ink)
            self._text(x + 1.1, y, said, self.theme.ink, POINTS * 0.65, "left")
            x += 1.8 + 0.5 * len(said) + 1.2
