"""How long units remember: the distribution of their timescales."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sluice.insight.plots import data
from sluice.insight.plots.canvas import Canvas, document_plot
from sluice.insight.plots.style import add_legend, line_styles, use_integer_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@document_plot
def plot_timescales(
    steps: Mapping[str, data.Numbers] | data.Numbers,
    *,
    bins: int = 24,
    title: str | None = None,
    theme: str = "light",
) -> Figure:
    """A histogram of timescales on a logarithmic axis, with an outline for each of several models.

    A timescale τ = −1/ln f̄ (Tallec & Ollivier 2018) is infinite where the gate is always open: no
    bin holds it, and the legend counts these.

    Args:
        steps: Timescales in steps, ``(units,)``, positive; or a name and such a vector for each
            model or layer.
        bins: How many bins, of equal width on the logarithmic axis.

    Raises:
        ValueError: timescales that are no vector, not positive or all infinite.

    Example:
        >>> import torch, sluice
        >>> picture = sluice.insight.plots.plot_timescales(torch.rand(64) * 50 + 1)
        >>> picture.axes[0].get_xscale()
        'log'
    """
    found = data.to_vectors(steps, "timescales")
    every = np.concatenate(list(found.values()))
    finite = every[np.isfinite(every)]
    if not (every > 0).all() or not finite.size:
        raise ValueError(
            "timescales must be positive numbers of steps, at least one of them finite"
        )
    low, high = finite.min() / 1.1, finite.max() * 1.1
    edges = np.geomspace(low, high, bins + 1)
    canvas = Canvas(theme, 5.0, 3.0)
    axes, look = canvas.add_axes("timescale τ (steps)", "units", title), canvas.theme
    for (name, values), stroke in zip(found.items(), line_styles(look), strict=False):
        counts, _ = np.histogram(values[np.isfinite(values)], edges)
        infinite = int(np.isinf(values).sum())
        label = " ".join(filter(None, [name, f"({infinite} infinite)" if infinite else ""]))
        axes.stairs(counts, edges, fill=True, color=stroke["color"], alpha=0.25)
        axes.stairs(counts, edges, label=label, **stroke)
    axes.set_xscale("log", subs=(2, 5))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:g}")
    use_integer_ticks(axes.yaxis)
    if any(axes.get_legend_handles_labels()[1]):
        add_legend(axes, look)
    return canvas.figure
