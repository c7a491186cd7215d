"""Forecasts: the end of a history, the values after it, and their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from sluice.insight.plots.canvas import Canvas, document_plot
from sluice.insight.plots.style import SMALL, LineStyle, line_styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ALONE, _BESIDE = 9.0, 5.2
"""Inches of a panel's width: alone in its row, or one of two."""
_HEIGHT, _LEGEND = 2.4, 0.5
_MARKED = 2
"""So few steps are drawn as points."""
_SINGLE_COLUMN = 3
"""So many panels stand below each other; more stand in two columns."""


@dataclass(frozen=True, eq=False)
class ForecastPanel:
    """What one panel shows.

    Attributes:
        name: what stands above it.
        unit: what the axis of values is called.
        history_times, history: ``(rows,)``, dates or numbers, and values; NaN leaves a gap.
        times, forecast: ``(steps,)``.
        bands: the percentage of each interval with its two ends, ``(steps,)``, the widest first.
    """

    name: str
    unit: str
    history_times: NDArray[Any]
    history: NDArray[Any]
    times: NDArray[Any]
    forecast: NDArray[Any]
    bands: Sequence[tuple[float, NDArray[Any], NDArray[Any]]] = ()


@document_plot
def plot_forecasts(
    panels: Sequence[ForecastPanel],
    *,
    x: str = "",
    title: str | None = None,
    theme: str = "light",
) -> Figure:
    """The end of each history with its forecast, and intervals as bands: a panel each.

    Args:
        panels: What to show; more than three stand in two columns.
        x: What the axis of times is called.

    Raises:
        ValueError: no panel.

    Example:
        >>> import numpy as np, sluice
        >>> rows, steps = np.arange(20), np.arange(20, 25)
        >>> ends = (80.0, np.full(5, -1.0), np.full(5, 1.0))
        >>> panel = ForecastPanel("shop", "sales", rows, np.sin(rows), steps, np.zeros(5), [ends])
        >>> picture = sluice.insight.plots.plot_forecasts([panel])
        >>> picture.axes[0].get_title(loc="left")
        'shop'
    """
    if not panels:
        raise ValueError("panels must be at least one, got none")
    columns = 1 if len(panels) <= _SINGLE_COLUMN else 2
    rows = math.ceil(len(panels) / columns)
    width = _ALONE if columns == 1 else columns * _BESIDE
    canvas = Canvas(theme, width, rows * _HEIGHT + _LEGEND)
    grid = canvas.add_panels(rows, columns, title=title)
    places = [axes for row in grid for axes in row]
    past, ahead = (stroke for stroke, _ in zip(line_styles(canvas.theme), range(2), strict=False))
    for number, (axes, panel) in enumerate(zip(places, panels, strict=False)):
        _draw_panel(axes, panel, past, ahead)
        at_bottom = number + columns >= len(panels)
        canvas.style_axes(axes, x if at_bottom else "", panel.unit, panel.name)
        _shorten_dates(axes, panel)
    for axes in places[len(panels) :]:
        axes.set_visible(False)
    canvas.figure.legend(
        *places[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=4,
        fontsize=SMALL,
        labelcolor=canvas.theme.ink,
        facecolor=canvas.theme.page,
        edgecolor=canvas.theme.page,
    )
    return canvas.figure


def _draw_panel(axes: Axes, panel: ForecastPanel, past: LineStyle, ahead: LineStyle) -> None:
    single = len(panel.times) == 1
    for place, (percent, low, high) in enumerate(panel.bands):
        label = f"{percent:g} % interval"
        shade = 0.18 + 0.14 * place
        if single:  # a band over one step has no width
            middle = (low + high) / 2
            axes.errorbar(
                panel.times, middle, yerr=(high - low) / 2, fmt="none",
                ecolor=ahead["color"], alpha=shade + 0.3, capsize=4 + 3 * place, label=label,
            )  # fmt: skip
            continue
        axes.fill_between(
            panel.times, low, high, color=ahead["color"], alpha=shade, linewidth=0, label=label
        )
    axes.plot(panel.history_times, panel.history, **past, label="data")
    (line,) = axes.plot(panel.times, panel.forecast, **ahead, label="forecast")
    line.set_linestyle("-")
    if len(panel.times) <= _MARKED:
        line.set(marker="o", markersize=4)


def _shorten_dates(axes: Axes, panel: ForecastPanel) -> None:
    """Dates in few letters: what is common stands at the end of the axis."""
    if panel.times.dtype.kind != "M":
        return
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=4, maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(formatter)
    colour = axes.xaxis.label.get_color()
    axes.xaxis.get_offset_text().set(fontsize=SMALL, color=colour)
