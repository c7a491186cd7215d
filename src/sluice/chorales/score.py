"""A piece in parts as a score: MusicXML, and pictures of it by Verovio."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from sluice.chorales.errors import ChoraleError
from sluice.chorales.key import ChoraleKey, find_key
from sluice.chorales.parts import VOICES, Parts
from sluice.extras import MissingExtraError
from sluice.locks import ForkSafeLock

_CLEFS = {"treble": ("G", "2", None), "tenor": ("G", "2", "-1"), "bass": ("F", "4", None)}
_TYPES = {
    Fraction(4): ("whole", 0),
    Fraction(3): ("half", 1),
    Fraction(2): ("half", 0),
    Fraction(3, 2): ("quarter", 1),
    Fraction(1): ("quarter", 0),
    Fraction(3, 4): ("eighth", 1),
    Fraction(1, 2): ("eighth", 0),
    Fraction(3, 8): ("16th", 1),
    Fraction(1, 4): ("16th", 0),
    Fraction(1, 8): ("32nd", 0),
}
"""Lengths in quarter notes that one sign can say, with their dots; longest first."""
_ONE_AT_A_TIME = ForkSafeLock()
_WIDTH, _HEIGHT = 2100, 2970
_REDUCTIONS = (1.0, 1.2, 1.4, 1.7, 2.0, 2.5)
"""How much smaller the notes are, the first with which the piece fits on a page."""
_A4_PIXELS = 210 / 25.4 * 96


class _Sign(NamedTuple):
    """A sign of the score: what of a bar it fills, and how it hangs together with others."""

    start: Fraction
    length: Fraction
    pitch: int | None
    from_before: bool = False
    goes_on: bool = False


class _Beats(NamedTuple):
    """Where a bar's beats are: its line, which a pickup comes after, and the length of each."""

    first: Fraction
    length: Fraction

    def find_offset(self, time: Fraction) -> Fraction:
        """How far from the start of its beat."""
        return (time - self.first) % self.length


def to_musicxml(parts: Parts, title: str = "", tempo: float = 76.0) -> str:
    """The score as MusicXML (4.0, score-partwise), one part for each voice.

    Args:
        parts: the voices.
        title: what stands above.
        tempo: quarter notes a minute.
    """
    key, grid = find_key(parts.roll), parts.roll.grid
    root = Element("score-partwise", version="4.0")
    if title:
        SubElement(SubElement(root, "work"), "work-title").text = title
    listed = SubElement(root, "part-list")
    group = SubElement(listed, "part-group", type="start", number="1")
    SubElement(group, "group-symbol").text = "bracket"
    for number, voice in enumerate(VOICES, 1):
        named = SubElement(listed, "score-part", id=f"P{number}")
        SubElement(named, "part-name").text = voice.name
        SubElement(named, "part-abbreviation").text = f"{voice.name[0]}."
    SubElement(listed, "part-group", type="stop", number="1")
    bars = list(_list_bars(parts))
    for place in range(len(VOICES)):
        part = SubElement(root, "part", id=f"P{place + 1}")
        meter = (0, 0)
        for number, (start, end, steps) in enumerate(bars):
            is_pickup = number == 0 and end - start < steps
            measure = SubElement(part, "measure", number=str(number + (not _has_pickup(bars))))
            if is_pickup:
                measure.set("implicit", "yes")
            before, meter = meter, parts.roll.read_meter(start)
            if meter != before:
                _add_attributes(measure, place, key if number == 0 else None, meter, grid)
            if number == 0 and place == 0:
                _add_tempo(measure, tempo)
            beats = _Beats(
                Fraction(start - int(parts.roll.places[start]), grid), _find_beam_length(*meter)
            )
            pieces = list(_cut_bar(parts, place, start, end, beats))
            beams_of = _join_beams(pieces, beats)
            for piece, beams in zip(pieces, beams_of, strict=True):
                _add_note(measure, piece, beams, key, parts)
            if number == len(bars) - 1:
                line = SubElement(measure, "barline", location="right")
                SubElement(line, "bar-style").text = "light-heavy"
    indent(root)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return head + tostring(root, encoding="unicode") + "\n"


def to_svg(parts: Parts, title: str = "", tempo: float = 76.0) -> str:
    """The score as an SVG picture as high as it needs to be, black on white.

    Raises:
        MissingExtraError: the library verovio is not installed.
        ChoraleError: as `to_pdf`.
    """
    layout = {"pageWidth": _WIDTH, "pageHeight": 60_000, "adjustPageHeight": True}
    return _engrave(to_musicxml(parts, title, tempo), [layout])


def to_pdf(parts: Parts, title: str = "", tempo: float = 76.0) -> bytes:
    """The score on a page of A4.

    Raises:
        MissingExtraError: the library verovio or cairosvg is not installed.
        ChoraleError: a piece that is too long for a page.
    """
    try:
        import cairosvg
    except ImportError:
        raise MissingExtraError("cairosvg", "tunes") from None
    layouts = [
        {"pageWidth": round(_WIDTH * times), "pageHeight": round(_HEIGHT * times)}
        for times in _REDUCTIONS
    ]
    page = _engrave(to_musicxml(parts, title, tempo), layouts).encode()
    return bytes(cairosvg.svg2pdf(page, output_width=_A4_PIXELS, output_height=_A4_PIXELS * 2**0.5))


def _engrave(score: str, layouts: list[dict[str, int]]) -> str:
    """The score in the first of the layouts in which it is one page."""
    try:
        import verovio
    except ImportError:
        raise MissingExtraError("verovio", "tunes") from None
    options = {
        "scale": 40, "footer": "none", "svgViewBox": True, "xmlIdSeed": 1, "breaks": "auto",
        "pageMarginLeft": 100, "pageMarginRight": 100, "pageMarginTop": 100,
        "pageMarginBottom": 100, "smuflTextFont": "embedded",
    }  # fmt: skip
    with _ONE_AT_A_TIME.hold():
        toolkit = verovio.toolkit(False)
        toolkit.setResourcePath(str(Path(verovio.__file__).parent / "data"))
        for layout in layouts:
            toolkit.setOptions({**options, **layout})
            if not toolkit.loadData(score):
                raise ChoraleError("Verovio cannot read the score; write musicxml, not svg or pdf.")
            if toolkit.getPageCount() == 1:
                drawn: str = toolkit.renderToSVG(1)
                ground = '<rect width="100%" height="100%" style="fill:white;stroke:none"/>'
                head, mark, rest = drawn.partition("<defs")
                return head + ground + mark + rest
    raise ChoraleError("The score does not fit on a page; write svg or musicxml, not pdf.")


def _list_bars(parts: Parts) -> Iterator[tuple[int, int, int]]:
    """From step, to step, and the steps of the whole bar, of each bar."""
    roll = parts.roll
    starts = [0, *(step for step in range(1, len(roll)) if roll.places[step] == 0)]
    for start, end in zip(starts, [*starts[1:], len(roll)], strict=True):
        yield start, end, int(roll.meters[start])


def _has_pickup(bars: list[tuple[int, int, int]]) -> bool:
    start, end, steps = bars[0]
    return end - start < steps and len(bars) > 1


def _cut_bar(parts: Parts, voice: int, start: int, end: int, beats: _Beats) -> Iterator[_Sign]:
    """What a voice does in a bar, in lengths that a sign can say, with ties and rests."""
    grid = parts.roll.grid
    now, last = Fraction(start, grid), Fraction(end, grid)
    for note in parts.list_notes(voice):
        if note.end <= now or note.start >= last:
            continue
        if note.start > now:
            yield from _split(now, note.start, None, beats)
        begin, until = max(note.start, now), min(note.end, last)
        signs = list(_split(begin, until, note.pitch, beats))
        for place, sign in enumerate(signs):
            yield sign._replace(
                from_before=place > 0 or note.start < begin,
                goes_on=place < len(signs) - 1 or note.end > until,
            )
        now = until
    if now < last:
        yield from _split(now, last, None, beats)


def _split(start: Fraction, end: Fraction, pitch: int | None, beats: _Beats) -> Iterator[_Sign]:
    """In meters such as 6/8 no sign reaches over a beat, unless it is whole beats."""
    while start < end:
        most, lengths = end - start, [*_TYPES]
        if beats.length != 1:
            offset = beats.find_offset(start)
            if offset == 0 and most >= beats.length:
                lengths = [one for one in _TYPES if one % beats.length == 0]
            else:
                most = min(most, beats.length - offset)
        length = next((one for one in lengths if one <= most), most)
        yield _Sign(start, length, pitch)
        start += length


def _add_attributes(
    measure: Element, voice: int, key: ChoraleKey | None, meter: tuple[int, int], grid: int
) -> None:
    attributes = SubElement(measure, "attributes")
    if key is not None:
        SubElement(attributes, "divisions").text = str(8 * grid)
        signature = SubElement(attributes, "key")
        SubElement(signature, "fifths").text = str(key.fifths)
        SubElement(signature, "mode").text = "minor" if key.is_minor else "major"
    time = SubElement(attributes, "time")
    for name, number in zip(("beats", "beat-type"), meter, strict=True):
        SubElement(time, name).text = str(number)
    if key is not None:
        sign, line, octave = _CLEFS[VOICES[voice].clef]
        clef = SubElement(attributes, "clef")
        SubElement(clef, "sign").text = sign
        SubElement(clef, "line").text = line
        if octave:
            SubElement(clef, "clef-octave-change").text = octave


def _add_tempo(measure: Element, tempo: float) -> None:
    """What programs play by; Verovio's sign for it needs a font that pictures lack."""
    SubElement(measure, "sound", tempo=f"{tempo:g}")


def _find_beam_length(beats: int, below: int) -> Fraction:
    """How much of a bar one beam spans: a quarter note, in 6/8 and its like a dotted one."""
    is_compound = below >= 8 and beats % 3 == 0
    return Fraction(12, below) if is_compound else Fraction(1)


def _join_beams(pieces: list[_Sign], beats: _Beats) -> list[list[str]]:
    """What each note's beams do, from the first: notes of one beat share them."""
    flags = [
        0 if one.pitch is None or one.length >= 1 else 1 + (one.length < Fraction(1, 2))
        for one in pieces
    ]
    of_beat = [one.start - beats.find_offset(one.start) for one in pieces]
    found: list[list[str]] = [[] for _ in pieces]
    for level in (1, 2):
        for place, count in enumerate(flags):
            if count < level:
                continue
            before, after = (
                0 <= near < len(pieces) and of_beat[near] == of_beat[place] and flags[near] > 0
                for near in (place - 1, place + 1)
            )
            joins = [
                has and flags[near] >= level
                for has, near in ((before, place - 1), (after, place + 1))
            ]
            if all(joins):
                found[place].append("continue")
            elif joins[0]:
                found[place].append("end")
            elif joins[1]:
                found[place].append("begin")
            elif level > 1 and (before or after):
                found[place].append("backward hook" if before else "forward hook")
    return found


def _add_note(
    measure: Element, piece: _Sign, beams: list[str], key: ChoraleKey, parts: Parts
) -> None:
    grid = parts.roll.grid
    note = SubElement(measure, "note")
    if piece.pitch is None:
        SubElement(note, "rest")
    else:
        letter, alter = key.spell(piece.pitch)
        pitch = SubElement(note, "pitch")
        SubElement(pitch, "step").text = letter
        if alter:
            SubElement(pitch, "alter").text = str(alter)
        SubElement(pitch, "octave").text = str((piece.pitch - alter) // 12 - 1)
    SubElement(note, "duration").text = str(piece.length * 8 * grid)
    for kind, present in (("stop", piece.from_before), ("start", piece.goes_on)):
        if present:
            SubElement(note, "tie", type=kind)
    name, dots = _TYPES.get(piece.length, ("", 0))
    if name:
        SubElement(note, "type").text = name
    for _ in range(dots):
        SubElement(note, "dot")
    for number, does in enumerate(beams, 1):
        SubElement(note, "beam", number=str(number)).text = does
    _add_notations(note, piece, parts)


def _add_notations(note: Element, piece: _Sign, parts: Parts) -> None:
    fermatas, grid = parts.roll.fermatas, parts.roll.grid
    first = int(piece.start * grid)
    last = int((piece.start + piece.length) * grid) - 1
    closes = bool(fermatas[last]) and not (last + 1 < len(fermatas) and fermatas[last + 1])
    holds = piece.pitch is not None and closes and bool(fermatas[max(first, 0) : last + 1].any())
    if holds or piece.from_before or piece.goes_on:
        notations = SubElement(note, "notations")
        for kind, present in (("stop", piece.from_before), ("start", piece.goes_on)):
            if present:
                SubElement(notations, "tied", type=kind)
        if holds:
            SubElement(notations, "fermata", type="upright")
