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
from sluice.tunes.notation.text_escapes import decode_text
from sluice.tunes.notation.transcription import Transcription
from sluice.tunes.theory.dances import FREE_METER, beam_length
from sluice.tunes.theory.keys import AccidentalTracker, Pitch

_BARS_PER_LINE = Fraction(18, 5)
"""So many bars fill a line; an upbeat and its complement leave a little less than four."""
_MAX_BARS_PER_LINE = Fraction(24, 5)
_EVENTS_PER_BAR, _CHARACTERS_PER_BAR = 20, 18
"""So many notes, or characters of the words below them, fill the place of an ordinary bar."""
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
    if meter == FREE_METER:
        SubElement(parent, "meterSig", form="invis")
        return
    count, unit = meter.split("/")
    SubElement(parent, "meterSig", count=count, unit=unit)


class _LayerItem(NamedTuple):
    """Something in a bar: where it begins, whether a beam may hold it, its element, and the grace
    notes before and after it."""

    onset: Fraction
    short: bool
    element: Element
    graces: Sequence[Element] = ()
    graces_after: Sequence[Element] = ()


class _SectionWriter:
    def __init__(self, section: Element, tune: Transcription) -> None:
        self.section, self.tune, self.bars = section, tune, tune.score.bars
        self.annotations = AnnotationWriter(
            tune, name_chords(tune.score, tune), self._build_grace_note
        )
        self.ends: dict[int, str] = {}
        self.measures: list[tuple[Element, range]] = []
        self.meter, self.event_index = tune.meter, 0
        self.tied_pitches: frozenset[int] = frozenset()
        self.interval = tune.interval
        self.accidentals = AccidentalTracker(tune.key.signature)

    def write(self) -> None:
        parent, filled, number = self.section, Fraction(0), 0
        ending: tuple[int, ...] = ()
        for place, bar in enumerate(self.bars):
            if bar.ending != ending:
                ending = bar.ending
                parent = self._add_ending(ending) if ending else self.section
            width = self._measure_width(bar)
            is_full = filled >= _BARS_PER_LINE or filled + width > _MAX_BARS_PER_LINE
            if filled and is_full and not self._is_second_ending(place):
                SubElement(parent, "sb")
                filled = Fraction(0)
            number += not self._completes_bar(place)
            self._add_measure(parent, place, number)
            filled += width
        for measure, events in self.measures:
            self.annotations.add_marks(measure, events, self.ends)

    def _measure_width(self, bar: Bar) -> Fraction:
        """How many ordinary bars' place a bar takes, with its notes and the words below them."""
        events = range(self.event_index, self.event_index + len(bar.events))
        characters = self.annotations.count_characters(events)
        return max(
            bar.duration / bar.length,
            Fraction(len(bar.events), _EVENTS_PER_BAR),
            Fraction(characters, _CHARACTERS_PER_BAR),
        )

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
        for label in (label for label, start in self.tune.parts if start == place):
            SubElement(measure, "reh", tstamp="0", staff="1", place="above").text = decode_text(
                label
            )
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
            signs = list(self._build_signs(event, pitches, now, factor))
            after = self.annotations.build_graces(self.event_index - 1, "post")
            for number, (onset, value, element) in enumerate(signs):
                is_short = bool(pitches) and value < 2
                around = (graces if number == 0 else [], after if number == len(signs) - 1 else [])
                if inside is None:
                    yield _LayerItem(onset, is_short, element, *around)
                else:
                    inside.extend([*around[0], element, *around[1]])
                    short = short and is_short
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
            inside = number < len(values) - 1
            going_on = frozenset(event.pitches if inside else event.tied_pitches)
            element = self._build_sign(pitches, event.pitches, going_on)
            element.set("dur", str(int(8 / value)))
            if dots:
                element.set("dots", str(dots))
            if number == 0:
                self.annotations.mark_first(self.event_index, element, sounds=bool(pitches))
            if number == len(values) - 1:
                self.ends[self.event_index] = self.annotations.mark_last(self.event_index, element)
            yield now, value, element
            now += value * (2 - Fraction(1, 2**dots)) * factor
            self.tied_pitches = going_on
        self.event_index += 1

    def _build_sign(
        self, pitches: Sequence[Pitch], numbers: Sequence[int], going_on: frozenset[int]
    ) -> Element:
        """A note, chord or rest: its spelling, its MIDI numbers, and those tied to the next."""
        notes = [
            self._build_note(pitch, number in self.tied_pitches, number in going_on)
            for pitch, number in zip(pitches, numbers, strict=True)
        ]
        if len(notes) == 1:
            return notes[0]
        element = Element("chord" if notes else "rest")
        element.extend(notes)
        return element

    def _build_note(self, pitch: Pitch, is_tied: bool, going_on: bool) -> Element:
        note = Element("note", pname=pitch.letter.lower(), oct=str(4 + pitch.step // 7))
        if not is_tied and self.accidentals.needs_sign(pitch):
            note.set("accid", _SIGNS[pitch.alter])
        elif pitch.alter:
            note.set("accid.ges", _SIGNS[pitch.alter])
        if is_tied or going_on:
            note.set("tie", "m" if is_tied and going_on else "t" if is_tied else "i")
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
            beam = short and several
            parent = layer
            for place, item in enumerate(inside):
                outside = [not beam or place == end for end in (0, len(inside) - 1)]
                before = map(beam_graces, item.graces) if outside[0] else item.graces
                after = map(beam_graces, item.graces_after) if outside[1] else item.graces_after
                (layer if outside[0] else parent).extend(before)
                if beam and place == 0:
                    parent = SubElement(layer, "beam")
                parent.append(item.element)
                (layer if outside[1] else parent).extend(after)


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
