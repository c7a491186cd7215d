"""Several runs as one line with a band: their median, and from the smallest to the largest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.insight.plots.data import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_band(
    axes: Axes, x: Array, runs: Array, line_style: dict[str, Any], log: bool = False, **options: Any
) -> None:
    """Draw runs, ``(runs, points)``, over ``x``, ``(points,)``; NaN leaves a gap.

    ``stroke`` is one of `style.strokes`, ``options`` are those of the line. With ``log`` a median
    of 0, for which a logarithmic axis has no place, leaves a gap too, and a band that begins at 0
    reaches down to the axis.
    """
    seen = ~np.isnan(runs).all(axis=0)
    middle = np.full(len(x), np.nan)
    middle[seen] = np.nanmedian(runs[:, seen], axis=0)
    axes.plot(x, np.where(middle > 0, middle, np.nan) if log else middle, **line_style, **options)
    if log:
        axes.set_yscale("log")
    if len(runs) > 1:
        low, high = (f(runs[:, seen], axis=0) for f in (np.nanmin, np.nanmax))
        axes.fill_between(x[seen], low, high, color=line_style["color"], alpha=0.22, linewidth=0)
