"""MusicXML, plain or packed: the notes, ties, bars and fermatas of a score in parts."""

from __future__ import annotations

import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from sluice.chorales.readers.contents import (
    MOST_QUARTERS,
    Omissions,
    ScoreContents,
    check_tempo,
)
from sluice.chorales.readers.endings import find_replaced_endings
from sluice.chorales.roll import RollBar, RollNote
from sluice.files import StrPath
from sluice.sequence.data.readers.file_kinds import require_regular_file
from sluice.sequence.data.report import make_read_error
from sluice.sequence.errors import DataError

_MOST_BYTES = 1 << 26
"""Of a score as text; the longest operas are smaller."""
_FINEST = 1_000_000
"""Of a quarter note: lengths that fit no common grid of so many parts are damage."""
_NUMBER = re.compile(r"[+-]?\d{1,9}(\.\d{1,9})?")
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_DAMAGES = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    ElementTree.ParseError,
    ArithmeticError,
    LookupError,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
)
"""What comes of a packed file that is damaged, or made to harm."""
_Meter = tuple[Fraction, int]
"""The length of a bar in quarter notes, and the lower number of its signature."""
_JUMPS = ("dacapo", "dalsegno", "tocoda")


def read_musicxml(path: StrPath) -> ScoreContents:
    """The notes of a score as they are written: at sounding pitch, repeats played once.

    Grace notes, cue notes, notes without a pitch, and all but the last ending of a repeat are left
    out; remarks say so, with the place.

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
        except _DAMAGES as error:
            raise DataError(f"{path} is a damaged packed score ({error}).") from None
    if len(text) > _MOST_BYTES:
        raise DataError(f"{path} is larger than {_MOST_BYTES >> 20} MiB, too much for a score.")
    return text


def _unzip(packed: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        names = [one for one in archive.namelist() if not one.startswith("META-INF")]
        if "META-INF/container.xml" in archive.namelist():
            with archive.open("META-INF/container.xml") as container:
                place = _parse_xml(container.read(1 << 16)).find(".//{*}rootfile")
            named = None if place is None else place.get("full-path")
            names = [named] if named in names else names
        scores = [one for one in names if one.lower().endswith((".xml", ".musicxml"))]
        if not scores:
            raise ValueError("it holds no score")
        with archive.open(scores[0]) as score:
            return score.read(_MOST_BYTES + 1)


def _parse_xml(text: bytes) -> Element:
    """The root of an XML text; one that defines entities is refused unread."""
    if b"<!ENTITY" in text.replace(b"\0", b""):  # in UTF-16 too
        raise ValueError("it defines XML entities, which scores do not need")
    return ElementTree.fromstring(text)


def _parse(path: Path, text: bytes) -> Element:
    try:
        return _parse_xml(text)
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise DataError(f"{path} is not MusicXML ({error}).") from None


def _read_score(root: Element) -> ScoreContents:
    contents = ScoreContents()
    names = {
        one.get("id"): (one.findtext("part-name") or "").strip() for one in root.iter("score-part")
    }
    parts, omissions = root.findall("part"), Omissions()
    lengths: list[Fraction] = []
    meters: list[_Meter] = []
    replaced = find_replaced_endings(parts)
    skipped = {number for ending in replaced for number in ending}
    for part in parts:  # a measure is as long as it is in its longest part
        reader = _PartReader(0, Omissions(), Omissions(), skipped)
        for number, length in enumerate(reader.measure(part)):
            if number == len(lengths):
                lengths.append(length)
            lengths[number] = max(lengths[number], length)
    starts = [Fraction(0)]
    for length in lengths:
        starts.append(starts[-1] + length)
    if starts[-1] > MOST_QUARTERS:
        raise _MusicXmlError(f"it lasts {float(starts[-1]):.0f} quarter notes.")
    for number, part in enumerate(parts):
        contents.parts.append(names.get(part.get("id"), ""))
        reader = _PartReader(number, omissions, contents.repeats, skipped, starts)
        for _ in reader.measure(part):
            pass
        contents.notes += reader.finish_notes()
        contents.fermatas += reader.fermatas
        contents.tempo = contents.tempo or reader.tempo
        meters += reader.meters[len(meters) :]  # of a part that is longer than the first
    contents.bars = _place_bars(starts, lengths, meters)
    for ending in replaced:
        place = parts[0].findall("measure")[ending.start].get("number", ending.start + 1)
        omissions.add("ending of a repeat", f"in measure {place}")
    contents.remarks = omissions.to_remarks()
    return contents


def _place_bars(
    starts: list[Fraction], lengths: list[Fraction], meters: list[_Meter]
) -> list[RollBar]:
    """The bars; a short first one is a pickup, two short ones in a row may be one that is cut."""
    bars: list[RollBar] = []
    for start, length, (meter, below) in zip(starts, lengths, meters, strict=False):
        if length == 0:
            continue
        offset = Fraction(0)
        if not bars and length < meter:
            offset = meter - length
        elif bars and length < meter and bars[-1].length < bars[-1].meter == meter:
            reached = bars[-1].offset + bars[-1].length
            offset = reached % meter if reached % meter + length <= meter else Fraction(0)
        bars.append(RollBar(start, length, offset, meter, below))
    return bars


class _PartReader:
    """Walks through a part: once for the lengths of its measures, once with their starts."""

    def __init__(
        self,
        number: int,
        omissions: Omissions,
        repeats: Omissions,
        skipped: set[int],
        starts: list[Fraction] | None = None,
    ) -> None:
        self.number, self.starts, self._skipped = number, starts, skipped
        self._omissions, self._repeats, self._place = omissions, repeats, ""
        self.meters: list[_Meter] = []
        self.fermatas: list[tuple[Fraction, Fraction]] = []
        self.tempo: float | None = None
        self._notes: list[RollNote] = []
        self._tied: dict[tuple[int, Fraction], RollNote] = {}
        self._divisions, self._transposition = Fraction(1), 0
        self._meter: _Meter = Fraction(4), 4

    def measure(self, part: Element) -> Iterator[Fraction]:
        """Read one measure after the other; yields the length of each."""
        for number, measure in enumerate(part.findall("measure")):
            start = self.starts[number] if self.starts else Fraction(0)
            self._place = f"measure {measure.get('number', number + 1)} of part {self.number + 1}"
            try:
                if number in self._skipped:
                    length = self._skip_measure(measure)
                else:
                    length = self._read_measure(measure, start)
            except (ValueError, ZeroDivisionError, OverflowError) as error:
                raise _MusicXmlError(f"{self._place}: {error}.") from None
            self.meters.append(self._meter)
            yield length

    def finish_notes(self) -> list[RollNote]:
        """All notes, those too whose tie leads nowhere."""
        return [*self._notes, *self._tied.values()]

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
                self._leave_out("grace note")
            elif element.tag == "note" and element.find("cue") is not None:
                self._leave_out("cue note")
                now += Fraction(0) if element.find("chord") is not None else self._duration(element)
            elif element.tag == "note":
                duration = self._duration(element)
                if element.find("chord") is None:
                    begin, now = now, now + duration
                self._read_note(element, start + begin, duration)
            elif element.tag == "barline":
                self._read_barline(element)
            longest = max(longest, now)
        if longest.denominator > _FINEST:
            raise ValueError("durations that fit no common division of a quarter note")
        return longest

    def _skip_measure(self, measure: Element) -> Fraction:
        for element in measure:
            if element.tag == "attributes":
                self._read_attributes(element)
            elif element.tag == "barline":
                self._read_barline(element)
        return Fraction(0)

    def _read_barline(self, element: Element) -> None:
        if element.find("repeat[@direction='backward']") is not None:
            self._note_repeat()

    def _read_attributes(self, element: Element) -> None:
        if (divisions := element.findtext("divisions")) is not None:
            self._divisions = _parse_number(divisions, "divisions")
            if self._divisions <= 0:
                raise ValueError("divisions must be above 0")
        time = element.find("time")
        if time is not None and time.find("beats") is not None:
            self._meter = _read_meter(time)
        transpose = element.find("transpose")
        if transpose is not None:
            octaves = _parse_number(transpose.findtext("octave-change") or "0", "octave-change")
            semitones = _parse_number(transpose.findtext("chromatic") or "0", "chromatic")
            self._transposition = _to_semitones(semitones + 12 * octaves)

    def _read_tempo(self, element: Element) -> None:
        sound = element if element.tag == "sound" else element.find("sound")
        if sound is None:
            return
        if any(sound.get(jump) for jump in _JUMPS):
            self._note_repeat()
        if self.tempo is None and (tempo := sound.get("tempo")):
            self.tempo = check_tempo(float(_parse_number(tempo, "a tempo of")))

    def _duration(self, element: Element) -> Fraction:
        text = element.findtext("duration") or "0"
        found = _parse_number(text, "a duration of") / self._divisions
        if not 0 <= found <= MOST_QUARTERS:
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
                self._leave_out("unpitched note")
            return
        step = (pitch.findtext("step") or "").strip()
        octave = _parse_number(pitch.findtext("octave") or "", "octave")
        alter = _parse_number(pitch.findtext("alter") or "0", "alter")
        if step not in _STEPS:
            raise ValueError(f"no note of the keyboard: step {step!r:.20}")
        number = _STEPS[step] + _to_semitones(alter + 12 * (octave + 1)) + self._transposition
        if not 0 <= number <= 127:
            raise ValueError(f"a pitch outside MIDI's, number {number}")
        ties = {tie.get("type") for tie in element.findall("tie")}
        self._add(RollNote(start, start + duration, number, self.number), ties)

    def _add(self, note: RollNote, ties: set[str | None]) -> None:
        """Join what is tied; a tie to a note that does not follow at once joins nothing."""
        before = self._tied.pop((note.pitch, note.start), None) if "stop" in ties else None
        if before is not None:
            note = note._replace(start=before.start)
        place = (note.pitch, note.end)
        if "start" in ties and place not in self._tied:
            self._tied[place] = note
        else:
            self._notes.append(note)

    def _leave_out(self, what: str) -> None:
        if self.starts is not None:
            self._omissions.add(what, f"in {self._place}")

    def _note_repeat(self) -> None:
        if self.starts is not None and self.number == 0:
            self._repeats.add("repeat", f"in {self._place}")


def _parse_number(text: str, what: str) -> Fraction:
    """A plain number; others, such as 1e999999999, are refused before they take time."""
    if not _NUMBER.fullmatch(text.strip()):
        raise ValueError(f"{what} {text.strip()!r:.20}, expected a number below 10^9")
    return Fraction(text.strip())


def _to_semitones(number: Fraction) -> int:
    if number.denominator != 1:
        raise ValueError(f"no note of the keyboard: {float(number):g} semitones")
    return int(number)


def _read_meter(time: Element) -> _Meter:
    """Of a meter such as 3/8 + 2/4 the sum, and the finer beat type."""
    meter, below = Fraction(0), 1
    pairs = zip(time.findall("beats"), time.findall("beat-type"), strict=False)
    for beats, kind in pairs:
        count = sum(_parse_number(one, "beats") for one in (beats.text or "").split("+"))
        of = _parse_number(kind.text or "", "beat-type")
        if of not in (1, 2, 4, 8, 16, 32, 64, 128) or not 0 < count <= 1000:
            raise ValueError(f"a meter of {float(count):g}/{float(of):g}")
        meter, below = meter + 4 * count / of, max(below, int(of))
    if not meter:
        raise ValueError("a meter without its beats or beat-type")
    return meter, below
