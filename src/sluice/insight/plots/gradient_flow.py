"""How far the gradient reaches back: several models on one axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sluice.insight.plots import data
from sluice.insight.plots.bands import plot_band
from sluice.insight.plots.canvas import Canvas, document_plot
from sluice.insight.plots.style import LineStyle, add_legend, line_styles, use_integer_ticks
from sluice.render.theme import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@document_plot
def plot_gradient_flow(
    norms: Mapping[str, data.Numbers],
    *,
    label: str = "norm of the gradient",
    title: str | None = None,
    theme: str = "light",
) -> Figure:
    """Norms of gradients at each step, on a logarithmic axis; the last step is on the right.

    Several runs are drawn as their median with a band from the smallest to the largest. A norm of
    exactly 0, which a logarithmic axis cannot show, leaves a gap; the legend counts them.

    Args:
        norms: For each model ``(time,)``, as ``gradient_flow(tape.layer(0)).mean(dim=1)``, or
            ``(runs, time)``; not negative.
        label: Label of the vertical axis.

    Raises:
        ValueError: norms of another shape, negative or not finite, or none.

    Example:
        >>> import torch, sluice
        >>> norms = {"Elman": 0.5 ** torch.arange(50.0).flip(0), "LSTM": torch.ones(3, 50)}
        >>> picture = sluice.insight.plots.plot_gradient_flow(norms)
        >>> picture.axes[0].get_yscale()
        'log'
    """
    runs = {name: _check_norms(name, values) for name, values in norms.items()}
    if not runs:
        raise ValueError("there are no norms to draw; give at least one model's")
    canvas = Canvas(theme, 6.0, 3.4)
    axes, look = canvas.add_axes("step", label, title), canvas.theme
    for (name, values), stroke in zip(runs.items(), line_styles(look), strict=False):
        _plot_line(axes, name, values, stroke)
    _format_ticks(axes, look)
    add_legend(axes, look)
    return canvas.figure


def _check_norms(name: str, values: data.Numbers) -> data.Array:
    found = np.atleast_2d(data.to_array(values))
    if found.ndim != 2 or not found.size:
        raise ValueError(f"'{name}' must be (time,) or (runs, time), got {found.shape}")
    bad = np.argwhere(~((found >= 0) & np.isfinite(found)))
    if bad.size:
        run, step = bad[0]
        raise ValueError(
            f"'{name}' must be finite and not negative, got {found[run, step]} at step {step}"
        )
    return found


def _plot_line(axes: Axes, name: str, values: data.Array, line_style: LineStyle) -> None:
    zeros = int((np.median(values, axis=0) == 0).sum())
    label = f"{name} (0 at {zeros} steps)" if zeros else name
    plot_band(axes, np.arange(values.shape[1]), values, line_style, log=True, label=label)


def _format_ticks(axes: Axes, theme: Theme) -> None:
    axes.grid(axis="y", color=theme.grid, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.minorticks_off()
    axes.margins(x=0.02)
    use_integer_ticks(axes.xaxis)
