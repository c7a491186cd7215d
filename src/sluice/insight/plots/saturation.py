"""Which gates of which units are mostly shut, and which mostly open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sluice.insight.plots import data
from sluice.insight.plots.canvas import Canvas, document_plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@document_plot
def plot_saturation(
    left: Mapping[str, data.Numbers],
    right: Mapping[str, data.Numbers],
    *,
    title: str | None = None,
    theme: str = "light",
) -> Figure:
    """The share of time that each unit's gate is shut against that in which it is open, a panel a
    gate, a circle a unit (Karpathy, Johnson & Fei-Fei 2015, figure 2).

    The two shares add to at most 1: circles lie below the diagonal.

    Args:
        left: For each gate the share of steps in which it is shut (below 0.1), ``(units,)``.
        right: The share of steps in which it is open (above 0.9), by the same names.

    Raises:
        ValueError: names or shapes that differ, shares out of range.

    Example:
        >>> import torch, sluice
        >>> gate = torch.rand(100, 8)
        >>> picture = sluice.insight.plots.plot_saturation(
        ...     {"forget": (gate < 0.1).double().mean(0)}, {"forget": (gate > 0.9).double().mean(0)}
        ... )
        >>> picture.axes[0].get_xlabel()
        'open (> 0.9), share of steps'
    """
    shut, opened = data.to_vectors(left, "shares"), data.to_vectors(right, "shares")
    _check(shut, opened)
    canvas = Canvas(theme, 0.4 + 2.3 * len(shut), 2.9)
    look = canvas.theme
    (row,) = canvas.add_panels(1, len(shut), title=title, share_x=True, share_y=True)
    for axes, (name, stays_shut) in zip(row, shut.items(), strict=True):
        first = axes is row[0]
        y_label = "shut (< 0.1), share of steps" if first else ""
        canvas.style_axes(axes, "open (> 0.9), share of steps", y_label, name)
        axes.plot([0, 1], [1, 0], color=look.ink, linewidth=0.8, linestyle=":")
        axes.scatter(
            opened[name],
            stays_shut,
            s=42,
            facecolors=look.lines[0] + "40",
            edgecolors=look.lines[0],
            linewidths=1.0,
            clip_on=False,
            zorder=3,
        )
        ticks = (0, 0.5, 1)
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xticks=ticks, yticks=ticks)
    return canvas.figure


def _check(shut: dict[str, data.Array], opened: dict[str, data.Array]) -> None:
    sizes = [{name: len(shares) for name, shares in side.items()} for side in (shut, opened)]
    if sizes[0] != sizes[1] or not sizes[0]:
        raise ValueError(
            f"left and right must name the same gates and units, got {sizes[0]}, {sizes[1]}"
        )
    for name, shares in shut.items():
        inside = (shares >= 0) & (opened[name] >= 0) & (shares + opened[name] <= 1 + 1e-6)
        if not inside.all():
            raise ValueError(f"the shares of '{name}' must be from 0 to 1 and add to at most 1")
