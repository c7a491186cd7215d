"""A tunebook as PDF: scores one under another on pages of A4."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from sluice.tunes.errors import TuneError
from sluice.tunes.tune import Tune

_WIDTH, _HEIGHT, _MARGIN = 2100.0, 2970.0, 120.0
"""Of a page, in tenths of a millimetre."""
_TITLE_HEIGHT, _GAP = 130.0, 20.0
_SCALE = 0.85
"""Smaller than on a page of its own: two tunes of 16 bars fit on one."""
_POINTS = 72 / 254
_SVG = "{http://www.w3.org/2000/svg}"


class PlacedScore(NamedTuple):
    """A score as SVG: where it stands on its page, and its size there."""

    svg: Element
    x: float
    y: float
    width: float
    height: float


def write_book(title: str, tunes: Sequence[Tune]) -> bytes:
    """The scores of a book; those that are higher than a page are made smaller.

    Raises:
        TuneError: a tune that cannot be drawn.
    """
    import cairocffi

    scores = []
    for tune in tunes:
        try:
            scores.append(ElementTree.fromstring(tune.svg()))
        except TuneError as error:
            raise TuneError(f"{tune.title}: {error}") from None
    pages = list(_arrange(scores))
    file = io.BytesIO()
    surface = cairocffi.PDFSurface(file, _WIDTH * _POINTS, _HEIGHT * _POINTS)
    for number, page in enumerate(pages, 1):
        picture = _draw_page(page, title if number == 1 else "", number, len(pages))
        _draw_on(surface, picture)
        surface.show_page()
    surface.finish()
    return file.getvalue()


def _arrange(scores: Sequence[Element]) -> Iterator[list[PlacedScore]]:
    page: list[PlacedScore] = []
    y, bottom = _MARGIN + _TITLE_HEIGHT, _HEIGHT - _MARGIN
    for svg in scores:
        width, height = _get_size(svg)
        scale = min(_SCALE * _WIDTH / width, (bottom - _MARGIN - _TITLE_HEIGHT) / height)
        width, height = width * scale, height * scale
        if page and y + height > bottom:
            yield page
            page, y = [], _MARGIN
        page.append(PlacedScore(svg, (_WIDTH - width) / 2, y, width, height))
        y += height + _GAP
    yield page


def _get_size(svg: Element) -> tuple[float, float]:
    _, _, width, height = (float(value) for value in svg.get("viewBox", "0 0 1 1").split())
    return width, height


def _draw_page(page: Sequence[PlacedScore], title: str, number: int, total: int) -> bytes:
    root = Element(f"{_SVG}svg", {"viewBox": f"0 0 {_WIDTH:g} {_HEIGHT:g}"})
    SubElement(root, f"{_SVG}rect", {"width": "100%", "height": "100%", "fill": "white"})
    for score in page:
        place = {
            "x": f"{score.x:g}", "y": f"{score.y:g}",
            "width": f"{score.width:g}", "height": f"{score.height:g}",
        }  # fmt: skip
        score.svg.attrib.update(place)
        root.append(score.svg)
    for text, y, size in ((title, _MARGIN + 90, 80), (f"{number} / {total}", _HEIGHT - 50, 34)):
        style = {"x": f"{_WIDTH / 2:g}", "y": f"{y:g}", "font-size": str(size),
                 "font-family": "serif", "text-anchor": "middle"}  # fmt: skip
        SubElement(root, f"{_SVG}text", style).text = text
    return ElementTree.tostring(root)


def _draw_on(surface: Any, picture: bytes) -> None:
    """Draw a picture on the present page; cairosvg alone writes a file a picture."""
    from cairosvg.parser import Tree
    from cairosvg.surface import PDFSurface

    class SharedSurface(PDFSurface):  # type: ignore[misc]
        def _create_surface(self, width: float, height: float) -> tuple[Any, float, float]:
            return surface, width, height

    width, height = _WIDTH * _POINTS, _HEIGHT * _POINTS
    SharedSurface(Tree(bytestring=picture), None, 72, output_width=width, output_height=height)
