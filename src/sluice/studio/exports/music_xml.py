"""A tune as MusicXML, which music21 makes of its ABC."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from sluice.extras import MissingExtraError
from sluice.tunes.errors import TuneError
from sluice.tunes.tune import Tune

_DATE = re.compile(rb"\s*<encoding-date>[^<]*</encoding-date>")
_FIELD = re.compile(r"[A-Za-z+]:|%")

Sounds = list[tuple[tuple[int, ...], Fraction]]


def to_music_xml(tune: Tune) -> bytes:
    """The tune as MusicXML 4.0: notes, grace notes, chords, repeats and endings.

    Its notes and repeats are compared with the tune's. Ornaments such as a trill, and words, are
    not in it.

    Raises:
        MissingExtraError: the library music21 is not installed.
        TuneError: what music21 read is not the tune.
    """
    try:
        from music21 import converter
        from music21.musicxml.m21ToXml import GeneralObjectExporter
    except ImportError:
        raise MissingExtraError("music21", "tunes") from None
    stream = converter.parseData(_prepare(tune.abc()), format="abc")
    repeats = [bar.closes for bar in tune.score.bars].count(True)
    if _list_read(stream) != _list_written(tune) or _count_repeats(stream) != repeats:
        raise TuneError(
            f"The score of {tune.title!r} cannot be written as MusicXML note by note; take the "
            "ABC or MIDI file instead."
        )
    return _DATE.sub(b"", GeneralObjectExporter(stream).parse())


def _prepare(abc: str) -> str:
    """ABC in which music21 loses nothing: it drops what follows `::` up to the next bar line, and
    lets accidentals hold for their bar only where the text names a version of ABC that says so.
    """
    lines = [
        line if _FIELD.match(line) else line.replace("::", ":|\n|:")
        for line in abc.splitlines()
        if not line.startswith("%%")
    ]
    return "\n".join(["%abc-2.1", *lines]) + "\n"


def _list_written(tune: Tune) -> Sounds:
    """MIDI numbers and length in quarters of all events, in the order in which they are written."""
    _, semitones = tune.interval
    return [
        (tuple(sorted(pitch + semitones for pitch in set(event.pitches))), event.duration / 2)
        for event in tune.score.events
    ]


def _list_read(stream: Any) -> Sounds:
    found: Sounds = []
    for element in stream.recurse().notesAndRests:
        if element.duration.isGrace or "ChordSymbol" in element.classes:
            continue
        pitches = tuple(sorted(pitch.midi for pitch in getattr(element, "pitches", ())))
        found.append((pitches, Fraction(element.duration.quarterLength)))
    return found


def _count_repeats(stream: Any) -> int:
    lines = [measure.rightBarline for measure in stream.recurse().getElementsByClass("Measure")]
    return sum(getattr(line, "direction", "") == "end" for line in lines)
