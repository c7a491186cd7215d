"""Files of music that are damaged or made to harm: refused, or read with a remark."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest

from sluice.chorales.readers.files import read_roll
from sluice.sequence.errors import DataError

NOTE = "<note><pitch><step>C</step><octave>4</octave></pitch><duration>{}</duration></note>"
END = b"\x00\xff\x2f\x00"


def _write_score(folder: Path, *bars: str, head: str = "<divisions>4</divisions>") -> Path:
    bars = (f"<attributes>{head}</attributes>{bars[0]}", *bars[1:])
    measures = "".join(f'<measure number="{n}">{bar}</measure>' for n, bar in enumerate(bars, 1))
    path = folder / "a.musicxml"
    path.write_text(f'<score-partwise><part id="P">{measures}</part></score-partwise>')
    return path


def _write_midi(folder: Path, events: bytes, division: int = 480, kind: int = 1) -> Path:
    path = folder / "a.mid"
    head = b"MThd" + struct.pack(">IHHH", 6, kind, 1, division)
    path.write_bytes(head + b"MTrk" + struct.pack(">I", len(events) + 4) + events + END)
    return path


def _key(pitch: int, delta: bytes, channel: int = 0) -> bytes:
    return bytes([0, 0x90 | channel, pitch, 80]) + delta + bytes([0x80 | channel, pitch, 0])


QUARTER = b"\x83\x60"  # 480 ticks


@pytest.mark.parametrize(
    ("head", "bar", "message"),
    [
        ("<divisions>1e999999999</divisions>", NOTE.format(4), "divisions '1e9999999"),
        ("<divisions>1000000000</divisions>", NOTE.format(4), "a number below 10\\^9"),
        ("<divisions>4</divisions>", NOTE.format("1e99999999"), "a duration of '1e99999999'"),
        ("<divisions>4</divisions>", NOTE.format("-1e300"), "a duration of '-1e300'"),
        ("<divisions>4</divisions>", NOTE.format(-4), "a duration of -1 quarter"),
        (
            "<divisions>4</divisions><time><beats>9999999</beats><beat-type>4</beat-type></time>",
            NOTE.format(4),
            "a meter of 1e\\+07/4",
        ),
        (
            "<divisions>4</divisions><time><beats>4</beats><beat-type>0</beat-type></time>",
            NOTE.format(4),
            "a meter of 4/0",
        ),
        (
            "<divisions>4</divisions><transpose><chromatic>1e9</chromatic></transpose>",
            NOTE.format(4),
            "chromatic '1e9'",
        ),
        ("<divisions>999999937</divisions>", NOTE.format(1), "fit no common division"),
    ],
)
def test_numbers_made_to_harm_are_refused_with_the_place(
    tmp_path: Path, head: str, bar: str, message: str
) -> None:
    with pytest.raises(DataError, match=f"measure 1 of part 1: .*{message}"):
        read_roll(_write_score(tmp_path, bar, head=head))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((_key(60, QUARTER), 0), "its head is incomplete"),
        ((_key(60, QUARTER), 480, 2), r"separate patterns \(format 2\)"),
        ((_key(60, QUARTER), 0xE728), r"timed by film frames \(SMPTE\)"),
        ((b"\x00\xff\x58\x04\x01\x07\x18\x08" + _key(60, QUARTER),), "which are too short"),
        ((b"\xff\xff\xff\x7f" + _key(60, b"\xff\xff\xff\x7f")[1:],), "a note at 559241"),
        ((_key(38, QUARTER, channel=9),), "without notes"),
    ],
)
def test_midi_without_quarter_notes_is_refused(
    tmp_path: Path, arguments: tuple[bytes], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_roll(_write_midi(tmp_path, *arguments))


def test_midi_of_tempo_zero_and_of_drums_is_read_with_a_remark(tmp_path: Path) -> None:
    remarks: list[str] = []
    events = b"\x00\xff\x51\x03\x00\x00\x00" + _key(60, QUARTER) + _key(38, QUARTER, channel=9)
    roll = read_roll(_write_midi(tmp_path, events), on_remark=remarks.append)
    assert roll.tempo is None
    assert [note.pitch for note in roll.list_notes()] == [60]
    assert remarks == ["1 note of drums left out, the first at quarter note 1"]


def _pack(*files: tuple[str, str], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, text in files:
            archive.writestr(name, text)
    return buffer.getvalue()


def test_packed_scores_that_are_damaged_are_refused(tmp_path: Path) -> None:
    text = _write_score(tmp_path, *[NOTE.format(16)] * 50).read_text()
    entities = '<!DOCTYPE a [<!ENTITY b "c">]><container/>'
    files = {
        "deflate": _pack(("s.xml", text)),
        "lzma": _pack(("s.xml", text), compression=zipfile.ZIP_LZMA),
    }
    files = {name: packed[:60] + b"\xff" * 40 + packed[100:] for name, packed in files.items()}
    files |= {
        "cut": _pack(("s.xml", text))[:150],
        "bomb": _pack(("s.xml", " " * (65 << 20))),
        "entities": _pack(("META-INF/container.xml", entities), ("s.xml", text)),
    }
    for name, packed in files.items():
        path = tmp_path / f"{name}.mxl"
        path.write_bytes(packed)
        with pytest.raises(DataError, match=r"damaged packed score|larger than 64 MiB"):
            read_roll(path)
    away = tmp_path / "away.mxl"
    away.write_bytes(_pack(("../../s.xml", text)))
    assert len(read_roll(away).list_notes()) == 50  # nothing is unpacked to a disk


def test_entities_are_found_in_every_encoding(tmp_path: Path) -> None:
    plain = _write_score(tmp_path, NOTE.format(4)).read_text()
    path = tmp_path / "b.xml"
    path.write_bytes(plain.encode("utf-16"))
    assert len(read_roll(path).list_notes()) == 1
    path.write_bytes(('<!DOCTYPE a [<!ENTITY b "c">]>' + plain).encode("utf-16"))
    with pytest.raises(DataError, match="defines XML entities"):
        read_roll(path)


def test_the_shortest_note_has_a_step(tmp_path: Path) -> None:
    remarks: list[str] = []
    path = _write_score(tmp_path, NOTE.format(1), head="<divisions>64</divisions>")
    roll = read_roll(path, on_remark=remarks.append)
    assert len(roll) == 1 and roll.states[0, 60] == 2
    assert remarks == ["1 note moved to the grid, the first at quarter note 0"]
