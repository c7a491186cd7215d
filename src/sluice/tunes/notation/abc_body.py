"""Lines of ABC music read into symbols: what sounds and for how long, bars, tuplets, meters.

Accidentals, key signatures, clefs, ties, broken rhythm, macros and unit note lengths are resolved
here; grace notes, decorations, chord symbols and slurs are kept. Of several voices the first is
read. Durations are exact and in eighths.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from sluice.tunes.errors import AbcSyntaxError
from sluice.tunes.notation.abc_annotations import AnnotationCollector
from sluice.tunes.notation.abc_fields import parse_key, parse_meter, parse_unit
from sluice.tunes.notation.abc_header import Header
from sluice.tunes.notation.abc_lines import Line, is_prose
from sluice.tunes.notation.abc_pitches import PitchResolver
from sluice.tunes.notation.abc_symbols import (
    ANY,
    BARE_ENDING,
    IGNORED_SYMBOLS,
    LEXERS,
    BarLineSymbol,
    GapSymbol,
    MeterSymbol,
    Music,
    PartLabel,
    SoundSymbol,
    Symbol,
    TupletSymbol,
    add_bar_line,
    count_rest_bars,
    explain_fault,
    is_double,
    leaves_ending_open,
    parse_length,
    tuplet_time,
)
from sluice.tunes.notation.annotations import transpose_annotation
from sluice.tunes.notation.header_fields import KEPT_LETTERS
from sluice.tunes.notation.lyrics import AlignedLine
from sluice.tunes.notation.macros import expand_macros, parse_macro
from sluice.tunes.notation.remarks import Remark
from sluice.tunes.notation.voices import VoiceFilter
from sluice.tunes.theory.dances import bar_length
from sluice.tunes.theory.keys import Pitch


def read_music(header: Header, lines: Sequence[Line], gaps: bool = False) -> Music:
    """The symbols of a tune's music in order, and the meter that it begins in.

    A `*` is a gap if `gaps`, else it means nothing.

    Raises:
        AbcSyntaxError: something that cannot be read.
    """
    reader = _AbcBodyReader(header, lines, gaps)
    for line in lines:
        reader.read_line(line)
    return reader.finish()


class _AbcBodyReader:
    def __init__(self, header: Header, lines: Sequence[Line], gaps: bool) -> None:
        self.symbols: list[Symbol] = []
        self.parts: list[PartLabel] = []
        self.remarks: list[Remark] = []
        self.gaps = gaps
        self.unit, self.meter, self.first_meter = header.unit_length, header.meter, header.meter
        self.macros = list(header.macros)
        self.voices = VoiceFilter(header.voices, lines)
        staff = header.staff.update(self.voices.staff)
        self.pitches = PitchResolver(header.key.signature, staff)
        self.in_overlay = False
        self.chord: list[tuple[Pitch, Fraction]] | None = None
        self.chord_ties: list[Pitch] = []
        self.broken = ""
        self.annotations = AnnotationCollector()
        self.lines_below: list[AlignedLine] = []
        self.tempos: list[tuple[str, int]] = []
        self.line = 0

    def read_line(self, line: Line) -> None:
        self.line = line.number
        if line.field is not None:
            self._set_field(*line.field)
            return
        if not self.voices.is_skipping and is_prose(line.text):
            self._add_remark("a line of words, left out")
            return
        text = expand_macros(line.text, self.macros, line.number) if self.macros else line.text
        place = 0
        while place < len(text):
            place = self._read_symbol(text, place)
        if self.chord is not None:
            raise self._make_error("a chord that is not closed")

    def finish(self) -> Music:
        if self.broken:
            raise self._make_error("a broken rhythm with no second note")
        self._append_after(self.annotations.take_at_bar_line() + self.annotations.take_before())
        return Music(
            self.first_meter,
            tuple(self.symbols),
            tuple(self.lines_below),
            tuple(self.parts),
            tuple(self.remarks),
            tuple(self.tempos),
        )

    def _make_error(self, reason: str) -> AbcSyntaxError:
        return AbcSyntaxError(reason, self.line)

    def _add_remark(self, kind: str) -> None:
        self.remarks.append(Remark(kind, self.line))

    def _read_symbol(self, text: str, place: int) -> int:
        """Read one symbol of `text` and return where the next begins."""
        if self.voices.is_skipping:
            return self._skip_voice(text, place)
        found = ANY.match(text, place)
        if self.in_overlay:
            if found is None:
                return place + 1
            if found.lastgroup not in ("bar", "field"):
                return found.end()
        elif found is None:
            raise self._make_error(explain_fault(text, place))
        assert found is not None
        name = str(found.lastgroup)
        if name in IGNORED_SYMBOLS:
            return found.end()
        match = LEXERS[name].match(text, place)
        assert match is not None
        if name == "bar":
            return self._read_bar(text, match)
        handler: Callable[[re.Match[str]], None] = getattr(self, f"_read_{name}")
        handler(match)
        return match.end()

    def _skip_voice(self, text: str, place: int) -> int:
        """The place of the next voice in this line, or the line's end."""
        match = self.voices.FIELD.search(text, place)
        if match is None:
            return len(text)
        self._set_field("V", match[1])
        return match.end()

    def _read_overlay(self, match: re.Match[str]) -> None:
        if self.chord is not None:
            raise self._make_error("a chord that is not closed")
        self.in_overlay = True
        self._add_remark("an overlay (&), left out")

    def _read_field(self, match: re.Match[str]) -> None:
        self._set_field(match[1], match[2].strip())

    def _set_field(self, letter: str, value: str) -> None:
        if letter == "V":
            self._change_voice(value)
        elif self.voices.is_skipping:
            return
        elif letter == "K":
            self._change_key(value)
        elif letter == "L":
            self.unit = parse_unit(value, self.line, self.meter)
        elif letter == "M":
            self._change_meter(parse_meter(value, self.line))
        elif letter == "P":
            num_sounds = sum(isinstance(s, SoundSymbol | GapSymbol) for s in self.symbols)
            self.parts.append(PartLabel(value, num_sounds, self.line))
        elif letter in ("w", "s"):
            self.lines_below.append(AlignedLine(letter, value, len(self.symbols), self.line))
        elif letter == "m":
            self.macros.append(parse_macro(value, self.line))
        elif letter == "Q" and not any(isinstance(s, SoundSymbol) for s in self.symbols):
            self.tempos.append((value, self.line))
        elif letter not in KEPT_LETTERS:
            self._add_remark(f"a field within the tune ({letter}:), left out")

    def _change_voice(self, value: str) -> None:
        self.in_overlay = False
        staff = self.voices.enter(value, self.line)
        if staff is None:
            if self.voices.is_new:
                self._add_remark("another voice (V:), left out")
        else:
            self.pitches.staff = self.pitches.staff.update(staff)

    def _change_key(self, value: str) -> None:
        field = parse_key(value, self.line)
        if field.key is not None:
            self.pitches.signature = field.key.signature
        self.pitches.staff = self.pitches.staff.update(field.staff)
        if field.unknown:
            self._add_remark("words after a key (K:) that mean nothing, left out")

    def _change_meter(self, meter: str) -> None:
        if not any(isinstance(symbol, SoundSymbol | TupletSymbol) for symbol in self.symbols):
            self.first_meter = meter
        elif meter != self.meter:
            self.symbols.append(MeterSymbol(meter, self.line))
        self.meter = meter

    def _read_bar(self, text: str, match: re.Match[str]) -> int:
        """A bar line, joined to one just before it, and the ending number that touches it."""
        if self.chord is not None:
            raise self._make_error("a chord that is not closed")
        if self.broken:
            raise self._make_error("a broken rhythm with no second note")
        self.pitches.start_bar()
        self.in_overlay = False
        if self.symbols and isinstance(self.symbols[-1], SoundSymbol):
            self._append_after(self.annotations.take_at_bar_line())
        sign = match[0]
        bar = BarLineSymbol(self.line, sign[0] == ":", sign[-1] == ":", is_double=is_double(sign))
        add_bar_line(self.symbols, bar)
        bare = BARE_ENDING.match(text, match.end())
        if bare is None:
            return match.end()
        self._read_ending(bare)
        return bare.end()

    def _read_colon(self, match: re.Match[str]) -> None:
        """A colon that follows a bar line over a line break or a field opens a repeat."""
        if self.symbols and not isinstance(self.symbols[-1], BarLineSymbol):
            raise self._make_error("a colon that belongs to no bar line")
        add_bar_line(self.symbols, BarLineSymbol(self.line, opens=True))

    def _read_ending(self, match: re.Match[str]) -> None:
        digits = re.findall(r"\d", match[1])
        if "-" in match[1]:
            digits = [str(number) for number in range(int(digits[0]), int(digits[-1]) + 1)]
        if not digits:
            raise self._make_error(f"the ending {match[1]}, which counts backwards")
        self.pitches.start_bar()
        closes = leaves_ending_open(self.symbols, int(digits[0]))
        if closes:
            self._add_remark("an ending with no :| before the next, read as if it had one")
        add_bar_line(self.symbols, BarLineSymbol(self.line, closes, ending=",".join(digits)))

    def _read_number(self, match: re.Match[str]) -> None:
        """A number that follows a bar line over a line break is an ending."""
        if not self.symbols or not isinstance(self.symbols[-1], BarLineSymbol):
            raise self._make_error(f"{match[0]!r}, which means nothing here")
        self._read_ending(match)

    def _read_tuplet(self, match: re.Match[str]) -> None:
        notes = int(match[1])
        if notes < 2:
            raise self._make_error(f"a tuplet of {notes}")
        time = int(match[2] or tuplet_time(notes, self.meter))
        reach = int(match[3] or notes)
        if not time or not reach:
            raise self._make_error(f"the tuplet {match[0]}, which takes no time")
        self.symbols.append(TupletSymbol(notes, time, reach, self.line))

    def _read_note(self, match: re.Match[str]) -> None:
        pitch, duration = (
            self._resolve_pitch(match[1]),
            self._parse_length(match[0], *match.groups()[1:]),
        )
        if self.chord is None:
            self._add_sound((pitch,), duration)
        else:
            self.chord.append((pitch, duration))

    def _resolve_pitch(self, text: str) -> Pitch:
        try:
            return self.pitches.resolve(text)
        except ValueError:
            raise self._make_error(f"{text!r}, which is no pitch") from None

    def _parse_length(self, text: str, *parts: str) -> Fraction:
        try:
            return parse_length(text, *parts) * self.unit * 8
        except ValueError as error:
            raise self._make_error(str(error)) from None

    def _read_rest(self, match: re.Match[str]) -> None:
        if self.chord is None:
            self._add_sound((), self._parse_length(match[0], *match.groups()))

    def _read_long_rest(self, match: re.Match[str]) -> None:
        """A rest of whole bars."""
        length = bar_length(self.meter)
        if length is None:
            raise self._make_error("a rest of whole bars (Z) in free meter, which is unsupported")
        for bar in range(count_rest_bars(match[1], len(self.symbols), self.line)):
            if bar:
                add_bar_line(self.symbols, BarLineSymbol(self.line))
            self._add_sound((), length)

    def _read_chord(self, match: re.Match[str]) -> None:
        if self.chord is not None:
            raise self._make_error("a chord within a chord")
        self.chord, self.chord_ties = [], []

    def _read_chord_end(self, match: re.Match[str]) -> None:
        """The chord lasts as its first note does, times the length after the bracket."""
        if not self.chord:
            raise self._make_error("a chord bracket that holds no notes")
        factor = self._parse_length(match[0], *match.groups()) / (self.unit * 8)
        pitches = tuple(pitch for pitch, _ in self.chord)
        duration, self.chord = self.chord[0][1] * factor, None
        self._add_sound(pitches, duration)
        self.pitches.open_ties = tuple(self.chord_ties)

    def _read_gap(self, match: re.Match[str]) -> None:
        if self.gaps:
            self._close_ties(self.pitches.open_ties)  # what fills it begins with the notes held
            self.symbols.append(GapSymbol(self.line, self.annotations.take_before()))

    def _read_quoted(self, match: re.Match[str]) -> None:
        letters, semitones = self.pitches.staff.interval
        text = match[0]
        self.annotations.add_quoted(
            transpose_annotation(text, letters, semitones) if semitones % 12 else text
        )

    def _read_decoration(self, match: re.Match[str]) -> None:
        self.annotations.add_decoration(match[0])

    def _read_grace(self, match: re.Match[str]) -> None:
        self.annotations.add_grace(match[0], self._resolve_pitch)

    def _read_slur(self, match: re.Match[str]) -> None:
        if match[0] == "(":
            self.annotations.open_slur()
        elif not self.annotations.close_slur():
            return
        elif self.chord is None:
            self._append_after(self.annotations.take_graces() + ")")
        else:
            self.annotations.after_chord += ")"

    def _append_after(self, text: str) -> None:
        """Annotations after the last sound or gap; there are none before the first."""
        for place in range(len(self.symbols) - 1, -1 if text else len(self.symbols), -1):
            symbol = self.symbols[place]
            if isinstance(symbol, SoundSymbol | GapSymbol):
                self.symbols[place] = replace(symbol, after=symbol.after + text)
                return

    def _add_sound(self, pitches: tuple[Pitch, ...], duration: Fraction) -> None:
        self._close_ties(pitches)
        duration = self._break_rhythm(duration) if self.broken else duration
        before, after = self.annotations.take_before(), self.annotations.after_chord
        self.annotations.after_chord = ""
        self.symbols.append(SoundSymbol(pitches, duration, self.line, before=before, after=after))

    def _find_last_sound(self) -> tuple[int, SoundSymbol] | None:
        for place in range(len(self.symbols) - 1, -1, -1):
            symbol = self.symbols[place]
            if isinstance(symbol, SoundSymbol):
                return place, symbol
        return None

    def _close_ties(self, pitches: tuple[Pitch, ...]) -> None:
        """A hyphen ties where the same pitch follows; between others it was a slur."""
        tied = tuple(pitch for pitch in dict.fromkeys(self.pitches.open_ties) if pitch in pitches)
        self.pitches.open_ties = ()
        last = self._find_last_sound() if tied else None
        if last is not None:
            self.symbols[last[0]] = replace(last[1], tied_pitches=tied)

    def _read_tie(self, match: re.Match[str]) -> None:
        """Of a note of a chord, of a note, or of all notes of a chord."""
        self.annotations.drop_dot()
        if self.chord is not None:
            self.chord_ties += [pitch for pitch, _ in self.chord[-1:]]
            return
        last = self._find_last_sound()
        if last is not None:
            self.pitches.open_ties = last[1].pitches

    def _read_broken(self, match: re.Match[str]) -> None:
        last = self.symbols[-1] if self.symbols else None
        if not isinstance(last, SoundSymbol) or self.broken:
            raise self._make_error("a broken rhythm with no first note")
        self.broken = match[1]

    def _break_rhythm(self, duration: Fraction) -> Fraction:
        """`A>B` dots the first and halves the second; each further sign halves again.

        Between notes of unequal lengths it means nothing (ABC 2.1, section 4.4).
        """
        sign, self.broken = self.broken, ""
        last = self._find_last_sound()
        if last is None or last[1].duration != duration:
            self._add_remark("a broken rhythm between unequal notes, left out")
            return duration
        short = Fraction(1, 2 ** len(sign))
        first, second = (2 - short, short) if sign[0] == ">" else (short, 2 - short)
        self.symbols[last[0]] = replace(last[1], duration=duration * first)
        return duration * second
