"""MIDI files as notes, bars and a tempo, read with symusic."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from sluice.chorales.readers.musicxml import ScoreContents
from sluice.chorales.roll import RollBar, RollNote
from sluice.extras import MissingExtraError
from sluice.files import StrPath
from sluice.sequence.data.readers.file_kinds import read_head
from sluice.sequence.data.readers.midi import MAGIC
from sluice.sequence.data.report import make_read_error
from sluice.sequence.errors import DataError

_MOST_QUARTERS = 100_000
"""Of a piece: a few damaged bytes can say millions."""


def read_midi_score(path: StrPath) -> ScoreContents:
    """The notes of all tracks but drums, each from key down to key up; a track is a part.

    Bars follow the file's meters from its start, 4/4 if it has none: MIDI cannot say that a piece
    begins with a pickup.

    Raises:
        MissingExtraError: symusic is not installed.
        DataError: not a MIDI file, a damaged one, or one without notes.
    """
    try:
        from symusic import Score
    except ImportError:
        raise MissingExtraError("symusic", "data") from None
    path = Path(path)
    if read_head(path, 4) != MAGIC:
        raise DataError(f"{path} is not a MIDI file: it does not start with MThd.")
    try:
        score: Any = Score.from_midi(path.read_bytes())
    except OSError as error:
        raise make_read_error(path, error) from None
    except RuntimeError as error:
        raise DataError(f"{path} is a damaged MIDI file ({error}).") from None
    quarter = score.ticks_per_quarter
    tracks = [track for track in score.tracks if not track.is_drum and len(track.notes)]
    contents = ScoreContents(parts=[track.name for track in tracks])
    for number, track in enumerate(tracks):
        for note in track.notes:
            start, length = Fraction(note.time, quarter), Fraction(note.duration, quarter)
            if not 0 <= start + length <= _MOST_QUARTERS:
                raise DataError(f"{path} is a damaged MIDI file: a note at {float(start):g}.")
            if length > 0:
                contents.notes.append(RollNote(start, start + length, note.pitch, number))
    if not contents.notes:
        raise DataError(f"{path} is a MIDI file without notes (drums are not read).")
    if len(score.tempos):
        contents.tempo = float(score.tempos[0].qpm)
    if any(not track.is_drum for track in score.tracks) and any(t.is_drum for t in score.tracks):
        contents.remarks.append("drums left out")
    last = max(note.end for note in contents.notes)
    changes = {
        Fraction(one.time, quarter): Fraction(4 * one.numerator, one.denominator)
        for one in score.time_signatures
        if one.numerator > 0 and one.denominator > 0
    }
    contents.bars = _list_bars(changes, last)
    return contents


def _list_bars(changes: dict[Fraction, Fraction], last: Fraction) -> list[RollBar]:
    """Whole bars up to the end; a new meter begins a bar."""
    now, meter, bars = Fraction(0), changes.get(Fraction(0), Fraction(4)), list[RollBar]()
    while now < last:
        end = min([one for one in changes if now < one < now + meter], default=now + meter)
        bars.append(RollBar(now, end - now, Fraction(0), meter))
        now = end
        meter = changes.get(now, meter)
    return bars
