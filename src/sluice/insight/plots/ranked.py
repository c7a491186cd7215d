"""Rankings: bars by name, the longest first, and lines through the sorted values of groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sluice.insight.plots import data
from sluice.insight.plots.canvas import Canvas, document_plot
from sluice.insight.plots.style import (
    SMALL,
    add_legend,
    line_styles,
    style_axes,
    use_integer_ticks,
)
from sluice.render.theme import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@document_plot
def plot_ranking(
    named: Mapping[str, float],
    groups: Mapping[str, data.Numbers],
    *,
    label: str,
    rank_label: str = "units, by rank",
    title: str | None = None,
    theme: str = "light",
) -> Figure:
    """Bars of named values, the largest on top; beside them the values of groups, each sorted.

    Args:
        named: A number for each name; those that are not finite come first, marked as such.
        groups: For each group its values, ``(count,)``, drawn as a line from the largest to the
            smallest.
        label: Label of the values, on both axes.
        rank_label: Label of the axis of ranks.

    Raises:
        ValueError: neither names nor groups; a group that is no vector.

    Example:
        >>> import torch, sluice
        >>> from sluice.insight.plots.ranked import plot_ranking
        >>> harm = {"forget": 0.2, "input": 0.9}
        >>> picture = plot_ranking(harm, {"layer 0": torch.rand(8)}, label="nats")
        >>> [label.get_text() for label in picture.axes[0].get_yticklabels()]
        ['input', 'forget']
    """
    values = data.to_vectors(groups, "groups") if groups else {}
    if not named and not values:
        raise ValueError("there is nothing to rank; give at least one name or group")
    panels = bool(named) + bool(values)
    canvas = Canvas(theme, 3.9 * panels, max(2.8, 0.7 + 0.19 * len(named)))
    (row,), look = canvas.add_panels(1, panels, title=title), canvas.theme
    if named:
        _plot_bars(row[0], look, named, label)
    if values:
        _plot_lines(row[-1], look, values, label, rank_label)
    return canvas.figure


def _plot_bars(axes: Axes, theme: Theme, named: Mapping[str, float], label: str) -> None:
    order = sorted(named, key=lambda name: -named[name] if np.isfinite(named[name]) else -np.inf)
    lengths = [named[name] if np.isfinite(named[name]) else 0.0 for name in order]
    style_axes(axes, theme, label, "")
    axes.barh(range(len(order)), lengths, color=theme.lines[0], height=0.72)
    axes.set_yticks(range(len(order)), order)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.axvline(0, color=theme.ink, linewidth=0.8)
    axes.grid(axis="x", color=theme.grid, linewidth=0.6)
    axes.set_axisbelow(True)
    for place, name in enumerate(order):
        if not np.isfinite(named[name]):
            axes.text(0, place, "  not finite", va="center", fontsize=SMALL, color=theme.ink)


def _plot_lines(
    axes: Axes, theme: Theme, groups: Mapping[str, data.Array], label: str, rank_label: str
) -> None:
    style_axes(axes, theme, rank_label, label)
    for (name, values), stroke in zip(groups.items(), line_styles(theme), strict=False):
        marker = "o" if len(values) <= 40 else None
        axes.plot(range(1, len(values) + 1), np.sort(values)[::-1], label=name, marker=marker,
                  markersize=3.5, **stroke)  # fmt: skip
    axes.axhline(0, color=theme.ink, linewidth=0.8)
    axes.grid(axis="y", color=theme.grid, linewidth=0.6)
    axes.set_axisbelow(True)
    use_integer_ticks(axes.xaxis)
    if any(groups):
        add_legend(axes, theme)
