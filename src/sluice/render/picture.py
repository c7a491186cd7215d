"""Figures: created in a theme, and written as SVG, PNG or PDF, the same bytes every time.

matplotlib comes with the extra ``plots``; every picture begins with `create_figure`.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.errors import SluiceError
from sluice.extras import MissingExtraError
from sluice.files import StrPath, write_atomically
from sluice.render.theme import Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("svg", "png", "pdf")
_WIDE, _COARSEST, _FINEST = 1200, 90.0, 160.0  # of a PNG: pixels across, and to an inch


class PictureError(SluiceError, ValueError):
    """A picture that cannot be made; the message says what to do."""


def create_figure(width: float, height: float, theme: Theme, layout: str | None = None) -> Figure:
    """An empty figure, its size in inches. Raises MissingExtraError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", "plots") from None
    return Figure(figsize=(width, height), layout=layout, facecolor=theme.page)  # type: ignore[arg-type]


def use_rc_settings() -> AbstractContextManager[None]:
    """A context in which figures are made and written as all pictures are."""
    try:
        from matplotlib import rc_context
    except ImportError:
        raise MissingExtraError("matplotlib", "plots") from None
    return rc_context(
        {
            "mathtext.fontset": "cm",
            "svg.fonttype": "path",
            "svg.hashsalt": "sluice",
            "pdf.fonttype": 42,
        }
    )


def parse_format(path: StrPath) -> str:
    """The format that a file's ending asks for. Raises `PictureError` for another one."""
    path = Path(path)
    ending = path.suffix.lstrip(".").lower()
    if ending not in FORMATS:
        raise PictureError(f"a picture must be a .svg, .png or .pdf file, got {path.name!r}")
    return ending


@contextmanager
def _quiet_fonts() -> Iterator[None]:
    """Without fontTools' remarks on the dates of the fonts that a PDF embeds."""
    log = logging.getLogger("fontTools")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def encode_figure(fig: Figure, ending: str) -> bytes:
    """A figure's bytes in one of `FORMATS`, without dates or names that change."""
    content = io.BytesIO()
    dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[ending]
    with use_rc_settings(), _quiet_fonts():
        fig.savefig(
            content,
            format=ending,
            metadata=dated,
            dpi=min(_FINEST, max(_COARSEST, _WIDE / fig.get_figwidth())),
        )
    return _shorten_paths(content.getvalue()) if ending == "svg" else content.getvalue()


def _shorten_paths(svg: bytes) -> bytes:
    """An SVG whose paths are given to a hundredth of a point."""

    def shorten(path: re.Match[bytes]) -> bytes:
        return re.sub(rb"(\.\d\d)\d+", rb"\1", path[0])

    return re.sub(rb' d="[^"]*"', shorten, svg)


def encode_pages(figures: Sequence[Figure]) -> bytes:
    """Figures as the pages of one PDF, without dates."""
    from matplotlib.backends.backend_pdf import PdfPages

    content = io.BytesIO()
    with (
        use_rc_settings(),
        _quiet_fonts(),
        PdfPages(content, metadata={"CreationDate": None}) as pages,
    ):
        for fig in figures:
            pages.savefig(fig)
    return content.getvalue()


def save_figure(fig: Figure, path: StrPath) -> None:
    """Write a figure to ``path``, whole or not at all.

    Raises `PictureError` for an ending that is none of `FORMATS`, OSError where it cannot be
    written.
    """
    write_atomically(path, encode_figure(fig, parse_format(path)))
