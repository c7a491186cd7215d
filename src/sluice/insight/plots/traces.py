"""States of single units, followed over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sluice.insight.plots import data
from sluice.insight.plots.canvas import Canvas, document_plot
from sluice.insight.plots.steps import figure_width, label_steps
from sluice.insight.plots.style import add_legend, line_styles

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@document_plot
def plot_traces(
    source: data.PlotInput,
    name: str = "c",
    *,
    units: Sequence[int] | int = 5,
    tokens: Sequence[str] | None = None,
    sequence: int = 0,
    title: str | None = None,
    theme: str = "light",
) -> Figure:
    """One line for each unit: its value at each step, by default of the cell state.

    Args:
        source: A tape, a layer of it, a mapping of names to arrays, or one array:
            ``(time, batch, units)`` or ``(time, units)``.
        name: Which value; of one array, what the axis calls it.
        units: Which units; or how many, those with the largest standard deviation over time.
        tokens: The tokens read at each step, for the axis.
        sequence: Which sequence of the batch.

    Raises:
        ValueError: an array of another shape, or with a NaN; not one token a step.
        KeyError, IndexError: no such name, sequence or unit.

    Example:
        >>> import torch, sluice
        >>> picture = sluice.insight.plots.plot_traces(torch.randn(30, 8).cumsum(0), units=[2, 5])
        >>> [line.get_label() for line in picture.axes[0].lines[:2]]
        ['unit 2', 'unit 5']
    """
    (values,) = data.load_values(source, [name], sequence).values()
    chosen = data.find_most_variable(values, units) if isinstance(units, int) else list(units)
    labels = data.format_tokens(tokens, len(values))
    for unit in chosen:
        if not 0 <= unit < values.shape[1]:
            raise IndexError(
                f"unit must be from 0 to {values.shape[1] - 1} for '{name}', got {unit}"
            )
    canvas = Canvas(theme, figure_width(len(values)), 2.8)
    axes, look = canvas.add_axes("step", name, title), canvas.theme
    for unit, stroke in zip(chosen, line_styles(look), strict=False):
        axes.plot(values[:, unit], label=f"unit {unit}", **stroke)
    axes.axhline(0.0, color=look.ink, linewidth=0.6, zorder=1)
    axes.set_xlim(-0.5, len(values) - 0.5)
    label_steps(axes, look, len(values), labels)
    add_legend(axes, look, loc="center left", anchor=(1.0, 0.5))
    return canvas.figure
