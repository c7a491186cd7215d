"""What pictures share: themes, and figures written as SVG, PNG or PDF, the same bytes every time.

matplotlib comes with the extra ``plots`` and is imported only here and in the drawing functions.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("svg", "png", "pdf")
_WIDE, _COARSEST, _FINEST = 1200, 90.0, 160.0  # of a PNG: pixels across, and to an inch
_MISSING = "pictures need matplotlib, which is missing; pip install 'sluice-rnn[plots]'"
_SETTINGS: dict[Any, Any] = {
    "mathtext.fontset": "cm",
    "svg.fonttype": "path",
    "svg.hashsalt": "sluice",
}


class PictureError(ValueError):
    """A picture that cannot be made; the message says what to do."""


@dataclass(frozen=True)
class Theme:
    """Colours of a picture; fills are of the Okabe-Ito palette, told apart by shape as well."""

    paper: str
    ink: str
    faint: str
    layer: str
    pointwise: str
    body: str


THEMES = {
    "light": Theme("#ffffff", "#1a1a1a", "#d9d9d9", "#f7d58b", "#b9dcf2", "#f6f7f5"),
    "dark": Theme("#16181d", "#f2f2f2", "#3c4048", "#8a5f00", "#1f5f8b", "#20232a"),
}


def figure(width: float, height: float, theme: Theme) -> Figure:
    """An empty figure of this size in inches. Raises `PictureError` without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise PictureError(_MISSING) from None
    return Figure(figsize=(width, height), facecolor=theme.paper)


def settings() -> Any:
    """A context in which figures are made and written as all pictures are."""
    try:
        from matplotlib import rc_context
    except ImportError:
        raise PictureError(_MISSING) from None
    return rc_context(_SETTINGS)


def format_of(path: Path) -> str:
    """The format that a file's ending asks for. Raises `PictureError` for another one."""
    ending = path.suffix.lstrip(".").lower()
    if ending not in FORMATS:
        raise PictureError(f"a picture is a file .svg, .png or .pdf, not {path.name!r}")
    return ending


def encoded(drawn: Figure, ending: str) -> bytes:
    """A figure's bytes in one of `FORMATS`, without dates or names that change."""
    content = io.BytesIO()
    dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[ending]
    with settings():
        drawn.savefig(
            content,
            format=ending,
            metadata=dated,
            dpi=min(_FINEST, max(_COARSEST, _WIDE / drawn.get_figwidth())),
        )
    return content.getvalue()


def save(drawn: Figure, path: Path) -> None:
    """Write a figure to ``path``, whole or not at all.

    Raises `PictureError` for an ending that is none of `FORMATS`, OSError where it cannot be
    written.
    """
    write_whole(path, encoded(drawn, format_of(path)))
