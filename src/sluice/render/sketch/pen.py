"""The strokes of a sketch: shapes, dots and texts, marked with the step that reveals them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sluice.render.sketch.placement import POINTS
from sluice.render.theme import Theme

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch
    from matplotlib.text import Text

_Artist = TypeVar("_Artist", bound="Artist")


class Pen:
    """Draws on a figure's axes.

    ``zorder_offset`` raises what is drawn above what was drawn before; the ids of all that is
    drawn begin with ``id_prefix``, if there is one.
    """

    def __init__(self, axes: Axes, theme: Theme) -> None:
        self.axes, self.theme = axes, theme
        self.zorder_offset = 0
        self.id_prefix: str | None = None
        self._id_count = 0

    def register(self, artist: _Artist, step: int) -> _Artist:
        """Mark an artist with its step, and raise it by `zorder_offset`."""
        artist.set_zorder(artist.get_zorder() + self.zorder_offset)
        if self.id_prefix is not None:
            self._id_count += 1
            artist.set_gid(f"{self.id_prefix}-{step}-{self._id_count}")
        return artist

    def draw_dot(self, point: tuple[float, float], colour: str, step: int = 0) -> None:
        from matplotlib.patches import Circle

        dot = Circle(point, 0.3, facecolor=colour, edgecolor="none", zorder=4)
        self.register(self.axes.add_patch(dot), step)

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
    ) -> Patch:
        from matplotlib.patches import Ellipse, FancyBboxPatch

        if kind in ("circle", "pointwise"):
            size = (2 * half, 2 * tall)
            oval = Ellipse((x, y), *size, facecolor=fill, edgecolor=edge, linewidth=1.4, zorder=5)
            return self.register(self.axes.add_patch(oval), step)
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
    ) -> Text:
        drawn = self.axes.text(x, y, text, color=colour, size=size, ha=ha, va="center", zorder=6)
        return self.register(drawn, step)
