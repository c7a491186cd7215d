"""The look of plots: figures, lines, labels, legends and colour bars in a theme."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import TYPE_CHECKING, Literal, TypedDict

from sluice.render import picture
from sluice.render.theme import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

SMALL, NORMAL, LARGE = 8, 9, 11
"""Sizes in points: of tick labels, of all other text, of a title above several panels."""

Dashes = str | tuple[int, tuple[float, ...]]
"""matplotlib's styles of dashes."""
_DASHES: tuple[Dashes, ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (1.5, 1)),
    (0, (6, 1.5, 1.5, 1.5)),
    (0, (3, 1, 1, 1, 1, 1)),
)


class LineStyle(TypedDict):
    """How a line is drawn; keywords of matplotlib's ``plot``."""

    color: str
    linestyle: Dashes
    linewidth: float


def create_figure(theme: Theme, width: float, height: float) -> Figure:
    """An empty figure of so many inches. Raises MissingExtra where matplotlib is not installed."""
    return picture.create_figure(width, height, theme, layout="constrained")


def line_styles(theme: Theme) -> Iterator[LineStyle]:
    """Colours and dashes of lines: either alone tells them apart."""
    for colour, dashes in zip(cycle(theme.lines), cycle(_DASHES), strict=False):
        yield LineStyle(color=colour, linestyle=dashes, linewidth=1.6)


def style_axes(axes: Axes, theme: Theme, x: str, y: str, title: str | None = None) -> None:
    """Label axes, and give them the theme's colours and the sizes of plots."""
    axes.set_facecolor(theme.page)
    axes.set_xlabel(x, fontsize=NORMAL, color=theme.ink)
    axes.set_ylabel(y, fontsize=NORMAL, color=theme.ink)
    if title:
        axes.set_title(title, fontsize=NORMAL + 1, color=theme.ink, loc="left")
    axes.tick_params(which="both", labelsize=SMALL, colors=theme.ink)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(theme.ink)


def use_integer_ticks(axis: Axis) -> None:
    """Ticks at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins="auto", steps=[1, 2, 5, 10], integer=True))


def add_legend(
    axes: Axes,
    theme: Theme,
    loc: Literal["best", "upper left", "center left"] = "best",
    anchor: tuple[float, float] | None = None,
) -> None:
    """A legend of the lines, at ``anchor`` in the axes' own coordinates where that is given."""
    axes.legend(
        fontsize=SMALL,
        labelcolor=theme.ink,
        facecolor=theme.page,
        edgecolor=theme.grid,
        framealpha=0.85,
        handlelength=3,
        loc=loc,
        bbox_to_anchor=anchor,
    )


def add_colour_bar(
    mappable: ScalarMappable,
    axes: list[Axes],
    theme: Theme,
    label: str,
    *,
    pad: float,
    aspect: float,
    fraction: float = 0.15,
) -> None:
    """A colour bar beside ``axes``; the other arguments are matplotlib's."""
    figure = axes[0].get_figure()
    assert figure is not None
    bar = figure.colorbar(mappable, ax=axes, pad=pad, aspect=aspect, fraction=fraction)
    bar.ax.tick_params(labelsize=SMALL, colors=theme.ink)
    bar.set_label(label, fontsize=NORMAL, color=theme.ink)
    bar.outline.set_visible(False)
