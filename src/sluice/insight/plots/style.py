"""What plots share: the figures they are drawn in, lines, labels and scales in one look."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import TYPE_CHECKING, Any

from sluice.render import picture
from sluice.render.theme import Theme, themed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

Style = Theme
"""Plots use the theme of all pictures."""

SMALL, NORMAL = 8, 9
"""Points of tick labels, and of everything else."""


_DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (6, 1.5, 1.5, 1.5)), (0, (3, 1, 1, 1, 1, 1)))


def styled(name: str) -> Style:
    """The style called ``name``. Raises ValueError where there is none."""
    return themed(name)


def figure(style: Style, width: float, height: float) -> Figure:
    """An empty figure of so many inches. Raises MissingExtra where matplotlib is not installed."""
    return picture.figure(width, height, style, layout="constrained")


def strokes(style: Style) -> Iterator[dict[str, Any]]:
    """Colour and dashes of one line after another: either alone tells them apart."""
    for colour, dashes in zip(cycle(style.lines), cycle(_DASHES), strict=False):
        yield {"color": colour, "linestyle": dashes, "linewidth": 1.6}


def dress(axes: Axes, style: Style, x: str, y: str, title: str | None = None) -> None:
    """Give axes their labels, and the style's colours and sizes of letters."""
    axes.set_facecolor(style.page)
    axes.set_xlabel(x, fontsize=NORMAL, color=style.ink)
    axes.set_ylabel(y, fontsize=NORMAL, color=style.ink)
    if title:
        axes.set_title(title, fontsize=NORMAL + 1, color=style.ink, loc="left")
    axes.tick_params(which="both", labelsize=SMALL, colors=style.ink)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(style.ink)


def whole_numbers(axis: Axis) -> None:
    """Ticks at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins="auto", steps=[1, 2, 5, 10], integer=True))


def legend(axes: Axes, style: Style, **options: Any) -> None:
    """Name the lines."""
    axes.legend(
        fontsize=SMALL,
        labelcolor=style.ink,
        facecolor=style.page,
        edgecolor=style.grid,
        framealpha=0.85,
        handlelength=3,
        **options,
    )


def scale_bar(drawn: Any, axes: list[Axes], style: Style, label: str, **options: Any) -> None:
    """Say beside ``axes`` which colour is which value."""
    bar = axes[0].get_figure().colorbar(drawn, ax=axes, **options)  # type: ignore[union-attr]
    bar.ax.tick_params(labelsize=SMALL, colors=style.ink)
    bar.set_label(label, fontsize=NORMAL, color=style.ink)
    bar.outline.set_visible(False)
