"""How all pictures look, on a light page and on a dark one, and the figures they are drawn in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any

from sluice.extras import MissingExtra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

SMALL, NORMAL = 8, 9
"""Points of tick labels, and of everything else."""


@dataclass(frozen=True)
class Style:
    """Colours of a page, and maps of values to colours."""

    page: str
    ink: str
    grid: str
    sequential: str
    diverging: str
    lines: tuple[str, ...]


# Lines: the palette of Okabe & Ito (2008), told apart with any colour vision; lighter on dark.
STYLES = {
    "light": Style(
        page="#ffffff",
        ink="#1a1a1a",
        grid="#d9d9d9",
        sequential="cividis",
        diverging="RdBu_r",
        lines=("#0072b2", "#d55e00", "#007a5a", "#a8507f", "#946200", "#1a1a1a"),
    ),
    "dark": Style(
        page="#16181d",
        ink="#e6e6e6",
        grid="#3a3d44",
        sequential="cividis",
        diverging="berlin",
        lines=("#56b4e9", "#ff9248", "#2fc79b", "#e39ac4", "#f0e442", "#e6e6e6"),
    ),
}
_DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (6, 1.5, 1.5, 1.5)), (0, (3, 1, 1, 1, 1, 1)))


def styled(name: str) -> Style:
    """The style called ``name``. Raises ValueError where there is none."""
    if name not in STYLES:
        raise ValueError(f"style is {' or '.join(map(repr, STYLES))}, not {name!r}")
    return STYLES[name]


def figure(style: Style, width: float, height: float) -> Figure:
    """An empty figure of so many inches. Raises MissingExtra where matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("matplotlib", "plots") from None
    return Figure(figsize=(width, height), layout="constrained", facecolor=style.page)


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
