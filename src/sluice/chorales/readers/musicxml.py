"""MusicXML, plain or packed: the notes, ties, bars and fermatas of a score in parts."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from sluice.chorales.roll import RollBar, RollNote
from sluice.files import StrPath
from sluice.sequence.data.readers.file_kinds import require_regular_file
from sluice.sequence.data.report import make_read_error
from sluice.sequence.errors import DataError

_MOST_BYTES = 1 << 26
"""Of a score as text; the longest operas are smaller."""
_MOST_QUARTERS = 100_000
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@dataclass
class ScoreContents:
    """What a score holds: notes with ties joined, bars, fermatas, the tempo, what was left out.

    Times are in quarter notes; `parts` are the names of the parts, from the first.
    """

    notes: list[RollNote] = field(default_factory=list)
    bars: list[RollBar] = field(default_factory=list)
    fermatas: list[tuple[Fraction, Fraction]] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    tempo: float | None = None
    remarks: list[str] = field(default_factory=list)


def read_musicxml(path: StrPath) -> ScoreContents:
    """The notes of a score as they are written: at sounding pitch, repeats played once.

    Grace notes and notes without a pitch are left out, and a remark says so.

    Raises:
        DataError: not a file of MusicXML, one in which measures come before parts
            (score-timewise), a damaged one, or one without notes.
    """
    path = Path(path)
    root = _parse(path, _unpack(path))
    if root.tag == "score-timewise":
        raise DataError(
            f"{path} is MusicXML by measures (score-timewise), which is not read; save it as "
            "score-partwise, the usual kind."
        )
    if root.tag != "score-partwise":
        raise DataError(f"{path} is XML but no score in MusicXML: it begins with <{root.tag}>.")
    try:
        contents = _read_score(root)
    except _MusicXmlError as error:
        raise DataError(f"{path} is damaged MusicXML: {error}") from None
    if not contents.notes:
        raise DataError(f"{path} is MusicXML without notes.")
    return contents


def count_parts(path: StrPath) -> int:
    """The parts that a score lists, without reading the notes.

    Raises:
        DataError: a file that cannot be read.
    """
    return len(re.findall(rb"<score-part[ >]", _unpack(Path(path))))


class _MusicXmlError(DataError):
    """What is wrong in a score."""


def _unpack(path: Path) -> bytes:
    """The score as text; of a packed file, the one that its container names."""
    require_regular_file(path)
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise make_read_error(path, error) from None
    if text.startswith(b"PK"):
        try:
            text = _unzip(text)
        except (zipfile.BadZipFile, OSError, EOFError, ValueError, KeyError, NotImplementedError,
                RuntimeError, ElementTree.ParseError) as error:  # fmt: skip
            raise DataError(f"{path} is a damaged packed score ({error}).") from None
    if len(text) > _MOST_BYTES:
        raise DataError(f"{path} is larger than {_MOST_BYTES >> 20} MiB, too much for a score.")
    return text


def _unzip(packed: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        names = [one for one in archive.namelist() if not one.startswith("META-INF")]
        if "META-INF/container.xml" in archive.namelist():
            with archive.open("META-INF/container.xml") as container:
                place = ElementTree.fromstring(container.read(1 << 16)).find(".//{*}rootfile")
            named = None if place is None else place.get("full-path")
            names = [named] if named in names else names
        scores = [one for one in names if one.lower().endswith((".xml", ".musicxml"))]
        if not scores:
            raise ValueError("it holds no score")
        with archive.open(scores[0]) as score:
            return score.read(_MOST_BYTES + 1)


def _parse(path: Path, text: bytes) -> Element:
    if b"<!ENTITY" in text:
        raise DataError(f"{path} defines XML entities, which scores do not need; it is not read.")
    try:
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise DataError(f"{path} is not MusicXML ({error}).") from None


def _read_score(root: Element) -> ScoreContents:
    contents = ScoreContents()
    names = {
        one.get("id"): (one.findtext("part-name") or "").strip() for one in root.iter("score-part")
    }
    parts = root.findall("part")
    lengths: list[Fraction] = []
    for part in parts:  # a measure is as long as it is in its longest part
        for number, length in enumerate(_PartReader(0).measure(part)):
            if number == len(lengths):
                lengths.append(length)
            lengths[number] = max(lengths[number], length)
    starts = [Fraction(0)]
    for length in lengths:
        starts.append(starts[-1] + length)
    if starts[-1] > _MOST_QUARTERS:
        raise _MusicXmlError(f"it lasts {float(starts[-1]):.0f} quarter notes.")
    for number, part in enumerate(parts):
        contents.parts.append(names.get(part.get("id"), ""))
        reader = _PartReader(number, starts)
        for _ in reader.measure(part):
            pass
        contents.notes += reader.finish_notes()
        contents.fermatas += reader.fermatas
        contents.tempo = contents.tempo or reader.tempo
        contents.remarks += [one for one in reader.list_remarks() if one not in contents.remarks]
        if number == 0:
            contents.bars = _place_bars(starts, lengths, reader.meters)
    return contents


def _place_bars(
    starts: list[Fraction], lengths: list[Fraction], meters: list[Fraction]
) -> list[RollBar]:
    """The bars; a short first one is a pickup, two short ones in a row may be one that is cut."""
    bars: list[RollBar] = []
    for start, length, meter in zip(starts, lengths, meters, strict=False):
        if length == 0:
            continue
        offset = Fraction(0)
        if not bars and length < meter:
            offset = meter - length
        elif bars and length < meter and bars[-1].length < bars[-1].meter == meter:
            reached = bars[-1].offset + bars[-1].length
            offset = reached % meter if reached % meter + length <= meter else Fraction(0)
        bars.append(RollBar(start, length, offset, meter))
    return bars


class _PartReader:
    """Walks through a part: once for the lengths of its measures, once with their starts."""

    def __init__(self, number: int, starts: list[Fraction] | None = None) -> None:
        self.number, self.starts = number, starts
        self.meters: list[Fraction] = []
        self.fermatas: list[tuple[Fraction, Fraction]] = []
        self.tempo: float | None = None
        self._notes: list[RollNote] = []
        self._tied: dict[int, RollNote] = {}
        self._divisions, self._transposition = Fraction(1), 0
        self._meter = Fraction(4)
        self._left_out: dict[str, int] = {}

    def measure(self, part: Element) -> Iterator[Fraction]:
        """Read one measure after the other; yields the length of each."""
        for number, measure in enumerate(part.findall("measure")):
            start = self.starts[number] if self.starts else Fraction(0)
            try:
                length = self._read_measure(measure, start)
            except (ValueError, ZeroDivisionError, OverflowError) as error:
                where = f"measure {measure.get('number', number + 1)} of part {self.number + 1}"
                raise _MusicXmlError(f"{where}: {error}.") from None
            self.meters.append(self._meter)
            yield length

    def finish_notes(self) -> list[RollNote]:
        """All notes, those too whose tie leads nowhere."""
        return [*self._notes, *self._tied.values()]

    def list_remarks(self) -> list[str]:
        return [f"{count} {what} left out" for what, count in self._left_out.items()]

    def _read_measure(self, measure: Element, start: Fraction) -> Fraction:
        now = begin = longest = Fraction(0)
        for element in measure:
            if element.tag == "attributes":
                self._read_attributes(element)
            elif element.tag in ("backup", "forward"):
                now += self._duration(element) * (1 if element.tag == "forward" else -1)
                if now < 0:
                    raise ValueError("a backup leads before its measure")
            elif element.tag in ("direction", "sound"):
                self._read_tempo(element)
            elif element.tag == "note" and element.find("grace") is not None:
                self._leave_out("grace notes")
            elif element.tag == "note" and element.find("cue") is not None:
                self._leave_out("cue notes")
                now += Fraction(0) if element.find("chord") is not None else self._duration(element)
            elif element.tag == "note":
                duration = self._duration(element)
                if element.find("chord") is None:
                    begin, now = now, now + duration
                self._read_note(element, start + begin, duration)
            longest = max(longest, now)
        return longest

    def _read_attributes(self, element: Element) -> None:
        if (divisions := element.findtext("divisions")) is not None:
            self._divisions = Fraction(divisions.strip())
            if self._divisions <= 0:
                raise ValueError("divisions must be above 0")
        time = element.find("time")
        if time is not None and time.findtext("beats") is not None:
            beats = sum(int(one) for one in (time.findtext("beats") or "").split("+"))
            self._meter = Fraction(4 * beats, int(time.findtext("beat-type") or "4"))
            if self._meter <= 0:
                raise ValueError("a meter must be above 0")
        transpose = element.find("transpose")
        if transpose is not None:
            octaves = int(transpose.findtext("octave-change") or "0")
            self._transposition = int(transpose.findtext("chromatic") or "0") + 12 * octaves

    def _read_tempo(self, element: Element) -> None:
        sound = element if element.tag == "sound" else element.find("sound")
        if sound is not None and self.tempo is None and (tempo := sound.get("tempo")):
            self.tempo = float(tempo) if 1 <= float(tempo) <= 1000 else None

    def _duration(self, element: Element) -> Fraction:
        found = Fraction((element.findtext("duration") or "0").strip()) / self._divisions
        if not 0 <= found <= _MOST_QUARTERS:
            raise ValueError(f"a duration of {float(found):g} quarter notes")
        return found

    def _read_note(self, element: Element, start: Fraction, duration: Fraction) -> None:
        if self.starts is None or duration == 0:
            return
        if element.find("notations/fermata") is not None:
            self.fermatas.append((start, start + duration))
        pitch = element.find("pitch")
        if pitch is None:
            if element.find("unpitched") is not None:
                self._leave_out("notes without a pitch")
            return
        step, octave = (pitch.findtext("step") or "").strip(), pitch.findtext("octave") or ""
        alter = float(pitch.findtext("alter") or "0")
        if step not in _STEPS or alter != int(alter):
            raise ValueError(f"no note of the keyboard: step {step!r}, alter {alter:g}")
        number = _STEPS[step] + int(alter) + 12 * (int(octave) + 1) + self._transposition
        if not 0 <= number <= 127:
            raise ValueError(f"a pitch outside MIDI's, number {number}")
        ties = {tie.get("type") for tie in element.findall("tie")}
        self._add(RollNote(start, start + duration, number, self.number), ties)

    def _add(self, note: RollNote, ties: set[str | None]) -> None:
        """Join what is tied; a tie to a note that does not follow at once joins nothing."""
        before = self._tied.get(note.pitch)
        if "stop" in ties and before is not None and before.end == note.start:
            del self._tied[note.pitch]
            note = note._replace(start=before.start)
        elif before is not None:
            self._notes.append(self._tied.pop(note.pitch))
        if "start" in ties:
            self._tied[note.pitch] = note
        else:
            self._notes.append(note)

    def _leave_out(self, what: str) -> None:
        if self.starts is not None:
            self._left_out[what] = self._left_out.get(what, 0) + 1
