"""Text, each token on a colour that shows a recorded value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sluice.insight.plots import data
from sluice.insight.plots.canvas import Canvas, document_plot
from sluice.insight.plots.style import NORMAL, add_colour_bar
from sluice.render.theme import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDE, _HIGH = 0.6 * NORMAL / 72 * 1.12, 1.75 * NORMAL / 72
"""Inches of a letter of monospaced type, and of a line."""


@document_plot
def plot_text(
    tokens: Sequence[str],
    values: data.Numbers,
    *,
    columns: int = 80,
    label: str = "value",
    title: str | None = None,
    theme: str = "light",
) -> Figure:
    """Tokens one after another, each on a background that shows its value; the middle is at 0.

    Lines end at a line feed, else after a blank where there is one, and are at most ``columns``
    letters long. Letters are black or white, whichever is easier to read on their background.

    Args:
        tokens: The tokens read at each step.
        values: A number for each, ``(time,)``, as ``tape.c[:, 0, 7]``.
        columns: Letters in a line, at most.
        label: Label of the colour bar.

    Raises:
        ValueError: not one finite value a token.

    Example:
        >>> import torch, sluice
        >>> picture = sluice.insight.plots.plot_text(list("to be"), torch.linspace(-1, 1, 5))
        >>> "".join(letter.get_text() for letter in picture.axes[0].texts)
        'to␣be'
    """
    found = data.to_vectors(values, "values")[""]
    shown = data.format_tokens(tokens, len(found)) or []
    if not np.isfinite(found).all():
        raise ValueError(f"value {int(np.argmin(np.isfinite(found)))} is not finite")
    lines = wrap_tokens(shown, columns)
    longest = max(sum(len(shown[at]) for at in line) for line in lines)
    width, height = max(2.0, _WIDE * longest) + 0.9, max(0.9, _HIGH * len(lines)) + 0.4
    canvas = Canvas(theme, width, height)
    axes = canvas.add_axes("", "", title)
    axes.set(xlim=(0, longest), ylim=(len(lines), 0))
    axes.set_axis_off()
    _draw_text(axes, canvas.theme, shown, found, lines, label)
    return canvas.figure


def wrap_tokens(tokens: Sequence[str], columns: int) -> list[list[int]]:
    """The tokens of each line by their numbers; ``tokens`` are those of `data.labels`."""
    lines: list[list[int]] = [[]]
    for at, token in enumerate(tokens):
        while lines[-1] and sum(len(tokens[k]) for k in lines[-1]) + len(token) > columns:
            lines[-1:] = _break_line(lines[-1], tokens)
        lines[-1].append(at)
        if token.endswith("↵"):
            lines.append([])
    return [line for line in lines if line]


def _break_line(line: list[int], tokens: Sequence[str]) -> list[list[int]]:
    """A full line, and the start of the next one."""
    blanks = [k for k, at in enumerate(line) if tokens[at].endswith("␣")]
    cut = blanks[-1] + 1 if blanks else len(line)
    return [line[:cut], line[cut:]]


def _draw_text(
    axes: Axes,
    theme: Theme,
    tokens: Sequence[str],
    values: data.Array,
    lines: list[list[int]],
    label: str,
) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.patches import Rectangle

    largest = float(np.abs(values).max()) or 1.0
    colours = ScalarMappable(Normalize(-largest, largest), theme.diverging)
    for row, line in enumerate(lines):
        column = 0
        for at in line:
            colour = tuple(map(float, colours.to_rgba(values[at])))
            wide = len(tokens[at])
            axes.add_patch(Rectangle((column, row + 0.06), wide, 0.88, color=colour, linewidth=0))
            for letter in tokens[at]:
                place, ink = (column + 0.5, row + 0.5), _choose_text_colour(colour)
                _draw_letter(axes, place, letter, ink)
                column += 1
    add_colour_bar(colours, [axes], theme, label, pad=0.01, fraction=0.03, aspect=10)


def _draw_letter(axes: Axes, position: tuple[float, float], letter: str, colour: str) -> None:
    axes.text(
        *position,
        letter,
        color=colour,
        family="monospace",
        size=NORMAL,
        ha="center",
        va="center_baseline",
    )


def _choose_text_colour(background: tuple[float, ...]) -> str:
    """Black or white, whichever has the larger contrast (WCAG 2.2, relative luminance)."""
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in background[:3]
    )
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#000000" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#ffffff"
