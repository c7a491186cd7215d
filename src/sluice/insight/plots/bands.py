"""Several runs as one line with a band: their median, and from the smallest to the largest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sluice.insight.plots.data import Array, Indices
from sluice.insight.plots.style import LineStyle

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_band(
    axes: Axes,
    x: Array | Indices,
    runs: Array,
    line_style: LineStyle,
    log: bool = False,
    *,
    label: str | None = None,
    marker: str | None = None,
    markersize: float | None = None,
) -> None:
    """Draw runs, ``(runs, points)``, over ``x``, ``(points,)``; NaN leaves a gap.

    ``line_style`` is one of `line_styles`, ``label`` names the line. With ``log`` the
    axis is logarithmic: a median of 0 leaves a gap, and a band that begins at 0 reaches down to the
    axis.
    """
    seen = ~np.isnan(runs).all(axis=0)
    middle = np.full(len(x), np.nan)
    middle[seen] = np.nanmedian(runs[:, seen], axis=0)
    axes.plot(
        x,
        np.where(middle > 0, middle, np.nan) if log else middle,
        **line_style,
        label=label,
        marker=marker,
        markersize=markersize,
    )
    if log:
        axes.set_yscale("log")
    if len(runs) > 1:
        low, high = (f(runs[:, seen], axis=0) for f in (np.nanmin, np.nanmax))
        axes.fill_between(x[seen], low, high, color=line_style["color"], alpha=0.22, linewidth=0)
