"""The text above and below the music of a score in MEI."""

from __future__ import annotations

from textwrap import wrap
from xml.etree.ElementTree import Element, SubElement

from sluice.tunes.notation.header_fields import find_values
from sluice.tunes.notation.transcription import Transcription
from sluice.tunes.theory.dances import beat_length

_MAX_LINE = 50
"""Characters of a line at the head; two stand side by side."""
_MAX_WORDS = 90
"""Characters of a line of words below the music."""
_HEADS = {1: "\ue1d2", 2: "\ue1d3", 4: "\ue1d5", 8: "\ue1d7", 16: "\ue1d9"}
_DOT = "\ue1e7"


def add_page_text(definition: Element, tune: Transcription) -> None:
    """Above: titles, composer and origin, source, kind of dance and tempo. Below: the words."""
    page = SubElement(definition, "pgHead")
    title = SubElement(page, "rend", halign="center", valign="top", fontsize="150%")
    title.text = " ".join(tune.title.split()) or "Untitled"
    for further in find_values(tune.fields, "T"):
        SubElement(title, "lb")
        SubElement(title, "rend", fontsize="70%").text = further
    names = find_values(tune.fields, "C")
    origins = find_values(tune.fields, "O")
    sources = find_values(tune.fields, "S")
    author = ", ".join(names) + f" ({', '.join(origins)})" * bool(origins)
    for side, text in (("left", ", ".join(sources)), ("right", author.strip())):
        if text:
            line = SubElement(page, "rend", halign=side, valign="middle", fontsize="90%")
            line.text = _shorten(text)
    _add_tempo(SubElement(page, "rend", halign="left", valign="bottom"), tune)
    kind = SubElement(page, "rend", halign="right", valign="bottom", fontstyle="italic")
    kind.text = tune.rhythm.capitalize()
    words = [line for text in find_values(tune.fields, "W") for line in _wrap(text)]
    if words:
        foot = SubElement(definition, "pgFoot")
        lines = SubElement(foot, "rend", halign="left", valign="bottom")
        lines.text = "\u00a0"
        for text in words:
            SubElement(lines, "lb").tail = text


def _wrap(text: str) -> list[str]:
    return wrap(text, _MAX_WORDS) or ["\u00a0"]


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_LINE else text[: _MAX_LINE - 1].rstrip() + "…"


def _add_tempo(line: Element, tune: Transcription) -> None:
    """Not a mark above the staff, where it would meet the chords."""
    step = beat_length(tune.meter)
    dotted = step % 3 == 0
    head = _HEADS[int(8 / (step * 2 / 3 if dotted else step))]
    sign = SubElement(line, "rend", {"glyph.auth": "smufl"})
    sign.text, sign.tail = head + _DOT * dotted, f"\u00a0= {tune.beats_per_minute}"
