"""Draws a placed and wired sketch with matplotlib: one drawing for SVG, PNG and PDF."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sluice.equations.graph import Graph
from sluice.render.picture import PictureError, figure, settings
from sluice.render.sketch.label import Box, Label, labels
from sluice.render.sketch.parts import Parts
from sluice.render.sketch.place import POINTS, TRACK, Places, Spot, place
from sluice.render.sketch.route import NoWayError, Router, Wire
from sluice.render.theme import Theme, themed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LINE = 1.8


@dataclass(frozen=True)
class Layout:
    """A sketch before it is drawn: where everything is, in tracks."""

    places: Places
    wires: list[Wire]
    labels: list[Label]
    box: Box  # the unit's outline


def layout(graph: Graph) -> Layout:
    """Place, wire and label a cell's sketch, with as much room as its wires need."""
    made: Layout | None = None
    for gap in (3, 4, 6, 8, 12):
        places = place(Parts.from_graph(graph), gap)
        router = Router(places)
        try:
            wires = router.run()
        except NoWayError:
            continue
        if made is None or not router.awkward:
            top = max([*places.rails.values(), *(s.y + s.tall for s in places.spots.values())])
            box = Box(2.0, places.bottom - 4.0, places.width - 2.0, top + 2.0)
            made = Layout(places, wires, labels(places, wires, router), box)
        if gap > 3 or not router.awkward:
            return made
    if made is None:
        raise PictureError(f"{graph.name} is too intricate to be sketched")
    return made


def sketch(graph: Graph, theme: str = "light", upto: int | None = None) -> Figure:
    r"""The unit of ``graph`` as a matplotlib figure; ``upto`` reveals only its first steps.

    Raises MissingExtra where matplotlib is missing, `sluice.render.picture.PictureError` for a cell
    that is too intricate, ValueError for an unknown theme.

    Example:
        >>> from sluice.cells import LSTM
        >>> sketch(LSTM().graph).axes[0].texts[0].get_text()
        '$\\sigma$'
    """
    colours = themed(theme)
    with settings():
        made = layout(graph)
        return _Drawing(made, colours, upto).run()


def series(graph: Graph, theme: str = "light") -> list[Figure]:
    """The unit revealed step by step: what is still to come is faint.

    An LSTM's steps are forget, input, update and output.

    Example:
        >>> from sluice.cells import LSTM
        >>> len(series(LSTM().graph))
        4
    """
    with settings():
        made = layout(graph)
        steps = range(1, len(made.places.steps) + 1)
        return [_Drawing(made, themed(theme), upto).run() for upto in steps]


class _Drawing:
    """One figure in the making."""

    def __init__(self, made: Layout, theme: Theme, upto: int | None) -> None:
        self.made, self.theme, self.upto = made, theme, upto
        box = made.box
        self.left, self.bottom = -2.5, box.bottom - 5.6
        self.right, self.top = box.right + 4.5, box.top + 1.0
        width, height = self.right - self.left, self.top - self.bottom
        self.figure = figure(width * TRACK, height * TRACK, theme)
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_xlim(self.left, self.right)
        self.axes.set_ylim(self.bottom, self.top)
        self.axes.set_axis_off()

    def run(self) -> Figure:
        self._outline()
        for wire in sorted(self.made.wires, key=lambda w: (self._shown(w.step), w.arrow)):
            self._wire(wire)
        self._dots()
        for spot in self.made.places.spots.values():
            self._part(spot)
        for label in self.made.labels:
            self._label(label)
        self._legend()
        return self.figure

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
        line = Line2D(xs, ys, color=self._ink(wire.step), zorder=order, linewidth=_LINE)
        line.set_solid_capstyle("round")
        line.set_solid_joinstyle("round")
        self.axes.add_line(line)
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
        self.axes.add_patch(Polygon(corners, facecolor=self._ink(step), edgecolor="none", zorder=4))

    def _dots(self) -> None:
        """A dot where a value branches."""
        for point, step in branches(self.made.wires).items():
            if self._shown(step):
                self._dot(point, self.theme.ink)

    def _dot(self, point: tuple[float, float], colour: str) -> None:
        from matplotlib.patches import Circle

        self.axes.add_patch(Circle(point, 0.3, facecolor=colour, edgecolor="none", zorder=4))

    def _part(self, spot: Spot) -> None:
        kind, shown = spot.part.kind, self._shown(spot.step)
        ink = self._ink(spot.step)
        if kind == "join":
            self._shape("bar", spot.x, spot.y, 0.22, 0.9, ink, ink)
            return
        fill = self.theme.layer if kind in ("layer", "norm") else self.theme.pointwise
        if not shown:
            fill = self.theme.body
        half = 1.1 if kind == "circle" and spot.half <= 2 else spot.half - 0.4
        tall = 2.3 if spot.part.normed else 1.15
        self._shape(kind, spot.x, spot.y, half, 1.1 if kind == "circle" else tall, fill, ink)
        y = spot.y + (1.0 if spot.part.normed else 0)
        label = re.sub(r" ([-+/>])$", r"{\1}", spot.part.label)  # no room for a missing operand
        self._text(spot.x, y, f"${label}$", ink)
        if spot.part.normed:
            self._text(spot.x, spot.y - 1.2, r"$\mathrm{LN}$", ink, POINTS * 0.85)

    def _shape(
        self, kind: str, x: float, y: float, half: float, tall: float, fill: str, edge: str
    ) -> None:
        from matplotlib.patches import Ellipse, FancyBboxPatch

        if kind in ("circle", "pointwise"):
            self.axes.add_patch(
                Ellipse(
                    (x, y),
                    2 * half,
                    2 * tall,
                    facecolor=fill,
                    edgecolor=edge,
                    linewidth=1.4,
                    zorder=5,
                )
            )
            return
        rounding = 0.05 if kind == "bar" else 0.25
        self.axes.add_patch(
            FancyBboxPatch(
                (x - half, y - tall),
                2 * half,
                2 * tall,
                boxstyle=f"round,pad=0,rounding_size={rounding}",
                facecolor=fill,
                edgecolor=edge,
                linewidth=1.4,
                zorder=5,
            )
        )

    def _text(
        self, x: float, y: float, text: str, colour: str, size: float = POINTS, ha: str = "center"
    ) -> Any:
        return self.axes.text(x, y, text, color=colour, size=size, ha=ha, va="center", zorder=6)

    def _label(self, label: Label) -> None:
        drawn = self._text(
            label.box.middle[0], label.box.middle[1], f"${label.text}$", self._ink(label.step)
        )
        drawn.set_gid(f"label-{label.name}")

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


def branches(wires: list[Wire]) -> dict[tuple[int, int], int]:
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
