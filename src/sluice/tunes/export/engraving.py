"""A tune's score as SVG and PDF, engraved by Verovio from MEI."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from sluice.extras import MissingExtraError
from sluice.tunes.export.mei import to_mei
from sluice.tunes.notation.transcription import Transcription

_OPTIONS = {
    "pageWidth": 2100,
    "pageHeight": 2970,
    "pageMarginLeft": 150,
    "pageMarginRight": 150,
    "pageMarginTop": 120,
    "pageMarginBottom": 120,
    "footer": "none",
    "smuflTextFont": "none",
    "breaks": "encoded",
    "svgViewBox": True,
    "xmlIdSeed": 1,
}
_SCALES = (45, 38, 32)
"""In percent, the first at which the tune fits on a page."""
_A4_PIXELS = 210 / 25.4 * 96
_FONT = "Leipzig"
_ADVANCE = 400
"""From one sign of a tempo to what follows it, in thousandths of the font's size."""
_SVG = "{http://www.w3.org/2000/svg}"
ElementTree.register_namespace("", _SVG[1:-1])


def to_svg(tune: Transcription) -> str:
    """The score as an SVG picture as high as it needs to be, black on white.

    Raises:
        MissingExtraError: the library verovio is not installed.
        InvalidTokensError: the tokens are no valid tune.
        TuneError: a note's length that has no sign.
    """
    return _engrave(tune, adjustPageHeight=True)


def to_pdf(tune: Transcription) -> bytes:
    """The score on a page of A4.

    Raises:
        MissingExtraError: the library verovio or cairosvg is not installed.
        InvalidTokensError: the tokens are no valid tune.
        TuneError: a note's length that has no sign.
    """
    try:
        import cairosvg
    except ImportError:
        raise MissingExtraError("cairosvg", "tunes") from None
    page = _engrave(tune).encode()
    return bytes(cairosvg.svg2pdf(page, output_width=_A4_PIXELS, output_height=_A4_PIXELS * 2**0.5))


def _engrave(tune: Transcription, **options: bool) -> str:
    try:
        import verovio
    except ImportError:
        raise MissingExtraError("verovio", "tunes") from None
    toolkit = verovio.toolkit()
    mei = to_mei(tune)
    for scale in _SCALES:
        toolkit.setOptions({**_OPTIONS, "scale": scale, **options})
        toolkit.loadData(mei)
        if toolkit.getPageCount() == 1:
            break
    return _embed_glyphs(toolkit.renderToSVG(1), Path(toolkit.getResourcePath()))


def _embed_glyphs(drawn: str, resources: Path) -> str:
    """White ground, and the note of the tempo as an outline: its font is nowhere but here."""
    root = ElementTree.fromstring(drawn)
    ground = {"width": "100%", "height": "100%", "style": "fill:white;stroke:none"}
    root.insert(0, Element(f"{_SVG}rect", ground))
    for words in root.iter(f"{_SVG}text"):
        for sign in words.iter(f"{_SVG}tspan"):
            if sign.get("font-family") == _FONT:
                _outline(root, words, sign, resources)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _outline(root: Element, words: Element, sign: Element, resources: Path) -> None:
    place = next(part for part in words.iter() if part.get("x"))
    x, y = (float(place.get(name, "0")) for name in "xy")
    size = float(sign.get("font-size", "0").removesuffix("px")) / 1000
    group = Element(f"{_SVG}g")
    for glyph in sign.text or "":
        path = ElementTree.parse(resources / _FONT / f"{ord(glyph):04X}.xml").getroot()[0]
        at = {"transform": f"translate({x:g} {y:g}) scale({size:g} {-size:g})"}
        SubElement(group, f"{_SVG}path", at, d=path.get("d", ""))
        x += _ADVANCE * size
    sign.text = ""
    del sign.attrib["font-family"]
    place.set("x", f"{x:g}")
    parents = {child: parent for parent in root.iter() for child in parent}
    parents[words].append(group)
