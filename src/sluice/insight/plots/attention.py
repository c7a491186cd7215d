"""A map of attention: which source tokens each target token looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sluice.insight.plots.canvas import Canvas, document_plot
from sluice.insight.plots.style import add_colour_bar

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CELL = 0.34
"""Inches of a weight, each way."""
_MARGIN = 1.6


@document_plot
def plot_attention(
    weights: npt.ArrayLike,
    sources: Sequence[str],
    targets: Sequence[str],
    *,
    title: str | None = None,
    theme: str = "light",
) -> Figure:
    """Attention weights as a map: source tokens along, target tokens down, colour by weight.

    Args:
        weights: ``(target tokens, source tokens)``, such as `DecodedSequence.attention`.
        sources: The source tokens.
        targets: The target tokens.

    Raises:
        ValueError: weights that are not one for each target and source token, or not finite.

    Example:
        >>> import sluice
        >>> weights = [[0.9, 0.1], [0.2, 0.8]]
        >>> picture = sluice.insight.plots.plot_attention(weights, ["ein", "Hund"], ["a", "dog"])
        >>> [label.get_text() for label in picture.axes[0].get_xticklabels()]
        ['ein', 'Hund']
    """
    values = np.asarray(weights, dtype=float)
    if values.shape != (len(targets), len(sources)) or not values.size:
        raise ValueError(
            f"weights must be (target tokens, source tokens), ({len(targets)}, {len(sources)}), "
            f"got {values.shape}"
        )
    if not np.isfinite(values).all():
        raise ValueError("weights must be finite")
    height, width = (_MARGIN + _CELL * count for count in values.shape)
    canvas = Canvas(theme, width + 0.8, height)
    axes = canvas.add_axes("source", "target", title)
    image = axes.imshow(
        values, cmap=canvas.theme.sequential, vmin=0, vmax=1, interpolation="nearest"
    )
    axes.set_xticks(
        range(len(sources)), list(sources), rotation=60, ha="right", rotation_mode="anchor"
    )
    axes.set_yticks(range(len(targets)), list(targets))
    axes.tick_params(length=0)
    add_colour_bar(image, [axes], canvas.theme, "weight", pad=0.02, aspect=20, fraction=0.06)
    return canvas.figure
