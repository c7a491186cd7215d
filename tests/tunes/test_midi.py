"""MIDI read back by mido, against times computed by hand."""

from __future__ import annotations

import io
from pathlib import Path

import mido
import pytest

from sluice.tunes import midi
from sluice.tunes.tokens import Tune


def sounded(tokens: str, rhythm: str = "") -> tuple[list[tuple[int, int, int]], int]:
    """Each note as (start, length in ticks, number), and the tempo."""
    file = mido.MidiFile(file=io.BytesIO(midi.to_midi(Tune(tuple(tokens.split()), rhythm=rhythm))))
    now, begun, notes, tempo = 0, {}, [], 0
    for message in file.tracks[0]:
        now += message.time
        if message.type == "set_tempo":
            tempo = message.tempo
        elif message.type == "note_on" and message.velocity:
            begun[message.note] = now
        elif message.type in ("note_off", "note_on"):
            start = begun.pop(message.note)
            notes.append((start, now - start, message.note))
    assert not begun
    return sorted(notes), tempo


def test_lengths_tuplets_chords_and_ties() -> None:
    notes, _ = sounded("M:4/4 K:Cmaj C 2 (3 D E F z [ C G ] - [ C G ] |")
    assert notes == [
        (0, 480, 60),
        (480, 160, 62),
        (640, 160, 64),
        (800, 160, 65),
        (1200, 480, 60),
        (1200, 480, 67),
    ]


@pytest.mark.parametrize(
    ("tokens", "played"),
    [
        ("|: C D :|", "CDCD"),
        ("C :| D :|", "CCDD"),
        ("C :: D :| E", "CCDDE"),
        ("|: C |1 D :| |2 E | F", "CDCEF"),
        ("|: C |1 D :| |2 E |: F :|", "CDCEFF"),
        ("C | D", "CD"),
    ],
)
def test_repeats_and_endings_are_played(tokens: str, played: str) -> None:
    notes, _ = sounded(f"M:2/4 K:Cmaj {tokens} |")
    names = {60: "C", 62: "D", 64: "E", 65: "F"}
    assert "".join(names[number] for _, _, number in notes) == played


def test_compound_meters_beat_in_dotted_notes() -> None:
    _, jig = sounded("M:6/8 K:Cmaj C 3 |", "jig")
    _, reel = sounded("M:4/4 K:Cmaj C 2 |", "reel")
    assert jig == round(60e6 / (116 * 1.5)) and reel == round(60e6 / 200)
    assert [midi.is_compound(m) for m in ("6/8", "9/8", "12/8", "3/8", "3/4", "4/4")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]


def test_written_whole_or_not_at_all(tmp_path: Path) -> None:
    tune = Tune(("M:2/4", "K:Cmaj", "C", "2", "|"), title="Ō")
    midi.write_midi(tune, tmp_path / "a" / "t.mid")
    assert mido.MidiFile(tmp_path / "a" / "t.mid").length > 0
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError):
        midi.write_midi(tune, tmp_path / "file" / "t.mid")
