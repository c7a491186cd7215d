"""The pictures of a comparison."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.insight.plots.bands import band
from sluice.insight.plots.style import (
    SMALL,
    Style,
    dress,
    figure,
    strokes,
    styled,
    whole_numbers,
)
from sluice.report.compare.settings import SOLVED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sluice.report.compare.comparison import Array, Comparison

_LEAST = 1e-20
"""Where the axis of shares ends at the latest: one that shows more shows nothing else."""


def comparison(found: Comparison, style: str) -> Figure:
    """Above, the score of every cell at every lag; below, how its gradient fares at one of them."""
    look = styled(style)
    drawn = figure(look, 7.6, 6.2)
    grid = drawn.add_gridspec(2, 2, height_ratios=(1.15, 1))
    above = drawn.add_subplot(grid[0, :])
    _by_lag(above, found, look)
    _name_cells(drawn, above, look)
    lag = found.telling_lag()
    left = drawn.add_subplot(grid[1, 0])
    right = drawn.add_subplot(grid[1, 1], sharey=left)
    _flows(left, found, look, lag, "before", f"lag {lag}, before training")
    _flows(right, found, look, lag, "after", f"lag {lag}, after training")
    right.tick_params(labelleft=False)
    right.set_ylabel("")
    _cut(left)
    return drawn


def curves(found: Comparison, style: str) -> Figure:
    """The loss over updates, a panel a lag."""
    look = styled(style)
    lags = _present(found)
    drawn, (row,) = _panels(look, 1, len(lags))
    task = found.settings.task
    told = "mean squared error" if task.outputs == 1 else "loss (nats)"
    for axes, lag in zip(row, lags, strict=True):
        dress(axes, look, "update", told if axes is row[0] else "", f"lag {lag}")
        for cell, stroke in _cells(found, look):
            updates, losses = found.curves(cell, lag)
            if len(updates):
                band(axes, updates, losses, stroke, label=cell)
        _level(axes, look, task.chance_loss)
        axes.set_xlim(0, found.settings.steps)
        axes.set_ylim(0, 1.4 * task.chance_loss)
        whole_numbers(axes.xaxis)
    _name_cells(drawn, row[0], look)
    return drawn


def gradients(found: Comparison, style: str) -> Figure:
    """The gradient at every step as a share of the last one's, before training and after it."""
    look = styled(style)
    lags = _present(found)
    drawn, rows = _panels(look, 2, len(lags))
    for row, when in zip(rows, ("before", "after"), strict=True):
        for axes, lag in zip(row, lags, strict=True):
            _flows(axes, found, look, lag, when, f"lag {lag}, {when} training")
            if axes is not row[0]:
                axes.set_ylabel("")
    for row in rows:
        _cut(row[0])
    _name_cells(drawn, rows[0, 0], look)
    return drawn


def _by_lag(axes: Axes, found: Comparison, look: Style) -> None:
    task, lags = found.settings.task, np.array(found.settings.lags, dtype=np.float64)
    kind = "R²" if task.outputs == 1 else "share answered rightly"
    dress(axes, look, "lag (steps)", kind, f"{task.name}: what each cell still learns")
    for cell, stroke in _cells(found, look):
        band(axes, lags, found.scores(cell).T, stroke, label=cell, marker="o", markersize=5)
    axes.set_xscale("log")
    axes.set_xticks(lags, [f"{lag:g}" for lag in lags])
    axes.minorticks_off()
    axes.grid(axis="y", color=look.grid, linewidth=0.6)
    _level(axes, look, task.chance_score)
    _level(axes, look, SOLVED)
    for told, height in (("chance", task.chance_score), ("solved", SOLVED)):
        axes.annotate(
            told,
            (1.0, height),
            xytext=(4, 0),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            fontsize=SMALL,
            color=look.ink,
            va="center",
        )
    axes.set_ylim(min(-0.05, task.chance_score - 0.25), 1.05)


def _flows(
    axes: Axes,
    found: Comparison,
    look: Style,
    lag: int,
    when: str,
    title: str,
) -> None:
    dress(axes, look, "step", "‖∂L/∂s‖, last step = 1", title)
    for cell, stroke in _cells(found, look):
        flows = found.flows(cell, lag, when)
        if flows.size:
            band(axes, np.arange(flows.shape[1]), _relative(flows), stroke, log=True, label=cell)
    axes.grid(axis="y", color=look.grid, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.minorticks_off()
    axes.margins(x=0.02)
    whole_numbers(axes.xaxis)


def _cut(axes: Axes) -> None:
    """End an axis, and those that share it, at `_LEAST`; only once all is drawn."""
    axes.set_ylim(bottom=max(axes.get_ylim()[0], _LEAST))


def _relative(flows: Array) -> Array:
    """Norms as shares of that at the last step; NaN where that is 0."""
    return flows / np.where(flows[:, -1:] > 0, flows[:, -1:], np.nan)


def _present(found: Comparison) -> list[int]:
    there = {job.lag for job in found.runs}
    return [lag for lag in found.settings.lags if lag in there]


def _cells(found: Comparison, look: Style) -> Iterator[tuple[str, dict[str, Any]]]:
    return zip(found.settings.cells, strokes(look), strict=False)


def _panels(look: Style, rows: int, columns: int) -> tuple[Figure, Any]:
    drawn = figure(look, max(4.4, 0.7 + 2.1 * columns), 0.5 + 2.3 * rows)
    return drawn, drawn.subplots(rows, columns, sharey="row", squeeze=False)


def _level(axes: Axes, look: Style, height: float) -> None:
    axes.axhline(height, color=look.ink, linewidth=0.8, linestyle=":")


def _name_cells(drawn: Figure, axes: Axes, look: Style) -> None:
    """Name the lines of all panels in one row above them."""
    lines, names = axes.get_legend_handles_labels()
    drawn.legend(
        lines,
        names,
        loc="outside upper center",
        ncols=6,
        fontsize=SMALL,
        labelcolor=look.ink,
        facecolor=look.page,
        edgecolor=look.page,
        handlelength=3,
    )
