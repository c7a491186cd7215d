"""Annotations and words of a tune in MEI: what stands at a note, and what refers to one.

Signs are those that ABC 2.1 names (section 4.14); `U:` fields give others their meaning. A sign
that MEI has none for is written as words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from xml.etree.ElementTree import Element, SubElement

from sluice.tunes.notation.annotations import Annotation, list_slurs, parse_grace, split_items
from sluice.tunes.notation.header_fields import Fields, find_values
from sluice.tunes.notation.text_escapes import decode_text
from sluice.tunes.notation.transcription import Transcription
from sluice.tunes.theory.keys import Pitch

_MEANINGS = {
    ".": "staccato",
    "~": "roll",
    "H": "fermata",
    "L": "accent",
    "M": "lowermordent",
    "O": "coda",
    "P": "uppermordent",
    "S": "segno",
    "T": "trill",
    "u": "upbow",
    "v": "downbow",
}
_ARTICULATIONS = {
    "staccato": "stacc",
    "accent": "acc",
    "emphasis": "acc",
    ">": "acc",
    "tenuto": "ten",
    "marcato": "marc",
    "^": "marc",
    "wedge": "stacciss",
    "upbow": "upbow",
    "downbow": "dnbow",
    "open": "open",
    "snap": "snap",
    "+": "stop",
    "plus": "stop",
}
_SIGNS: dict[str, tuple[str, dict[str, str]]] = {
    "roll": ("turn", {"form": "upper"}),
    "turn": ("turn", {"form": "upper"}),
    "invertedturn": ("turn", {"form": "lower"}),
    "trill": ("trill", {}),
    "mordent": ("mordent", {"form": "lower"}),
    "lowermordent": ("mordent", {"form": "lower"}),
    "uppermordent": ("mordent", {"form": "upper"}),
    "pralltriller": ("mordent", {"form": "upper"}),
    "fermata": ("fermata", {}),
    "invertedfermata": ("fermata", {"form": "inv", "place": "below"}),
    "segno": ("repeatMark", {"func": "segno"}),
    "coda": ("repeatMark", {"func": "coda"}),
    "breath": ("breath", {}),
    "arpeggio": ("arpeg", {}),
}
_DYNAMICS = re.compile(r"p{1,4}|f{1,4}|m[pf]|sfz?")
_HAIRPINS = {"crescendo": "cres", "<": "cres", "diminuendo": "dim", ">": "dim"}
_WORDS = {
    "fine": "Fine",
    "D.C.": "D.C.",
    "D.S.": "D.S.",
    "dacapo": "Da Capo",
    "dacoda": "Da Coda",
    "D.C.alfine": "D.C. al Fine",
    "D.C.alcoda": "D.C. al Coda",
    "D.S.alfine": "D.S. al Fine",
    "D.S.alcoda": "D.S. al Coda",
}
_ID = "{http://www.w3.org/XML/1998/namespace}id"
_USER_SYMBOL = re.compile(r"([~H-Wh-w])\s*=\s*[!+]?([^!+\s]+)[!+]?")
_SYLLABLE_END = re.compile(r"(?<!\\)-$")


class AnnotationWriter:
    """Puts annotations and words into the elements of notes and measures.

    Args:
        tune: the tune.
        chords: chord names by event, that are not among its annotations.
        build_note: a note of a pitch in the written key, with the accidental that it needs.
    """

    def __init__(
        self, tune: Transcription, chords: Mapping[int, str], build_note: Callable[[Pitch], Element]
    ) -> None:
        self.annotations = tune.written_annotations
        self.chords, self.lyrics, self.build_note = chords, tune.lyrics, build_note
        self.meanings = {**_MEANINGS, **_find_user_symbols(tune.fields)}
        self.slurs = list_slurs(self.annotations)
        self.hairpins: dict[str, Element] = {}
        self.held: dict[int, Element] = {}
        self.open_words: set[int] = set()

    def build_graces(self, event: int, attach: str = "pre") -> list[Element]:
        """The grace notes before an event, or after it (`post`)."""
        before, after = self.annotations.get(event, Annotation())
        return [
            self._build_grace_group(text, attach)
            for kind, text in split_items(before if attach == "pre" else after)
            if kind == "grace"
        ]

    def _build_grace_group(self, text: str, attach: str) -> Element:
        has_stroke, pitches = parse_grace(text)
        group = Element("graceGrp", {"attach": attach})
        for pitch in pitches:
            note = self.build_note(pitch)
            note.set("grace", "unacc" if has_stroke else "acc")
            note.set("dur", "8" if len(pitches) == 1 else "16")
            if has_stroke and len(pitches) == 1:
                note.set("stem.mod", "1slash")
            group.append(note)
        return group

    def mark_first(self, event: int, sign: Element, *, sounds: bool) -> None:
        """Give the first sign of an event its name, articulations and syllables."""
        sign.set(_ID, f"e{event}")
        names = [self._name(text) for kind, text in self._iterate(event) if kind == "decoration"]
        articulations = dict.fromkeys(_ARTICULATIONS[n] for n in names if n in _ARTICULATIONS)
        if articulations:
            sign.set("artic", " ".join(articulations))
        if not sounds:
            return
        for number, verse in enumerate(self.lyrics):
            self._add_syllable(sign, number, verse[event] if event < len(verse) else "")

    def mark_last(self, event: int, sign: Element) -> str:
        """Name the last sign of an event, where slurs end; returns its name."""
        if sign.get(_ID) is None:
            sign.set(_ID, f"e{event}e")
        return str(sign.get(_ID))

    def _add_syllable(self, sign: Element, number: int, text: str) -> None:
        if text == "_" and number in self.held:
            self.held[number].set("con", "u")
        if text in ("_", "-"):
            return
        self.held.pop(number, None)
        if not text:
            return
        verse = SubElement(sign, "verse", n=str(number + 1))
        syllable = SubElement(verse, "syl")
        goes_on = _SYLLABLE_END.search(text) is not None
        syllable.text = decode_text((text[:-1] if goes_on else text).replace("~", "\u00a0"))
        begun = number in self.open_words
        place = {(False, True): "i", (True, True): "m", (True, False): "t"}.get((begun, goes_on))
        if place:
            syllable.set("wordpos", place)
        if goes_on:
            syllable.set("con", "d")
            self.open_words.add(number)
        else:
            self.open_words.discard(number)
            self.held[number] = syllable

    def count_characters(self, events: range) -> int:
        """How long the words below these events are, at each the longest of all verses."""
        return sum(
            1 + max((len(v[event]) for v in self.lyrics if event < len(v)), default=-1)
            for event in events
        )

    def add_marks(self, measure: Element, events: range, ends: Mapping[int, str]) -> None:
        """What refers to the events of a measure; `ends` names the last sign of each."""
        for event in events:
            self._add_event_marks(measure, event, ends, is_first=event == events[0])

    def _add_event_marks(
        self, measure: Element, event: int, ends: Mapping[int, str], is_first: bool
    ) -> None:
        start = {"startid": f"#e{event}", "staff": "1"}
        at_bar_line = {"tstamp": "0", "staff": "1"} if is_first else start
        if event in self.chords:
            _add_words(measure, "harm", self.chords[event], start)
        for kind, text in self._iterate(event):
            if kind == "chord":
                _add_words(measure, "harm", text[1:-1], start)
            elif kind == "words":
                place = "below" if text[1] == "_" else "above"
                shown = re.sub(r"^@[^ ]* |^[\^_<>@]", "", text[1:-1])
                _add_words(measure, "dir", decode_text(shown), start, place)
            elif kind == "decoration":
                name = self._name(text)
                here = at_bar_line if name in ("segno", "coda") else start
                self._add_sign(measure, name, here, f"#{ends.get(event, '')}")
        for first, last in self.slurs:
            if first == event and last in ends and first != last:
                SubElement(measure, "slur", {**start, "endid": f"#{ends[last]}"})

    def _add_sign(self, measure: Element, name: str, start: dict[str, str], end: str) -> None:
        if name in _SIGNS:
            tag, attributes = _SIGNS[name]
            SubElement(measure, tag, {"place": "above", **start, **attributes})
        elif _DYNAMICS.fullmatch(name):
            _add_words(measure, "dynam", name, start, "below")
        elif name.isdecimal() and len(name) == 1:
            _add_words(measure, "fing", name, start)
        elif name[:-1] in _HAIRPINS and name[-1] in "()":
            form = _HAIRPINS[name[:-1]]
            if name[-1] == "(":
                self.hairpins[form] = SubElement(
                    measure, "hairpin", {**start, "form": form, "place": "below"}
                )
            elif form in self.hairpins:
                self.hairpins.pop(form).set("endid", end)
        elif name not in _ARTICULATIONS and (name in _WORDS or len(name) > 1):
            _add_words(measure, "dir", _WORDS.get(name, name), start, "above")

    def _iterate(self, event: int) -> Iterator[tuple[str, str]]:
        for text in self.annotations.get(event, ()):
            yield from split_items(text)

    def _name(self, decoration: str) -> str:
        plain = decoration[1:-1] if decoration[0] == "!" else decoration
        name = self.meanings.get(plain, plain)
        return name.lower() if name.lower() in _SIGNS or name.lower() in _WORDS else name


def beam_graces(group: Element) -> Element:
    """Grace notes that stand outside any beam, several joined by one of their own."""
    if len(group) > 1:
        beam = Element("beam")
        beam.extend(list(group))
        group[:] = [beam]
    return group


def _find_user_symbols(fields: Fields) -> dict[str, str]:
    matches = (_USER_SYMBOL.match(value) for value in find_values(fields, "U"))
    return {match[1]: match[2] for match in matches if match}


def _add_words(
    measure: Element, tag: str, text: str, start: Mapping[str, str], place: str = "above"
) -> None:
    element = SubElement(measure, tag, {**start, "place": place})
    # Verovio sets these two in a font of its own and in another place.
    element.text = text.replace("♯", "#").replace("♭", "b")
