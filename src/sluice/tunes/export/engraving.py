"""A tune's score as SVG and PDF, engraved by Verovio from MEI, in any thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from sluice.extras import MissingExtraError
from sluice.locks import ForkSafeLock
from sluice.tunes.errors import TuneError
from sluice.tunes.export.mei import to_mei
from sluice.tunes.notation.transcription import Transcription

_OPTIONS = {
    "scale": 45,
    "pageMarginLeft": 150,
    "pageMarginRight": 150,
    "pageMarginTop": 120,
    "pageMarginBottom": 120,
    "footer": "encoded",
    "smuflTextFont": "none",
    "svgViewBox": True,
    "xmlIdSeed": 1,
}
_A4_WIDTH, _A4_HEIGHT, _MAX_HEIGHT = 2100, 2970, 60_000
"""In tenths of a millimetre; Verovio lays out no page that is higher than the last."""
_NARROW_MARGIN = 20
_REDUCTIONS = (1.0, 1.2, 1.4, 1.7, 2.0)
"""How much smaller the notes are, the first with which the tune fits on a page."""
_A4_PIXELS = 210 / 25.4 * 96
_FONT = "Leipzig"
_MEI = "{http://www.music-encoding.org/ns/mei}"
_ADVANCE = 400
"""From one sign of a tempo to what follows it, in thousandths of the font's size."""
_SVG = "{http://www.w3.org/2000/svg}"
ElementTree.register_namespace("", _SVG[1:-1])
# The names are one for the process: other libraries register theirs.
ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")

_ONE_AT_A_TIME = ForkSafeLock()
"""Verovio's seed of identifiers is one for the process."""


def to_svg(tune: Transcription, width: int = _A4_WIDTH) -> str:
    """The score as an SVG picture as high as it needs to be, black on white.

    Args:
        tune: the tune.
        width: of the page, in tenths of a millimetre; on one narrower than A4 lines break where
            they are full, and margins are small.

    Raises:
        MissingExtraError: the library verovio is not installed.
        InvalidTokensError: the tokens are no valid tune.
        TuneError: a note's length that has no sign, or a score that does not hold every note.
    """
    options = {"pageWidth": width, "pageHeight": _MAX_HEIGHT, "adjustPageHeight": True}
    if width < _A4_WIDTH:
        options |= {"pageMarginLeft": _NARROW_MARGIN, "pageMarginRight": _NARROW_MARGIN}
    return _engrave(tune, [options], "" if width == _A4_WIDTH else "auto")


def to_pdf(tune: Transcription) -> bytes:
    """The score on a page of A4.

    Raises:
        MissingExtraError: the library verovio or cairosvg is not installed.
        InvalidTokensError: the tokens are no valid tune.
        TuneError: a note's length that has no sign, or a tune that is too long for a page.
    """
    try:
        import cairosvg
    except ImportError:
        raise MissingExtraError("cairosvg", "tunes") from None
    page = _draw_page(tune).encode()
    return bytes(cairosvg.svg2pdf(page, output_width=_A4_PIXELS, output_height=_A4_PIXELS * 2**0.5))


def _draw_page(tune: Transcription) -> str:
    """A page of the shape of A4 as an SVG picture."""
    sizes = [(round(_A4_WIDTH * times), round(_A4_HEIGHT * times)) for times in _REDUCTIONS]
    return _engrave(tune, [{"pageWidth": w, "pageHeight": h} for w, h in sizes])


def _engrave(tune: Transcription, layouts: Sequence[Mapping[str, int]], breaks: str = "") -> str:
    """The score in the first of the layouts in which it is one page; its own line breaks, unless
    ``breaks`` says which."""
    try:
        import verovio
    except ImportError:
        raise MissingExtraError("verovio", "tunes") from None
    mei = to_mei(tune)
    breaks = breaks or ("line" if "<sb" in mei else "auto")
    resources = Path(verovio.__file__).parent / "data"
    with _ONE_AT_A_TIME.hold():
        # Importing verovio names its resources to the thread that imports it, and to no other.
        toolkit = verovio.toolkit(False)
        toolkit.setResourcePath(str(resources))
        for layout in layouts:
            toolkit.setOptions({**_OPTIONS, **layout, "breaks": breaks})
            toolkit.loadData(mei)
            pages = toolkit.getPageCount()
            if pages == 1:
                break
        drawn = toolkit.renderToSVG(1)
    if pages > 1:
        raise TuneError(f"The score of {tune.title!r} does not fit on a page; write svg, not pdf.")
    root = ElementTree.fromstring(drawn)
    _check_notes(root, ElementTree.fromstring(mei))
    return _embed_glyphs(root, resources)


def _check_notes(drawn: Element, mei: Element) -> None:
    """Check that every note was drawn.

    Raises:
        TuneError: some are missing.
    """
    written = sum(1 for _ in mei.iter(f"{_MEI}note"))
    groups = (str(group.get("class")).split() for group in drawn.iter(f"{_SVG}g"))
    found = sum(kinds[:1] == ["note"] for kinds in groups)
    if found != written:
        raise TuneError(
            f"Verovio drew {found} of the {written} notes of the score; write abc, not svg or pdf."
        )


def _embed_glyphs(root: Element, resources: Path) -> str:
    """White ground, and the note of the tempo as an outline: its font is nowhere but here."""
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
