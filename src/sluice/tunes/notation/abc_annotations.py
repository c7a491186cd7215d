"""What ABC music says besides the notes, read: annotations by event, and words below the lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from sluice.tunes.notation.abc_symbols import BarLineSymbol, GapSymbol, SoundSymbol, Symbol
from sluice.tunes.notation.annotations import (
    Annotation,
    Annotations,
    balance_slurs,
    split_items,
    transpose_annotation,
)
from sluice.tunes.notation.lyrics import (
    AlignedLine,
    LyricLine,
    SungNote,
    align_syllables,
    align_symbols,
    collect_verses,
)
from sluice.tunes.notation.remarks import Remark
from sluice.tunes.theory.keys import Key, Pitch

_GRACE_PART = re.compile(r"([_^=]*[A-Ga-g][,']*)(\d*/*\d*)|[\[\]]")


class AnnotationCollector:
    """Annotations that wait for the note that they belong to."""

    def __init__(self) -> None:
        self.before: list[str] = []
        self.after_chord = ""
        self.open_slurs = 0

    def add_quoted(self, text: str) -> None:
        """A chord symbol or words, in quotation marks."""
        if text[1:-1].strip():
            self.before.append(text)

    def add_decoration(self, text: str) -> None:
        """A decoration, `+trill+` taken as `!trill!`; a lone `!` and a space (`y`) are none."""
        name = text.strip("!+")
        if len(text) > 1 and text[0] in "!+":
            self.before += [f"!{name}!"] if name else []
        elif text[0] not in "!y":
            self.before.append(text)

    def add_grace(self, text: str, resolve: Callable[[str], Pitch]) -> None:
        """Grace notes, spelt as they sound; what else stands in their braces is left out."""
        inner = text[1:-1].strip()
        parts = [
            resolve(match[1]).token + match[2] if match[1] else match[0]
            for match in _GRACE_PART.finditer(inner)
        ]
        if any(part not in "[]" for part in parts):
            self.before.append("{" + "/" * inner.startswith("/") + "".join(parts) + "}")

    def open_slur(self) -> None:
        """A slur, dotted where a dot stands just before it."""
        dotted = self.before[-1:] == ["."]
        if dotted:
            self.before.pop()
        self.before.append("." * dotted + "(")
        self.open_slurs += 1

    def close_slur(self) -> bool:
        """End a slur; whether one had begun. One around grace notes alone is left out."""
        was_open = self.open_slurs > 0
        self.open_slurs -= was_open
        pending = [place for place, text in enumerate(self.before) if text.endswith("(")]
        if pending:
            del self.before[pending[-1]]
        return was_open and not pending

    def drop_dot(self) -> None:
        """The dot of a dotted tie belongs to no note."""
        if self.before[-1:] == ["."]:
            self.before.pop()

    def take_before(self) -> str:
        """What stands before the note that comes now."""
        text = "".join(self.before)
        self.before.clear()
        return text

    def take_at_bar_line(self) -> str:
        """What belongs to the bar line that comes now, or to the note before it.

        Chord symbols and slurs belong to the next note.
        """
        return self._take_kinds("words", "decoration", "grace")

    def take_graces(self) -> str:
        """Grace notes that end a slur."""
        return self._take_kinds("grace")

    def _take_kinds(self, *kinds: str) -> str:
        items = split_items("".join(self.before))
        self.before = [item.text for item in items if item.kind not in kinds]
        return "".join(item.text for item in items if item.kind in kinds)


def collect_annotations(
    symbols: Sequence[Symbol], marks: Mapping[int, str], key: Key
) -> Annotations:
    """The annotations of all events, on a root of C, every slur with both its ends.

    `marks` stand before those of an event.
    """
    sounds = [symbol for symbol in symbols if isinstance(symbol, SoundSymbol | GapSymbol)]
    found = {
        event: Annotation(
            transpose_annotation(marks.get(event, "") + sound.before, *key.interval),
            transpose_annotation(sound.after, *key.interval),
        )
        for event, sound in enumerate(sounds)
        if sound.before or sound.after or event in marks
    }
    return balance_slurs(found) if found else Annotations()


def align_lines(
    symbols: Sequence[Symbol], lines: Sequence[AlignedLine]
) -> tuple[tuple[tuple[str, ...], ...], dict[int, str], list[Remark]]:
    """Verses and, by event, what symbol lines (`s:`) put before the notes; with remarks.

    Lines that follow each other are verses of the music since the last such line.
    """
    if not lines:
        return (), {}, []
    notes, remarks = _list_notes(symbols), list[Remark]()
    words: list[LyricLine] = []
    marks: dict[int, str] = {}
    for letter in "ws":
        own = [line for line in lines if line.letter == letter]
        start, verse = 0, 0
        for last, line in pairwise([None, *own]):
            if line is None:
                continue
            if last is not None:
                repeats = last.symbols_before == line.symbols_before
                start, verse = (start, verse + 1) if repeats else (last.symbols_before, 0)
            here = [note for place, note in notes if start <= place < line.symbols_before]
            aligned = (
                align_syllables(line.text, here)
                if letter == "w"
                else align_symbols(line.text, here)
            )
            if aligned is None:
                remarks.append(Remark("a symbol line (s:) that is not understood", line.line))
                continue
            found, surplus = aligned
            if surplus:
                what = "words without a note (w:)" if letter == "w" else "symbols without a note"
                remarks.append(Remark(f"{what}, left out", line.line))
            if letter == "w":
                words.append(LyricLine(verse, found))
            else:
                marks.update((event, marks.get(event, "") + text) for event, text in found.items())
    num_events = sum(isinstance(symbol, SoundSymbol | GapSymbol) for symbol in symbols)
    return collect_verses(words, num_events), marks, remarks


def _list_notes(symbols: Sequence[Symbol]) -> list[tuple[int, SungNote]]:
    """The sounding notes with their places among the symbols, events and bars counted from 0."""
    found, event, bar = [], 0, 0
    is_empty = True
    for place, symbol in enumerate(symbols):
        if isinstance(symbol, BarLineSymbol):
            bar, is_empty = bar + (not is_empty), True
        elif isinstance(symbol, SoundSymbol | GapSymbol):
            if isinstance(symbol, SoundSymbol) and symbol.pitches:
                found.append((place, SungNote(event, bar)))
            event, is_empty = event + 1, False
    return found
