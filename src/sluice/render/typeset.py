"""A cell's equations as a picture, typeset by matplotlib's mathtext."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from sluice.equations.graph import Graph
from sluice.render.latex import format_equations
from sluice.render.picture import create_figure, use_rc_settings
from sluice.render.theme import get_theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_POINTS, _LEADING, _MARGIN = 18.0, 1.75, 0.25


def typeset_equations(graph: Graph, theme: str = "light", *, reverse: bool = False) -> Figure:
    """The equations of ``graph`` as a matplotlib figure, aligned at the equals signs.

    ``theme`` is ``"light"`` or ``"dark"``; with ``reverse`` they are those of a layer that reads
    from the end. Raises MissingExtra where matplotlib is missing, ValueError for another theme.

    Example:
        >>> from sluice.cells import LSTM
        >>> len(typeset_equations(LSTM().graph).texts)  # six left sides, six right sides
        12
    """
    found, colours = format_equations(graph, reverse), get_theme(theme)
    rows = [(f"${line.left.latex}$", f"$= {line.right.latex}$") for line in found.lines]
    rows += [("", rf"$\mathrm{{where}}\ {note.latex}$") for note in found.notes]
    with use_rc_settings():
        left = max(measure_text(left)[0] for left, _ in rows if left)
        width = 2 * _MARGIN + left + 0.05 + max(measure_text(right)[0] for _, right in rows)
        leading = _POINTS * _LEADING / 72
        height = 2 * _MARGIN + leading * len(rows)
        drawn = create_figure(width, height, colours)
        drawn.add_axes((0, 0, 1, 1)).set_axis_off()  # Jupyter shows no figure that has no axes
        for place, row in enumerate(rows):
            y = 1 - (_MARGIN + leading * (place + 0.7)) / height
            for text, x, side in zip(
                row, (_MARGIN + left, _MARGIN + left + 0.05), ("right", "left"), strict=True
            ):
                if text:
                    drawn.text(x / width, y, text, size=_POINTS, color=colours.ink, ha=side)
    return drawn


@lru_cache(maxsize=4096)
def measure_text(text: str, points: float = _POINTS) -> tuple[float, float]:
    """Width and height in inches of a text with mathematics, at a size in points."""
    from matplotlib.mathtext import MathTextParser

    with use_rc_settings():
        parsed = MathTextParser("path").parse(text, dpi=72)
    scale = points / 10 / 72  # without a font the parser sets 10 points
    return float(parsed.width * scale), float(parsed.height * scale)


@lru_cache(maxsize=4096)
def measure_words(text: str, points: float) -> tuple[float, float]:
    """Width and height in inches of plain words, in the font of a picture's words."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    width, height, _ = text_to_path.get_text_width_height_descent(
        text, FontProperties(size=points), False
    )
    return float(width / 72), float(height / 72)
