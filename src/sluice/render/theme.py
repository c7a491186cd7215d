"""How all pictures look, on a light page and on a dark one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Theme:
    """Colours of a page, and maps of values to colours.

    Attributes:
        page, ink, grid: The paper, letters and lines, and what is faint.
        layer, pointwise, body: Fills of a sketch: learned layers, other operations, the unit.
        sequential, diverging: Names of matplotlib's maps for values from a least one on, and for
            values of two signs.
        lines: Colours of lines, one after another.
    """

    page: str
    ink: str
    grid: str
    layer: str
    pointwise: str
    body: str
    sequential: str
    diverging: str
    lines: tuple[str, ...]


# The palette of Okabe & Ito (2008), told apart with any colour vision; lighter lines on dark.
THEMES = {
    "light": Theme(
        page="#ffffff",
        ink="#1a1a1a",
        grid="#d9d9d9",
        layer="#f5cb6b",
        pointwise="#d8ecf9",
        body="#f6f7f5",
        sequential="cividis",
        diverging="RdBu_r",
        lines=("#0072b2", "#d55e00", "#007a5a", "#a8507f", "#946200", "#1a1a1a"),
    ),
    "dark": Theme(
        page="#16181d",
        ink="#e6e6e6",
        grid="#3c4048",
        layer="#8a5f00",
        pointwise="#1f5f8b",
        body="#20232a",
        sequential="cividis",
        diverging="berlin",
        lines=("#56b4e9", "#ff9248", "#2fc79b", "#e39ac4", "#f0e442", "#e6e6e6"),
    ),
}


def get_theme(name: str) -> Theme:
    """The theme called ``name``. Raises ValueError if there is none.

    Example:
        >>> get_theme("dark").page
        '#16181d'
    """
    if name not in THEMES:
        raise ValueError(f"theme must be {' or '.join(map(repr, THEMES))}, got {name!r}")
    return THEMES[name]
