"""The axis of time: steps, or the tokens read in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sluice.insight.plots.style import NORMAL, SMALL, use_integer_ticks
from sluice.render.theme import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NARROWEST, _WIDEST = 4.5, 12.0
_MARGIN = 1.6
"""Inches beside the axes, for labels and the scale."""
_LETTER = SMALL / 72
"""Inches that a line of the smallest letters needs."""


def figure_width(steps: int) -> float:
    """Inches of a figure over so many steps: room for a token each, as far as a page allows."""
    return min(max(_NARROWEST, _MARGIN + 1.25 * _LETTER * steps), _WIDEST)


def label_steps(axes: Axes, theme: Theme, steps: int, tokens: Sequence[str] | None) -> None:
    """Write the tokens of `format_tokens` along x, or step numbers if there is no room for them."""
    if tokens is None or (figure_width(steps) - _MARGIN) / steps < 1.15 * _LETTER:
        use_integer_ticks(axes.xaxis)
        return
    turned = any(len(token) > 1 for token in tokens)
    axes.set_xticks(range(steps), tokens, family="monospace")
    axes.tick_params(axis="x", length=0, labelsize=SMALL, labelrotation=90 if turned else 0)
    axes.set_xlabel("token", fontsize=NORMAL, color=theme.ink)
