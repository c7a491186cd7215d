"""MusicXML, MIDI and piano rolls as rolls; music21's own reader is the oracle for its corpus."""

from __future__ import annotations

import json
import zipfile
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import mido
import numpy as np
import pytest

from sluice.chorales.corpus import load_chorales, split_chorales
from sluice.chorales.errors import ChoraleError
from sluice.chorales.parts import separate_voices
from sluice.chorales.readers.files import read_roll, read_rolls
from sluice.chorales.roll import RollBar, RollNote, make_roll
from sluice.chorales.score import to_musicxml
from sluice.chorales.sound import to_midi
from sluice.sequence.errors import DataError

SCORE = """<?xml version="1.0"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 3.0 Partwise//EN" "partwise.dtd">
<score-partwise><part-list><score-part id="A"><part-name>Clarinet</part-name></score-part>
</part-list><part id="A">
<measure number="0" implicit="yes"><attributes><divisions>2</divisions>
<time><beats>3</beats><beat-type>4</beat-type></time>
<transpose><chromatic>-2</chromatic></transpose></attributes>
<note><pitch><step>D</step><octave>4</octave></pitch><duration>2</duration>
<tie type="start"/></note></measure>
<measure number="1">
<note><pitch><step>D</step><octave>4</octave></pitch><duration>2</duration>
<tie type="stop"/></note>
<note><pitch><step>D</step><octave>4</octave></pitch><duration>1</duration></note>
<note><chord/><pitch><step>F</step><alter>1</alter><octave>4</octave></pitch>
<duration>1</duration></note>
<note><grace/><pitch><step>E</step><octave>4</octave></pitch></note>
<note><rest/><duration>3</duration></note>
<backup><duration>2</duration></backup>
<note><pitch><step>A</step><octave>3</octave></pitch><duration>2</duration>
<notations><fermata/></notations></note>
</measure></part></score-partwise>
"""


def _list(path: Path) -> list[tuple[float, float, int]]:
    notes = read_roll(path).list_notes()
    return [(float(one.start), float(one.end), one.pitch) for one in notes]


def test_a_score_is_read_as_it_sounds(tmp_path: Path) -> None:
    path = tmp_path / "tune.musicxml"
    path.write_text(SCORE)
    expected = [(0.0, 2.0, 60), (2.0, 2.5, 60), (2.0, 2.5, 64), (3.0, 4.0, 55)]
    assert _list(path) == expected
    roll = read_roll(path)
    # The pickup is the third quarter note of its bar.
    assert roll.places[::4].tolist() == [8, 0, 4, 8]
    assert roll.fermatas.nonzero()[0].tolist() == [12, 13, 14, 15]
    assert (
        "1 grace note left out, the first in measure 1 of part 1"
        in read_rolls([path]).load_report.to_text()
    )
    packed = tmp_path / "tune.mxl"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("tune.xml", SCORE)
    assert _list(packed) == expected


@pytest.mark.parametrize("name", ["bwv10.7", "bwv269"])
def test_chorales_are_those_that_music21_reads(name: str) -> None:
    music21 = pytest.importorskip("music21")
    path = Path(music21.__file__).parent / "corpus" / "bach" / f"{name}.mxl"
    parsed = music21.converter.parse(path, forceSource=True)
    expected = set()
    for part in parsed.stripTies().parts:
        for note in part.flatten().notes:
            start, length = Fraction(note.offset), Fraction(note.quarterLength)
            expected |= {(float(start), float(start + length), p.midi) for p in note.pitches}
    from sluice.chorales.readers.musicxml import read_musicxml

    found = {(float(n.start), float(n.end), n.pitch) for n in read_musicxml(path).notes}
    assert found == expected


def test_ties_meters_and_uneven_parts_are_those_that_music21_reads(tmp_path: Path) -> None:
    music21 = pytest.importorskip("music21")

    def write(pitch: str, length: int, tie: str = "", voice: int = 1) -> str:
        step, octave = pitch
        tied = f'<tie type="{tie}"/>' if tie else ""
        return (
            f"<note><pitch><step>{step}</step><octave>{octave}</octave></pitch>"
            f"<duration>{length}</duration>{tied}"
            f"<voice>{voice}</voice></note>"
        )

    head = "<attributes><divisions>4</divisions><time>{}</time></attributes>"
    meter = head.format(
        "<beats>3</beats><beat-type>8</beat-type><beats>2</beats><beat-type>4</beat-type>"
    )
    back = "<backup><duration>14</duration></backup>"
    upper = [
        meter
        + write("C5", 14, "start")
        + back
        + write("A4", 4, voice=2)
        + write("E4", 10, voice=2),
        write("C5", 14, "stop") + back + write("G4", 14, "start", 2),
    ]
    lower = [meter + write("C3", 14), write("D3", 14), write("E3", 14)]
    parts = "".join(
        f'<part id="P{k}">'
        + "".join(f'<measure number="{n}">{bar}</measure>' for n, bar in enumerate(bars, 1))
        + "</part>"
        for k, bars in enumerate((upper, lower))
    )
    listed = "".join(f'<score-part id="P{k}"><part-name/></score-part>' for k in range(2))
    text = f"<score-partwise><part-list>{listed}</part-list>{parts}</score-partwise>"
    path = tmp_path / "a.musicxml"
    path.write_text(text)
    expected = set()
    for part in music21.converter.parse(text, format="musicxml").stripTies().parts:
        for note in part.flatten().notes:
            start, length = float(note.offset), float(note.quarterLength)
            expected |= {(start, start + length, p.midi) for p in note.pitches}
    from sluice.chorales.readers.musicxml import read_musicxml

    contents = read_musicxml(path)
    assert {(float(n.start), float(n.end), n.pitch) for n in contents.notes} == expected
    # A lower voice that strikes the tied pitch does not take its tie (music21 lets it).
    struck = text.replace("<step>A</step><octave>4", "<step>C</step><octave>5")
    path.write_text(struck)
    assert {(0.0, 7.0, 72), (0.0, 1.0, 72)} <= {
        (float(n.start), float(n.end), n.pitch) for n in read_musicxml(path).notes
    }
    assert [(float(bar.start), float(bar.meter)) for bar in contents.bars] == [
        (0.0, 3.5),
        (3.5, 3.5),
        (7.0, 3.5),
    ]


def test_repeats_are_played_once_and_a_remark_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.musicxml"
    sign = '<barline location="right"><repeat direction="backward"/></barline></measure></part>'
    path.write_text(SCORE.replace("</measure></part>", sign))
    remarks: list[str] = []
    read_roll(path, on_remark=remarks.append)
    assert "1 repeat played once, the first in measure 1 of part 1" in remarks
    assert "Repeats are played once; 1 piece with some." in read_rolls([path]).load_report.notes


def _write_measures(path: Path, *measures: str) -> Path:
    """A part of measures in 6/8, in which 2 is a quarter note."""
    time = "<time><beats>6</beats><beat-type>8</beat-type></time>"
    head = f"<attributes><divisions>2</divisions>{time}</attributes>"
    numbered = enumerate((head + measures[0], *measures[1:]), 1)
    text = "".join(f'<measure number="{number}">{one}</measure>' for number, one in numbered)
    path.write_text(
        '<score-partwise><part-list><score-part id="A"/></part-list>'
        f'<part id="A">{text}</part></score-partwise>'
    )
    return path


def _note(step: str, duration: int, more: str = "") -> str:
    pitch = f"<pitch><step>{step}</step><octave>4</octave></pitch>"
    return f"<note>{pitch}<duration>{duration}</duration>{more}</note>"


def _end(number: str, kind: str, more: str = "") -> str:
    return f'<barline><ending number="{number}" type="{kind}"/>{more}</barline>'


def test_of_several_endings_the_last_is_read(tmp_path: Path) -> None:
    back = '<repeat direction="backward"/>'
    path = _write_measures(
        tmp_path / "a.musicxml",
        _note("C", 6, '<tie type="start"/>'),
        _end("1, 2", "start") + _note("D", 6),
        _note("E", 6) + _end("1, 2", "stop", back),
        _end("3", "start") + _note("C", 6, '<tie type="stop"/>') + _end("3", "discontinue"),
        _note("G", 6),
        _end("1", "start") + _note("A", 6) + _end("1", "stop", back),
        _note("B", 6),
    )
    remarks: list[str] = []
    read_roll(path, on_remark=remarks.append)
    # The tie leads over the first ending; an ending that no other follows is read.
    assert _list(path) == [(0, 6, 60), (6, 9, 67), (9, 12, 69), (12, 15, 71)]
    assert remarks == [
        "1 ending of a repeat left out, the first in measure 2",
        "2 repeats played once, the first in measure 3 of part 1",
    ]


def test_meters_of_equal_length_are_told_apart(tmp_path: Path) -> None:
    path = _write_measures(
        tmp_path / "a.musicxml",
        _note("C", 1) * 6,
        "<attributes><time><beats>3</beats><beat-type>4</beat-type></time></attributes>"
        + _note("C", 6),
        "<attributes><time><beats>3+2</beats><beat-type>8</beat-type></time></attributes>"
        + _note("C", 5),
    )
    parts = separate_voices(read_roll(path))
    score = ElementTree.fromstring(to_musicxml(parts))
    times = [(time.findtext("beats"), time.findtext("beat-type")) for time in score.iter("time")]
    assert times[:3] == [("6", "8"), ("3", "4"), ("5", "8")]
    beams = [note.findtext("beam") for note in score.findall("part[1]/measure[1]/note")]
    assert beams == ["begin", "continue", "end"] * 2
    assert _list_signs(score, 2) == [("half", 1)] and _list_signs(score, 3)[:2] == [
        ("half", 0),
        ("eighth", 0),
    ]
    (tmp_path / "b.mid").write_bytes(to_midi(parts))
    played = mido.MidiFile(tmp_path / "b.mid").tracks[0]
    meters = [(m.numerator, m.denominator) for m in played if m.type == "time_signature"]
    assert meters == [(6, 8), (3, 4), (5, 8)]
    again = read_roll(tmp_path / "b.mid")
    assert [again.read_meter(step) for step in (0, 12, 24)] == [(6, 8), (3, 4), (5, 8)]


def _list_signs(score: ElementTree.Element, measure: int) -> list[tuple[str | None, int]]:
    notes = score.findall(f"part[1]/measure[{measure}]/note")
    return [(note.findtext("type"), len(note.findall("dot"))) for note in notes]


@pytest.mark.parametrize(
    ("lengths", "signs"),
    [
        # Over the middle of 6/8 a note is two signs with a tie; a whole bar is one.
        ([2, 2, 2], [("quarter", 0), ("eighth", 0), ("eighth", 0), ("quarter", 0)]),
        ([6], [("half", 1)]),
        ([5, 1], [("quarter", 1), ("quarter", 0), ("eighth", 0)]),
        ([1, 5], [("eighth", 0), ("quarter", 0), ("quarter", 1)]),
        ([3, 3], [("quarter", 1), ("quarter", 1)]),
    ],
)
def test_signs_of_six_eight_show_its_two_beats(
    lengths: list[int], signs: list[tuple[str, int]], tmp_path: Path
) -> None:
    bar = "".join(_note("CDE"[k], length) for k, length in enumerate(lengths))
    path = _write_measures(tmp_path / "a.musicxml", bar)
    score = to_musicxml(separate_voices(read_roll(path)))
    assert _list_signs(ElementTree.fromstring(score), 1) == signs
    (tmp_path / "b.musicxml").write_text(score)
    assert _list(tmp_path / "b.musicxml") == _list(path)


def test_midi_notes_without_an_end_are_reported(tmp_path: Path) -> None:
    file = mido.MidiFile(ticks_per_beat=480)
    for first in (60, 70):
        track = mido.MidiTrack()
        file.tracks.append(track)
        track.append(mido.Message("note_on", note=first, time=480))
        track.append(mido.Message("sysex", data=[0x10, 0x3C]))
        track.append(mido.Message("note_on", note=first + 1, time=480))
        track.append(mido.Message("note_on", note=first, velocity=0, time=480))
        track.append(mido.Message("note_on", note=40, channel=9, time=0))
    path = tmp_path / "a.mid"
    file.save(path)
    remarks: list[str] = []
    roll = read_roll(path, on_remark=remarks.append)
    assert [note.pitch for note in roll.list_notes()] == [60, 70]
    assert remarks == ["2 notes without an end left out, the first at quarter note 2"]


def test_midi_notes_are_struck_once_and_held(tmp_path: Path) -> None:
    file = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    file.tracks.append(track)
    track.append(mido.MetaMessage("time_signature", numerator=3, denominator=4))
    track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(90)))
    for kind, note, time in (
        ("note_on", 60, 0), ("note_on", 64, 480), ("note_off", 60, 480), ("note_on", 60, 0),
        ("note_off", 60, 480), ("note_off", 64, 0),
    ):  # fmt: skip
        track.append(mido.Message(kind, note=note, time=time))
    path = tmp_path / "a.mid"
    file.save(path)
    roll = read_roll(path)
    assert _list(path) == [(0.0, 2.0, 60), (1.0, 3.0, 64), (2.0, 3.0, 60)]
    assert roll.meters[0] == 12 and roll.tempo == pytest.approx(90)
    struck = [tuple(one) for one in np.argwhere(roll.states == 2).tolist()]
    assert struck == [(0, 60), (4, 64), (8, 60)]


def test_piano_rolls_keep_their_split_and_say_nothing_of_struck_notes(tmp_path: Path) -> None:
    path = tmp_path / "rolls.json"
    rolls = {"train": [[[60, 64], [60]]], "valid": [[[62]]], "test": [[[64], [-1]]]}
    path.write_text(json.dumps(rolls))
    split = split_chorales(read_rolls([path]))
    assert [len(part) for part in (split.training, split.validation, split.test)] == [1, 1, 1]
    assert np.argwhere(split.training[0].states).tolist() == [[0, 60], [0, 64], [1, 60]]
    assert not split.training[0].strikes
    (tmp_path / "b.musicxml").write_text(SCORE)
    with pytest.raises(DataError, match="give the JSON file alone"):
        read_rolls([tmp_path])


def test_transposed_settings_of_a_melody_stand_on_one_side() -> None:
    bars = [RollBar(Fraction(0), Fraction(20), Fraction(0), Fraction(4))]
    steps = np.random.default_rng(0).integers(-5, 6, (12, 19)).cumsum(axis=1) + 66
    rolls = []
    for line in steps:
        for shift in (0, 3):
            notes = [
                RollNote(Fraction(k), Fraction(k + 1), int(p) + shift) for k, p in enumerate(line)
            ]
            rolls.append(make_roll(notes, bars))
    from sluice.chorales.readers.files import RollCollection

    split = split_chorales(RollCollection(tuple(rolls)), validation=0.25, test=0.25)
    sides = [split.training, split.validation, split.test]
    assert [len(side) for side in sides] == [12, 6, 6]
    for side in sides:
        lines = [np.diff([n.pitch for n in roll.list_notes()]).tolist() for roll in side]
        assert all(lines.count(line) == 2 for line in lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<html/>", "begins with <html>"),
        ("no xml", "is not MusicXML"),
        ("<score-timewise/>", "save it as score-partwise"),
        ("<score-partwise/>", "without notes"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><score-partwise/>', "defines XML entities"),
        (SCORE.replace("<duration>2", "<duration>x"), "measure 0 of part 1"),
        (SCORE.replace("<octave>3", "<octave>99"), "pitch outside MIDI's"),
        (SCORE.replace("<divisions>2", "<divisions>0"), "divisions must be above 0"),
        (SCORE.replace("<backup><duration>2", "<backup><duration>99"), "backup leads before"),
    ],
)
def test_what_is_no_score_is_refused_with_the_place(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "a.xml"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_roll(path)


def test_bars_that_do_not_fit_the_grid_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    text = SCORE.replace("<beats>3</beats><beat-type>4", "<beats>5</beats><beat-type>32")
    path.write_text(text)
    with pytest.raises(ChoraleError, match="choose another grid"):
        read_roll(path)
    with pytest.raises(DataError, match="No piece could be read"):
        load_chorales([path])


def test_the_clock_counts_the_quarters_to_a_fermata() -> None:
    bars = [RollBar(Fraction(4 * k), Fraction(4), Fraction(0), Fraction(4)) for k in range(4)]
    notes = [RollNote(Fraction(0), Fraction(16), 60)]
    marks = [(Fraction(6), Fraction(7)), (Fraction(9), Fraction(10)), (Fraction(15), Fraction(16))]
    roll = make_roll(notes, bars, grid=4, fermatas=marks)
    expected = np.zeros((64, 4))
    for step in range(64):
        quarter = step // 4
        if quarter not in (6, 9, 15):
            left = next(begin for begin in (6, 9, 15) if begin > quarter) - quarter
            if left <= 4:
                expected[step, left - 1] = 1
    np.testing.assert_array_equal(roll.clock()[:, 11:], expected)
