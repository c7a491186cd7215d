import sys
from pathlib import Path

import mido
import pytest

from sluice.extras import MissingExtraError
from sluice.sequence import DataError, Tokens, load_data


def write_midi(path: Path, notes: list[tuple[int, int, int]], channel: int = 0) -> Path:
    """A file of notes (start and length in quarters ÷ 4, pitch), made by another library."""
    file, track = mido.MidiFile(ticks_per_beat=480), mido.MidiTrack()
    file.tracks.append(track)
    events = [(120 * start, 1, pitch) for start, _, pitch in notes]
    events += [(120 * (start + length), 0, pitch) for start, length, pitch in notes]
    now = 0
    for at, on, pitch in sorted(events):
        kind = "note_on" if on else "note_off"
        track.append(mido.Message(kind, note=pitch, channel=channel, time=at - now))
        now = at
    file.save(path)
    return path


def test_notes_become_tokens(tmp_path: Path) -> None:
    path = write_midi(tmp_path / "a.mid", [(0, 4, 64), (0, 4, 60), (4, 2, 62), (100, 99, 65)])
    read = load_data(path)
    assert isinstance(read, Tokens)
    expected_tokens = "pitch:60 length:4 pitch:64 length:4 wait:4 pitch:62 length:2"
    expected_tokens += " wait:64 wait:32 pitch:65 length:64"
    assert read.vocabulary.decode_text(read.ids[0].tolist()) == expected_tokens
    assert read.vocabulary.encode_text(expected_tokens) == read.ids[0].tolist()
    finer = load_data(path, grid=8)
    assert isinstance(finer, Tokens)
    assert "wait:8" in finer.vocabulary and "length:8" in finer.vocabulary


def test_files_without_notes_are_reported(tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", [(0, 1, 60)])
    write_midi(tmp_path / "drums.mid", [(0, 1, 40)], channel=9)
    whole = (tmp_path / "a.mid").read_bytes()
    (tmp_path / "cut.mid").write_bytes(whole[:-9])
    (tmp_path / "text.mid").write_text("MIDI?")
    read = load_data(tmp_path)
    assert len(read) == 1
    reasons = [one.reason for one in read.skipped_items]
    assert "damaged MIDI file" in reasons[0]
    assert reasons[1] == "is a MIDI file without notes (drums are not read)"
    assert reasons[2] == "is not a MIDI file: it does not start with MThd"
    with pytest.raises(DataError, match=r"No notes could be read.*damaged"):
        load_data(tmp_path / "cut.mid")
    with pytest.raises(DataError, match="grid= must be at least 1"):
        load_data(tmp_path / "a.mid", grid=0)


def test_notes_without_an_end_are_reported(tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", [(0, 1, 60)])
    for name, pitches in (("b.mid", (60, 61)), ("c.mid", (61,))):
        file, track = mido.MidiFile(), mido.MidiTrack()
        file.tracks.append(track)
        track.extend(mido.Message("note_on", note=pitch, time=9) for pitch in pitches)
        track.append(mido.Message("note_off", note=60, time=480))
        file.save(tmp_path / name)
    read = load_data(tmp_path)
    assert len(read) == 2
    assert "b.mid: 1 note without an end left out." in read.report()
    assert [one.reason for one in read.skipped_items] == ["is a MIDI file whose notes have no end"]


def test_an_end_is_found_behind_texts_and_in_running_status(tmp_path: Path) -> None:
    events = [
        (0, [0x90, 60, 80]), (96, [60, 0]),  # a key down and up, the second without its status
        (0, [0xFF, 0x01, 2, 0x90, 0x40]), (0, [62, 80]), (96, [62, 0]),  # a text like a key down
        (0, [0xF0, 3, 0x10, 0x40, 0xF7]), (0, [0x90, 64, 80]), (0, [0xFF, 0x2F, 0]),
    ]  # fmt: skip
    track = b"".join(bytes([wait, *event]) for wait, event in events)
    head = b"MThd" + bytes([0, 0, 0, 6, 0, 0, 0, 1, 0, 96])
    path = tmp_path / "a.mid"
    path.write_bytes(head + b"MTrk" + len(track).to_bytes(4, "big") + track)
    read = load_data(path)
    assert isinstance(read, Tokens)
    assert "pitch:62" in read.vocabulary and "pitch:64" not in read.vocabulary
    assert "a.mid: 1 note without an end left out." in read.report()


def test_a_file_is_recognised_by_its_first_bytes(tmp_path: Path) -> None:
    path = write_midi(tmp_path / "a.song", [(0, 1, 60)])
    assert "MIDI" in load_data(path).report()


def test_without_symusic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "symusic", None)
    with pytest.raises(MissingExtraError, match=r"symusic.*sluice-rnn\[data\]"):
        load_data(write_midi(tmp_path / "a.mid", [(0, 1, 60)]))
