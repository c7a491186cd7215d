"""What plots share: the figures they are drawn in, lines, labels and scales in one look."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import TYPE_CHECKING, Any

from sluice.render import picture
from sluice.render.theme import Theme, get_theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

Style = Theme
"""Plots use the theme of all pictures."""

SMALL, NORMAL = 8, 9
"""Points of tick labels, and of everything else."""


_DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (6, 1.5, 1.5, 1.5)), (0, (3, 1, 1, 1, 1, 1)))


def load_theme(name: str) -> Style:
    """The style called ``name``. Raises ValueError where there is none."""
    return get_theme(name)


def create_figure(theme: Style, width: float, height: float) -> Figure:
    """An empty figure of so many inches. Raises MissingExtra where matplotlib is not installed."""
    return picture.create_figure(width, height, theme, layout="constrained")


def line_styles(theme: Style) -> Iterator[dict[str, Any]]:
    """Colour and dashes of one line after another: either alone tells them apart."""
    for colour, dashes in zip(cycle(theme.lines), cycle(_DASHES), strict=False):
        yield {"color": colour, "linestyle": dashes, "linewidth": 1.6}


def style_axes(axes: Axes, theme: Style, x: str, y: str, title: str | None = None) -> None:
    """Give axes their labels, and the style's colours and sizes of letters."""
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


def add_legend(axes: Axes, theme: Style, **options: Any) -> None:
    """Name the lines."""
    axes.legend(
        fontsize=SMALL,
        labelcolor=theme.ink,
        facecolor=theme.page,
        edgecolor=theme.grid,
        framealpha=0.85,
        handlelength=3,
        **options,
    )


def add_colour_bar(
    mappable: Any, axes: list[Axes], theme: Style, label: str, **options: Any
) -> None:
    """Say beside ``axes`` which colour is which value."""
    bar = axes[0].get_figure().colorbar(mappable, ax=axes, **options)  # type: ignore[union-attr]
    bar.ax.tick_params(labelsize=SMALL, colors=theme.ink)
    bar.set_label(label, fontsize=NORMAL, color=theme.ink)
    bar.outline.set_visible(False)
