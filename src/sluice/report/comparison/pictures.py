"""The pictures of a comparison."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.insight.plots.bands import plot_band
from sluice.insight.plots.style import (
    SMALL,
    LineStyle,
    create_figure,
    line_styles,
    style_axes,
    use_integer_ticks,
)
from sluice.render.theme import Theme, get_theme
from sluice.report.comparison.settings import SOLVED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sluice.report.comparison.runs import Array, ComparisonRuns

_LEAST = 1e-20
"""Where the axis of shares ends at the latest: one that shows more shows nothing else."""


def plot_comparison(found: ComparisonRuns, theme: str) -> Figure:
    """Above, the score of every cell at every lag; below, how its gradient fares at one of them."""
    look = get_theme(theme)
    drawn = create_figure(look, 7.6, 6.2)
    grid = drawn.add_gridspec(2, 2, height_ratios=(1.15, 1))
    above = drawn.add_subplot(grid[0, :])
    _plot_scores(above, found, look)
    _add_legend(drawn, above, look)
    lag = found.find_discriminating_lag()
    left = drawn.add_subplot(grid[1, 0])
    right = drawn.add_subplot(grid[1, 1], sharey=left)
    _plot_gradient_norms(left, found, look, lag, "before", f"lag {lag}, before training")
    _plot_gradient_norms(right, found, look, lag, "after", f"lag {lag}, after training")
    right.tick_params(labelleft=False)
    right.set_ylabel("")
    _limit_axis(left)
    return drawn


def plot_curves(found: ComparisonRuns, theme: str) -> Figure:
    """The loss over updates, a panel a lag."""
    look = get_theme(theme)
    lags = _list_lags(found)
    drawn, (row,) = _create_panels(look, 1, len(lags))
    task = found.settings.task
    label = "mean squared error" if task.outputs == 1 else "loss (nats)"
    for axes, lag in zip(row, lags, strict=True):
        style_axes(axes, look, "update", label if axes is row[0] else "", f"lag {lag}")
        for cell, stroke in _iterate_cells(found, look):
            updates, losses = found.curves(cell, lag)
            if len(updates):
                plot_band(axes, updates, losses, stroke, label=cell)
        _draw_level(axes, look, task.chance_loss)
        axes.set_xlim(0, found.settings.steps)
        axes.set_ylim(0, 1.4 * task.chance_loss)
        use_integer_ticks(axes.xaxis)
    _add_legend(drawn, row[0], look)
    return drawn


def plot_gradients(found: ComparisonRuns, theme: str) -> Figure:
    """The gradient at every step as a share of the last one's, before training and after it."""
    look = get_theme(theme)
    lags = _list_lags(found)
    drawn, rows = _create_panels(look, 2, len(lags))
    for row, when in zip(rows, ("before", "after"), strict=True):
        for axes, lag in zip(row, lags, strict=True):
            _plot_gradient_norms(axes, found, look, lag, when, f"lag {lag}, {when} training")
            if axes is not row[0]:
                axes.set_ylabel("")
    for row in rows:
        _limit_axis(row[0])
    _add_legend(drawn, rows[0, 0], look)
    return drawn


def _plot_scores(axes: Axes, found: ComparisonRuns, theme: Theme) -> None:
    task, lags = found.settings.task, np.array(found.settings.lags, dtype=np.float64)
    kind = "R²" if task.outputs == 1 else "accuracy"
    style_axes(axes, theme, "lag (steps)", kind, f"{task.name}: score by lag")
    for cell, stroke in _iterate_cells(found, theme):
        plot_band(axes, lags, found.scores(cell).T, stroke, label=cell, marker="o", markersize=5)
    axes.set_xscale("log")
    axes.set_xticks(lags, [f"{lag:g}" for lag in lags])
    axes.minorticks_off()
    axes.grid(axis="y", color=theme.grid, linewidth=0.6)
    _draw_level(axes, theme, task.chance_score)
    _draw_level(axes, theme, SOLVED)
    for label, height in (("chance", task.chance_score), ("solved", SOLVED)):
        axes.annotate(
            label,
            (1.0, height),
            xytext=(4, 0),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            fontsize=SMALL,
            color=theme.ink,
            va="center",
        )
    axes.set_ylim(min(-0.05, task.chance_score - 0.25), 1.05)


def _plot_gradient_norms(
    axes: Axes,
    found: ComparisonRuns,
    theme: Theme,
    lag: int,
    when: str,
    title: str,
) -> None:
    style_axes(axes, theme, "step", "‖∂L/∂s‖, last step = 1", title)
    for cell, stroke in _iterate_cells(found, theme):
        flows = found.flows(cell, lag, when)
        if flows.size:
            plot_band(
                axes, np.arange(flows.shape[1]), _normalise(flows), stroke, log=True, label=cell
            )
    axes.grid(axis="y", color=theme.grid, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.minorticks_off()
    axes.margins(x=0.02)
    use_integer_ticks(axes.xaxis)


def _limit_axis(axes: Axes) -> None:
    """End an axis, and those that share it, at `_LEAST`; only once all is drawn."""
    axes.set_ylim(bottom=max(axes.get_ylim()[0], _LEAST))


def _normalise(flows: Array) -> Array:
    """Norms as shares of that at the last step; NaN where that is 0."""
    return flows / np.where(flows[:, -1:] > 0, flows[:, -1:], np.nan)


def _list_lags(found: ComparisonRuns) -> list[int]:
    there = {job.lag for job in found.runs}
    return [lag for lag in found.settings.lags if lag in there]


def _iterate_cells(found: ComparisonRuns, theme: Theme) -> Iterator[tuple[str, LineStyle]]:
    return zip(found.settings.cells, line_styles(theme), strict=False)


def _create_panels(theme: Theme, rows: int, columns: int) -> tuple[Figure, Any]:
    drawn = create_figure(theme, max(4.4, 0.7 + 2.1 * columns), 0.5 + 2.3 * rows)
    return drawn, drawn.subplots(rows, columns, sharey="row", squeeze=False)


def _draw_level(axes: Axes, theme: Theme, height: float) -> None:
    axes.axhline(height, color=theme.ink, linewidth=0.8, linestyle=":")


def _add_legend(drawn: Figure, axes: Axes, theme: Theme) -> None:
    """Name the lines of all panels in one row above them."""
    lines, names = axes.get_legend_handles_labels()
    drawn.legend(
        lines,
        names,
        loc="outside upper center",
        ncols=6,
        fontsize=SMALL,
        labelcolor=theme.ink,
        facecolor=theme.page,
        edgecolor=theme.page,
        handlelength=3,
    )
