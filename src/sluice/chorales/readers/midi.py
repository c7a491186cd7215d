"""MIDI files as notes, bars and a tempo, read with symusic."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from sluice.chorales.readers.contents import (
    MOST_QUARTERS,
    Omissions,
    ScoreContents,
    check_tempo,
)
from sluice.chorales.roll import FINEST_BEAT, RollBar, RollNote
from sluice.extras import MissingExtraError
from sluice.files import StrPath
from sluice.sequence.data.readers.midi import parse_midi, read_midi_bytes
from sluice.sequence.data.readers.midi_events import describe_missing_notes, find_endless_notes
from sluice.sequence.errors import DataError

_SMPTE, _SEPARATE = 0x8000, 2
"""A division that counts frames of film, and the format of tracks that are no piece together."""
_SHORTEST_BAR = Fraction(1, 8)


def read_midi_score(path: StrPath) -> ScoreContents:
    """The notes of all tracks but drums, each from key down to key up; a track is a part.

    Bars follow the file's meters from its start, 4/4 if it has none: MIDI cannot say that a piece
    begins with a pickup.

    Raises:
        MissingExtraError: symusic is not installed.
        DataError: not a MIDI file, a damaged one, one without notes, one timed by film frames
            (SMPTE), or one of separate patterns (format 2).
    """
    try:
        import symusic  # noqa: F401
    except ImportError:
        raise MissingExtraError("symusic", "data") from None
    path = Path(path)
    content = read_midi_bytes(path)
    _check_header(path, content[:14])
    score = parse_midi(path, content)
    quarter = score.ticks_per_quarter
    tracks = [track for track in score.tracks if not track.is_drum and len(track.notes)]
    contents = ScoreContents(parts=[track.name for track in tracks])
    omissions = Omissions()
    for number, track in enumerate(tracks):
        for note in track.notes:
            start, length = Fraction(note.time, quarter), Fraction(note.duration, quarter)
            if not 0 <= start + length <= MOST_QUARTERS:
                raise DataError(f"{path} is a damaged MIDI file: a note at {float(start):g}.")
            if length > 0:
                contents.notes.append(RollNote(start, start + length, note.pitch, number))
            else:
                omissions.add("note without length", f"at quarter note {float(start):g}")
    if not contents.notes:
        raise DataError(f"{path} is a MIDI file {describe_missing_notes(content)}.")
    if len(score.tempos):
        contents.tempo = check_tempo(float(score.tempos[0].qpm))
    for ticks, _ in find_endless_notes(content):
        omissions.add("note without an end", f"at quarter note {ticks / quarter:g}")
    _count_drums(score, quarter, omissions)
    contents.remarks = omissions.to_remarks()
    last = max(note.end for note in contents.notes)
    changes = {
        Fraction(one.time, quarter): (
            Fraction(4 * one.numerator, one.denominator),
            min(one.denominator, FINEST_BEAT),
        )
        for one in score.time_signatures
        if one.numerator > 0 and one.denominator > 0
    }
    if short := [one for one, _ in changes.values() if one < _SHORTEST_BAR]:
        raise DataError(f"{path} has bars of {short[0]} quarter notes, which are too short.")
    contents.bars = _list_bars(changes, last)
    return contents


def _check_header(path: Path, head: bytes) -> None:
    """Refuse what has no quarter notes, and what is no single piece."""
    kind, division = (int.from_bytes(head[place : place + 2], "big") for place in (8, 12))
    if len(head) < 14 or not division:
        raise DataError(f"{path} is a damaged MIDI file: its head is incomplete.")
    if division & _SMPTE:
        raise DataError(
            f"{path} is timed by film frames (SMPTE), which say nothing of quarter notes; save it "
            "with ticks per quarter note."
        )
    if kind == _SEPARATE:
        raise DataError(
            f"{path} is MIDI of separate patterns (format 2), not of one piece; save it as format "
            "1."
        )


def _count_drums(score: Any, quarter: int, omissions: Omissions) -> None:
    for track in score.tracks:
        if track.is_drum and len(track.notes):
            first = min(note.time for note in track.notes) / quarter
            omissions.add("note of drums", f"at quarter note {first:g}", len(track.notes))


def _list_bars(changes: dict[Fraction, tuple[Fraction, int]], last: Fraction) -> list[RollBar]:
    """Whole bars up to the end; a new meter begins a bar."""
    bars = list[RollBar]()
    starts = sorted({Fraction(0), *(one for one in changes if 0 < one < last)})
    meter, below = Fraction(4), 4
    for now, end in zip(starts, [*starts[1:], last], strict=True):
        meter, below = changes.get(now, (meter, below))
        while now < end:
            length = meter if end == last else min(meter, end - now)
            bars.append(RollBar(now, length, Fraction(0), meter, below))
            now += length
    return bars
