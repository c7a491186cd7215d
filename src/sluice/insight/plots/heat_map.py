"""Heat maps of gates and states: time along, units up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from sluice.insight.plots import data
from sluice.insight.plots.canvas import Canvas, document_plot
from sluice.insight.plots.steps import figure_width, label_steps
from sluice.insight.plots.style import add_colour_bar, style_axes
from sluice.render.theme import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

_ORDERS = {"mean": data.mean_order, "peak": data.peak_order}
_NAMED_UNITS = 12


class _ColourMap(TypedDict):
    cmap: str
    vmin: float
    vmax: float


@document_plot
def plot_heat_map(
    source: data.PlotInput,
    names: Sequence[str] | None = None,
    *,
    tokens: Sequence[str] | None = None,
    sequence: int = 0,
    sort: str | None = None,
    title: str | None = None,
    theme: str = "light",
) -> Figure:
    """Gates and states over time, a panel each, colour by value.

    Values from 0 to 1 are drawn from dark to bright; where some are negative, a diverging map has
    its middle at 0.

    Args:
        source: A tape, a layer of it, a mapping of names to arrays, or one array:
            ``(time, batch, units)`` or ``(time, units)``.
        names: Which values; None for all.
        tokens: The tokens read at each step, for the axis.
        sequence: Which sequence of the batch.
        sort: ``"mean"`` puts units with a large mean on top, ``"peak"`` those that are farthest
            from 0 early; the first panel gives the order to all of its width. None: as they are.

    Raises:
        ValueError: an array of another shape, or with a NaN; not one token a step; an unknown
            ``sort``.
        KeyError, IndexError: no such name, no such sequence.

    Example:
        >>> import torch, sluice
        >>> layer = sluice.nn.LSTM(4, 8)
        >>> with sluice.record(layer) as tape:
        ...     y, _ = layer(torch.randn(5, 1, 4))
        >>> gates = ["forget", "input"]
        >>> picture = sluice.insight.plots.plot_heat_map(tape, gates, tokens=list("hello"))
        >>> [axes.get_title(loc="left") for axes in picture.axes[:2]]
        ['forget', 'input']
    """
    if sort is not None and sort not in _ORDERS:
        raise ValueError(f"sort must be None, 'mean' or 'peak', got {sort!r}")
    panels = data.load_values(source, names, sequence)
    first = next(iter(panels.values()))
    labels = data.format_tokens(tokens, len(first))
    order = np.arange(first.shape[1]) if sort is None else _ORDERS[sort](first)
    heights = [_panel_height(values) for values in panels.values()]
    canvas = Canvas(theme, figure_width(len(first)), 0.5 + sum(heights))
    grid = canvas.add_panels(len(panels), 1, title=title, share_x=True, heights=heights)
    column, look = [row[0] for row in grid], canvas.theme
    images = []
    for axes, (name, values) in zip(column, panels.items(), strict=True):
        rows = order if values.shape[1] == len(order) else np.arange(values.shape[1])
        images.append(_plot_panel(axes, look, name, values, rows, sort))
    _add_colour_bars(images, column, look)
    label_steps(column[-1], look, len(first), labels)
    return canvas.figure


def _panel_height(values: data.Array) -> float:
    """Inches of a panel."""
    return 0.55 + min(max(0.8, 0.05 * len(values.T)), 3.0)


def _plot_panel(
    axes: Axes, theme: Theme, name: str, values: data.Array, order: data.Indices, sort: str | None
) -> AxesImage:
    last = axes.get_subplotspec().is_last_row()  # type: ignore[union-attr]
    style_axes(axes, theme, "step" if last else "", f"unit, by {sort}" if sort else "unit", name)
    image = axes.imshow(
        values[:, order].T,
        aspect="auto",
        interpolation="nearest",
        **_choose_colour_map(theme, values),
    )
    count = len(order)
    at = range(0, count, max(1, -(-count // _NAMED_UNITS)))
    axes.set_yticks(list(at), [str(order[row]) for row in at])
    axes.tick_params(bottom=last)
    return image


def _add_colour_bars(images: list[AxesImage], column: list[Axes], theme: Theme) -> None:
    """One scale for all panels if they share it, else one for each."""
    alike = len({(image.cmap.name, image.get_clim()) for image in images}) == 1
    groups = [column] if alike else [[axes] for axes in column]
    for image, group in zip(images, groups, strict=False):
        add_colour_bar(image, group, theme, "value", pad=0.01, aspect=15 * len(group))


def _choose_colour_map(theme: Theme, values: data.Array) -> _ColourMap:
    largest = float(np.abs(values).max()) or 1.0
    if values.min() < 0:
        return {"cmap": theme.diverging, "vmin": -largest, "vmax": largest}
    return {"cmap": theme.sequential, "vmin": 0.0, "vmax": max(1.0, largest)}
