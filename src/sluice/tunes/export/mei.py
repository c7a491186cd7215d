"""A tune's score in MEI, the encoding that Verovio engraves natively.

Elements are those of MEI 5 (https://music-encoding.org/guidelines/v5); spelling, beams, ties,
tuplets, endings, chords and the tempo are said outright, so that nothing is left to guess.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import groupby
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

from sluice.tunes.errors import TuneError
from sluice.tunes.export.harmony import name_chords
from sluice.tunes.export.mei_annotations import AnnotationWriter, beam_graces
from sluice.tunes.export.mei_page import add_page_text
from sluice.tunes.notation import score
from sluice.tunes.notation.abc_symbols import tuplet_time
from sluice.tunes.notation.score import Bar, Event
from sluice.tunes.notation.transcription import Transcription
from sluice.tunes.theory.dances import beam_length
from sluice.tunes.theory.keys import AccidentalTracker, Pitch

_BARS_PER_LINE = Fraction(18, 5)
"""So many bars fill a line; an upbeat and its complement leave a little less than four."""
_SHORTEST = Fraction(1, 16)
_SIGNS = {-2: "ff", -1: "f", 0: "n", 1: "s", 2: "x"}


def to_mei(tune: Transcription) -> str:
    """The score of a tune, in its key, as MEI.

    Raises:
        InvalidTokensError: the tokens are no valid tune.
        TuneError: a note's length that has no sign.
    """
    mei = Element("mei", {"xmlns": "http://www.music-encoding.org/ns/mei", "meiversion": "5.0"})
    titles = SubElement(SubElement(SubElement(mei, "meiHead"), "fileDesc"), "titleStmt")
    SubElement(titles, "title").text = tune.title
    music = SubElement(mei, "music")
    inner = SubElement(SubElement(SubElement(music, "body"), "mdiv"), "score")
    _add_head(SubElement(inner, "scoreDef"), tune)
    _SectionWriter(SubElement(inner, "section"), tune).write()
    return tostring(mei, encoding="unicode")


def _add_head(definition: Element, tune: Transcription) -> None:
    add_page_text(definition, tune)
    staff = SubElement(SubElement(definition, "staffGrp"), "staffDef", n="1", lines="5")
    SubElement(staff, "clef", shape="G", line="2")
    sharps = tune.key.sharps
    SubElement(staff, "keySig", sig=f"{abs(sharps)}{'s' if sharps > 0 else 'f'}" if sharps else "0")
    _add_meter(staff, tune.meter)


def _add_meter(parent: Element, meter: str) -> None:
    count, unit = meter.split("/")
    SubElement(parent, "meterSig", count=count, unit=unit)


class _LayerItem(NamedTuple):
    """Something in a bar: where it begins, whether a beam may hold it, its element, and grace
    notes before it."""

    onset: Fraction
    short: bool
    element: Element
    graces: Sequence[Element] = ()


class _SectionWriter:
    def __init__(self, section: Element, tune: Transcription) -> None:
        self.section, self.tune, self.bars = section, tune, tune.score.bars
        self.annotations = AnnotationWriter(
            tune, name_chords(tune.score, tune), self._build_grace_note
        )
        self.ends: dict[int, str] = {}
        self.measures: list[tuple[Element, range]] = []
        self.meter, self.is_tied, self.event_index = tune.meter, False, 0
        self.interval = tune.interval
        self.accidentals = AccidentalTracker(tune.key.signature)

    def write(self) -> None:
        parent, filled, number = self.section, Fraction(0), 0
        ending: tuple[int, ...] = ()
        for place, bar in enumerate(self.bars):
            if bar.ending != ending:
                ending = bar.ending
                parent = self._add_ending(ending) if ending else self.section
            if filled >= _BARS_PER_LINE and not self._is_second_ending(place):
                SubElement(parent, "sb")
                filled = Fraction(0)
            number += not self._completes_bar(place)
            self._add_measure(parent, place, number)
            filled += bar.duration / bar.length
        for measure, events in self.measures:
            self.annotations.add_marks(measure, events, self.ends)

    def _completes_bar(self, place: int) -> bool:
        """Whether a bar has no number of its own: an upbeat, or what fills up a short bar."""
        bar, before = self.bars[place], self.bars[place - 1]
        if place == 0:
            return bar.duration < bar.length
        return before.duration < bar.length and before.duration + bar.duration <= bar.length

    def _add_ending(self, ending: Sequence[int]) -> Element:
        name = ", ".join(map(str, ending))
        return SubElement(self.section, "ending", n=name, label=f"{name}.", lendsym="angledown")

    def _is_second_ending(self, place: int) -> bool:
        """Whether an ending begins that stands beside the one before, on the same line."""
        before = self.bars[place - 1].ending if place else ()
        return bool(before and self.bars[place].ending) and before != self.bars[place].ending

    def _add_measure(self, parent: Element, place: int, number: int) -> None:
        bar = self.bars[place]
        tokens = self.tune.tokens[bar.start : bar.stop]
        for token in tokens:
            if (match := score.METER.fullmatch(token)) and match[1] != self.meter:
                self.meter = match[1]
                _add_meter(SubElement(parent, "scoreDef"), self.meter)
        lines = self._bar_line_attributes(place)
        measure = SubElement(parent, "measure", {"n": str(number), **lines})
        if bar.duration != bar.length:
            measure.set("metcon", "false")
        layer = SubElement(SubElement(measure, "staff", n="1"), "layer", n="1")
        self.accidentals.start_bar()
        self._add_beams(layer, list(self._build_items(bar, tokens)))
        first = self.event_index - len(bar.events)
        self.measures.append((measure, range(first, self.event_index)))

    def _bar_line_attributes(self, place: int) -> dict[str, str]:
        bar, last = self.bars[place], place == len(self.bars) - 1
        double = not last and (bar.is_double or self.bars[place + 1].opens)
        right = "rptend" if bar.closes else "end" if last else "dbl" if double else ""
        lines = {"right": right} if right else {}
        return {**lines, "left": "rptstart"} if bar.opens else lines

    def _build_items(self, bar: Bar, tokens: Sequence[str]) -> Iterator[_LayerItem]:
        """Notes, chords and rests of a bar, those of a tuplet together in one."""
        now, events = Fraction(0), iter(bar.events)
        inside: Element | None = None
        left, factor, start, short = 0, Fraction(1), now, True
        tuplet_graces: list[Element] = []
        for pitches in self._spell_events(tokens):
            if isinstance(pitches, str):
                inside, left, factor = self._build_tuplet(pitches)
                start, short = now, True
                continue
            event = next(events)
            graces = self.annotations.build_graces(self.event_index)
            if inside is not None and not len(inside):
                tuplet_graces, graces = graces, []
            for onset, value, element in self._build_signs(event, pitches, now, factor):
                if inside is None:
                    yield _LayerItem(onset, bool(pitches) and value < 2, element, graces)
                else:
                    inside.extend([*graces, element])
                    short = short and bool(pitches) and value < 2
                graces = []
            now += event.duration
            if inside is not None and (left := left - 1) == 0:
                yield _LayerItem(start, short, inside, tuplet_graces)
                inside, factor = None, Fraction(1)

    def _spell_events(self, tokens: Sequence[str]) -> Iterator[str | list[Pitch]]:
        """Each event's pitches in the tune's key, none for a rest; a tuplet's token as it is."""
        chord: list[Pitch] | None = None
        for token in tokens:
            if token == "[":
                chord = []
            elif token == "]":
                yield chord or []
                chord = None
            elif score.TUPLET.fullmatch(token):
                yield token
            elif token == "z":
                yield []
            elif token != "-" and not (score.DURATION.fullmatch(token) or token[:2] == "M:"):
                pitch = Pitch.parse(token)[0].transpose(*self.interval)
                if chord is None:
                    yield [pitch]
                else:
                    chord.append(pitch)

    def _build_tuplet(self, token: str) -> tuple[Element, int, Fraction]:
        match = score.TUPLET.fullmatch(token)
        assert match is not None
        notes = int(match[1])
        time = int(match[2] or tuplet_time(notes, self.meter))
        element = Element("tuplet", {"num": str(notes), "numbase": str(time)})
        element.set("num.format", "count")
        return element, int(match[3] or notes), Fraction(time, notes)

    def _build_signs(
        self, event: Event, pitches: Sequence[Pitch], now: Fraction, factor: Fraction
    ) -> Iterator[tuple[Fraction, Fraction, Element]]:
        """The signs that an event is written with, tied together: place, value, element."""
        values = list(_split_duration(event.duration / factor))
        for number, (value, dots) in enumerate(values):
            going_on = number < len(values) - 1 or event.is_tied
            element = self._build_sign(pitches, going_on)
            element.set("dur", str(int(8 / value)))
            if dots:
                element.set("dots", str(dots))
            if number == 0:
                self.annotations.mark_first(self.event_index, element, sounds=bool(pitches))
            if number == len(values) - 1:
                self.ends[self.event_index] = self.annotations.mark_last(self.event_index, element)
            yield now, value, element
            now += value * (2 - Fraction(1, 2**dots)) * factor
            self.is_tied = going_on and bool(pitches)
        self.event_index += 1

    def _build_sign(self, pitches: Sequence[Pitch], going_on: bool) -> Element:
        tie = {(True, True): "m", (True, False): "t", (False, True): "i"}.get(
            (self.is_tied, going_on)
        )
        notes = [self._build_note(pitch, tie) for pitch in pitches]
        if len(notes) == 1:
            return notes[0]
        element = Element("chord" if notes else "rest")
        element.extend(notes)
        return element

    def _build_note(self, pitch: Pitch, tie: str | None) -> Element:
        note = Element("note", pname=pitch.letter.lower(), oct=str(4 + pitch.step // 7))
        if not self.is_tied and self.accidentals.needs_sign(pitch):
            note.set("accid", _SIGNS[pitch.alter])
        elif pitch.alter:
            note.set("accid.ges", _SIGNS[pitch.alter])
        if tie:
            note.set("tie", tie)
        return note

    def _build_grace_note(self, pitch: Pitch) -> Element:
        note = Element("note", pname=pitch.letter.lower(), oct=str(4 + pitch.step // 7))
        if self.accidentals.needs_grace_sign(pitch):
            note.set("accid", _SIGNS[pitch.alter])
        elif pitch.alter:
            note.set("accid.ges", _SIGNS[pitch.alter])
        return note

    def _add_beams(self, layer: Element, items: Sequence[_LayerItem]) -> None:
        """Notes shorter than a quarter are beamed within a beat.

        Grace notes have a beam of their own unless they stand within one.
        """
        step = beam_length(self.meter)
        for (_, short), group in groupby(items, lambda item: (item.onset // step, item.short)):
            inside = list(group)
            several = len(inside) > 1 or inside[0].element.tag == "tuplet"
            parent = layer
            for item in inside:
                if parent is layer:
                    layer.extend(map(beam_graces, item.graces))
                    parent = SubElement(layer, "beam") if short and several else layer
                else:
                    parent.extend(item.graces)
                parent.append(item.element)


def _split_duration(duration: Fraction) -> Iterator[tuple[Fraction, int]]:
    """Undotted values (in eighths) and dots that add up to a duration, the longest first.

    Raises:
        TuneError: a length that no signs make up.
    """
    left, value = duration, Fraction(16)
    while left:
        if value < _SHORTEST:
            raise TuneError(f"A note of {duration} eighths cannot be written in a score.")
        if value > left:
            value /= 2
            continue
        dots = next(d for d in (2, 1, 0) if value * (2 - Fraction(1, 2**d)) <= left)
        yield value, dots
        left -= value * (2 - Fraction(1, 2**dots))
