"""The strokes of a sketch: lines, shapes and texts, marked with the step that reveals them."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from sluice.render.sketch.placement import POINTS
from sluice.render.theme import Theme

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.text import Text

_Artist = TypeVar("_Artist", bound="Artist")
Place = tuple[float, float]

HEAD = 0.85
"""The length of an arrowhead, in tracks."""
DOT = 0.27
"""The radius of a dot, in tracks."""
HEAD_HALF, _NOTCH = 0.36, 0.2
_BEND, _BEND_POINTS = 0.7, 5
WORD_FONT = "DejaVu Sans"


class Pen:
    """Draws on a figure's axes, all places counted from ``origin``.

    ``scale`` is that of letters and widths of lines, where the axes show a sketch smaller.
    ``zorder_offset`` raises what is drawn above what was drawn before; the ids of all that is
    drawn begin with ``id_prefix``, if there is one.
    """

    def __init__(
        self, axes: Axes, theme: Theme, origin: Place = (0.0, 0.0), scale: float = 1.0
    ) -> None:
        self.axes, self.theme, self.origin, self.scale = axes, theme, origin, scale
        self.zorder_offset = 0
        self.id_prefix: str | None = None
        self._id_count = 0

    def at(self, x: float, y: float) -> Pen:
        """A pen on the same axes whose places are counted from (x, y) of this one's."""
        return Pen(self.axes, self.theme, (self.origin[0] + x, self.origin[1] + y), self.scale)

    def register(self, artist: _Artist, step: int) -> _Artist:
        """Mark an artist with its step, and raise it by `zorder_offset`."""
        artist.set_zorder(artist.get_zorder() + self.zorder_offset)
        artist.set_clip_on(False)
        if self.id_prefix is not None:
            self._id_count += 1
            artist.set_gid(f"{self.id_prefix}-{step}-{self._id_count}")
        return artist

    def _move(self, x: float, y: float) -> Place:
        return x + self.origin[0], y + self.origin[1]

    def draw_line(
        self,
        points: Sequence[Place],
        colour: str,
        width: float,
        step: int = 0,
        order: float = 2.0,
        sharp: Collection[Place] = (),
        **style: Any,
    ) -> Line2D:
        """A line with round corners, but where it bends at one of the ``sharp`` points."""
        from matplotlib.lines import Line2D

        xs, ys = zip(*(self._move(x, y) for x, y in _round_corners(points, sharp)), strict=True)
        line = Line2D(xs, ys, color=colour, zorder=order, linewidth=width * self.scale, **style)
        line.set_solid_capstyle("round")
        line.set_solid_joinstyle("round")
        return self.register(self.axes.add_line(line), step)

    def draw_head(self, tip: Place, direction: Place, colour: str, step: int = 0) -> Patch:
        """An arrowhead."""
        from matplotlib.patches import Polygon

        (x, y), (dx, dy) = self._move(*tip), direction
        back, notch = HEAD, HEAD - _NOTCH
        corners = [
            (x, y),
            (x - back * dx - HEAD_HALF * dy, y - back * dy + HEAD_HALF * dx),
            (x - notch * dx, y - notch * dy),
            (x - back * dx + HEAD_HALF * dy, y - back * dy - HEAD_HALF * dx),
        ]
        arrow = Polygon(corners, facecolor=colour, edgecolor="none", zorder=4)
        return self.register(self.axes.add_patch(arrow), step)

    def draw_dot(self, point: Place, colour: str, step: int = 0) -> None:
        from matplotlib.patches import Circle

        dot = Circle(self._move(*point), DOT, facecolor=colour, edgecolor="none", zorder=4)
        self.register(self.axes.add_patch(dot), step)

    def draw_rectangle(
        self, corner: Place, width: float, height: float, step: int = 0, **style: Any
    ) -> Patch:
        from matplotlib.patches import Rectangle

        area = Rectangle(self._move(*corner), width, height, **style)
        return self.register(self.axes.add_patch(area), step)

    def draw_shape(
        self,
        kind: str,
        x: float,
        y: float,
        half: float,
        tall: float,
        fill: str,
        edge: str,
        step: int = 0,
        width: float = 1.4,
        order: float = 5.0,
    ) -> Patch:
        """A circle, a pill (``pointwise``), or a box with round corners."""
        from matplotlib.patches import Ellipse, FancyBboxPatch

        x, y = self._move(x, y)
        style: dict[str, Any] = {
            "facecolor": fill,
            "edgecolor": edge,
            "linewidth": width * self.scale,
        }
        style["zorder"] = order
        if kind == "circle" and half == tall:
            return self.register(
                self.axes.add_patch(Ellipse((x, y), 2 * half, 2 * tall, **style)), step
            )
        rounding = {"bar": 0.05, "unit": 1.4, "circle": tall, "pointwise": tall}.get(kind, 0.3)
        box = FancyBboxPatch(
            (x - half, y - tall),
            2 * half,
            2 * tall,
            boxstyle=f"round,pad=0,rounding_size={rounding}",
            **style,
        )
        return self.register(self.axes.add_patch(box), step)

    def draw_text(
        self,
        x: float,
        y: float,
        text: str,
        colour: str,
        size: float = POINTS,
        ha: str = "center",
        step: int = 0,
        **style: Any,
    ) -> Text:
        x, y = self._move(x, y)
        style = {"va": "center", "zorder": 6, **style}
        return self.register(
            self.axes.text(x, y, text, color=colour, size=size * self.scale, ha=ha, **style), step
        )


def _round_corners(points: Sequence[Place], sharp: Collection[Place]) -> list[Place]:
    """The points of a line whose corners are quarters of a circle."""
    found = [points[0]]
    for (x, y), here, (u, v) in zip(points, points[1:], points[2:], strict=False):
        before = math.hypot(here[0] - x, here[1] - y)
        after = math.hypot(u - here[0], v - here[1])
        radius = min(_BEND, before / 2, after / 2)
        if here in sharp or radius < 0.05:
            found.append(here)
            continue
        into = ((here[0] - x) / before, (here[1] - y) / before)
        out = ((u - here[0]) / after, (v - here[1]) / after)
        for k in range(_BEND_POINTS + 1):
            angle = math.pi / 2 * k / _BEND_POINTS
            back, on = radius * (1 - math.sin(angle)), radius * (1 - math.cos(angle))
            found.append(
                (here[0] - back * into[0] + on * out[0], here[1] - back * into[1] + on * out[1])
            )
    return [*found, points[-1]]
