"""Eigenvalues of a step's Jacobian, and the unit circle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sluice.insight.plots import data
from sluice.insight.plots.canvas import Canvas, document_plot
from sluice.insight.plots.style import add_legend

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKERS = "o^sDvP"


@document_plot
def plot_eigenvalues(
    values: Mapping[str, data.Numbers] | data.Numbers,
    *,
    title: str | None = None,
    theme: str = "light",
) -> Figure:
    """Eigenvalues in the complex plane: inside the unit circle perturbations die out, outside they
    grow, and on it they last.

    Args:
        values: Complex or real, ``(count,)``, as `torch.linalg.eigvals` gives them; or a name and
            such a vector for each of several models or points.

    Raises:
        ValueError: values that are no vector, or not finite.

    Example:
        >>> import torch, sluice
        >>> picture = sluice.insight.plots.plot_eigenvalues(torch.linalg.eigvals(torch.randn(9, 9)))
        >>> picture.axes[0].get_aspect()
        1.0
    """
    found = data.to_vectors(values, "eigenvalues")
    every = np.concatenate(list(found.values()))
    if not np.isfinite(every).all():
        raise ValueError("some eigenvalues are not finite; look for a NaN in the Jacobian")
    named = list(found) != [""]
    canvas = Canvas(theme, 5.4 if named else 4.2, 4.0)
    axes, look = canvas.add_axes("real part", "imaginary part", title), canvas.theme
    angles = np.linspace(0.0, 2.0 * np.pi, 361)
    axes.plot(np.cos(angles), np.sin(angles), color=look.ink, linewidth=0.9)
    axes.axhline(0.0, color=look.grid, linewidth=0.6, zorder=0)
    axes.axvline(0.0, color=look.grid, linewidth=0.6, zorder=0)
    for place, (name, one) in enumerate(found.items()):
        axes.scatter(
            one.real,
            one.imag,
            s=26,
            marker=_MARKERS[place % len(_MARKERS)],
            facecolors=look.lines[place % len(look.lines)] + "55",
            edgecolors=look.lines[place % len(look.lines)],
            linewidths=0.9,
            label=name,
            zorder=3,
        )
    reach = 1.08 * max(1.0, float(np.abs(every).max()))
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    if named:
        add_legend(axes, look, loc="upper left", anchor=(1.0, 1.0))
    return canvas.figure
