"""Lines of ABC music read into symbols: what sounds and for how long, bars, tuplets, meters.

Accidentals, key signatures, ties, broken rhythm and unit note lengths are resolved here. Grace
notes, decorations, chord symbols and slurs are kept with the sound that they belong to. Durations
are exact and in eighths.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

from sluice.tunes.errors import AbcSyntaxError
from sluice.tunes.notation.abc_annotations import AnnotationCollector
from sluice.tunes.notation.abc_file import Header, Line, parse_key, parse_meter, parse_unit
from sluice.tunes.notation.abc_symbols import (
    ANY,
    BARE_ENDING,
    ERROR_REASONS,
    IGNORED_SYMBOLS,
    LEXERS,
    BarLineSymbol,
    GapSymbol,
    MeterSymbol,
    SoundSymbol,
    Symbol,
    TupletSymbol,
    is_double,
    tuplet_time,
)
from sluice.tunes.notation.lyrics import AlignedLine
from sluice.tunes.theory.keys import Pitch


def read_music(
    header: Header, lines: Sequence[Line], gaps: bool = False
) -> tuple[str, list[Symbol], list[AlignedLine]]:
    """The meter that a tune's music begins in, its symbols in order, and the lines below them.

    A `*` is a gap if `gaps`, else it means nothing.

    Raises:
        AbcSyntaxError: something that cannot be read, or several voices.
    """
    reader = _AbcBodyReader(header, gaps)
    for line in lines:
        reader.read_line(line)
    reader.finish()
    return reader.first_meter, reader.symbols, reader.lines_below


@lru_cache(maxsize=1024)
def _to_eighths(above: int, below: int, unit: Fraction) -> Fraction:
    return Fraction(above, below) * unit * 8


class _AbcBodyReader:
    def __init__(self, header: Header, gaps: bool) -> None:
        self.symbols: list[Symbol] = []
        self.gaps = gaps
        self.unit, self.meter, self.first_meter = header.unit_length, header.meter, header.meter
        self.signature = header.key.signature
        self.accidentals: dict[str, int] = {}
        self.tied_accidentals: dict[int, int] = {}
        self.chord: list[tuple[Pitch, Fraction]] | None = None
        self.broken_factor = Fraction(1)
        self.tie_open = False
        self.voice: str | None = None
        self.annotations = AnnotationCollector()
        self.lines_below: list[AlignedLine] = []
        self.line = 0

    def read_line(self, line: Line) -> None:
        self.line = line.number
        if line.field is not None:
            self._set_field(*line.field)
            return
        place = 0
        while place < len(line.text):
            place = self._read_symbol(line.text, place)
        if self.chord is not None:
            raise self._make_error("a chord that is not closed")

    def finish(self) -> None:
        if self.broken_factor != 1:
            raise self._make_error("a broken rhythm with no second note")
        self._append_after(self.annotations.take_at_bar_line() + self.annotations.take_before())

    def _make_error(self, reason: str) -> AbcSyntaxError:
        return AbcSyntaxError(reason, self.line)

    def _read_symbol(self, text: str, place: int) -> int:
        """Read one symbol of `text` and return where the next begins."""
        found = ANY.match(text, place)
        if found is None:
            fault = ERROR_REASONS.get(text[place], f"{text[place]!r}, which means nothing here")
            raise self._make_error(fault)
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

    def _read_field(self, match: re.Match[str]) -> None:
        self._set_field(match[1], match[2].strip())

    def _set_field(self, letter: str, value: str) -> None:
        if letter == "K":
            self.signature = parse_key(value, self.line).signature
        elif letter == "L":
            self.unit = parse_unit(value, self.line)
        elif letter == "M":
            self._change_meter(parse_meter(value, self.line))
        elif letter == "V":
            self._check_single_voice((value.split() or [""])[0])
        elif letter in ("w", "s"):
            self.lines_below.append(AlignedLine(letter, value, len(self.symbols), self.line))
        elif letter == "m":
            raise self._make_error("a macro (m:), which is not expanded")

    def _change_meter(self, meter: str) -> None:
        if not any(isinstance(symbol, SoundSymbol | TupletSymbol) for symbol in self.symbols):
            self.first_meter = meter
        elif meter != self.meter:
            self.symbols.append(MeterSymbol(meter, self.line))
        self.meter = meter

    def _check_single_voice(self, voice: str) -> None:
        if self.voice not in (None, voice):
            raise self._make_error("several voices; only single-voice tunes are read")
        self.voice = voice

    def _read_bar(self, text: str, match: re.Match[str]) -> int:
        """A bar line, joined to one just before it, and the ending number that touches it."""
        if self.chord is not None:
            raise self._make_error("a chord that is not closed")
        if self.broken_factor != 1:
            raise self._make_error("a broken rhythm with no second note")
        self.accidentals.clear()
        if self.symbols and isinstance(self.symbols[-1], SoundSymbol):
            self._append_after(self.annotations.take_at_bar_line())
        sign = match[0]
        bar = BarLineSymbol(self.line, sign[0] == ":", sign[-1] == ":", is_double=is_double(sign))
        self._merge_bar_line(bar)
        bare = BARE_ENDING.match(text, match.end())
        if bare is None:
            return match.end()
        self._read_ending(bare)
        return bare.end()

    def _read_colon(self, match: re.Match[str]) -> None:
        """A colon that follows a bar line over a line break or a field opens a repeat."""
        if self.symbols and not isinstance(self.symbols[-1], BarLineSymbol):
            raise self._make_error("a colon that belongs to no bar line")
        self._merge_bar_line(BarLineSymbol(self.line, opens=True))

    def _read_ending(self, match: re.Match[str]) -> None:
        digits = re.findall(r"\d", match[1])
        if "-" in match[1]:
            digits = [str(number) for number in range(int(digits[0]), int(digits[-1]) + 1)]
        self.accidentals.clear()
        self._merge_bar_line(BarLineSymbol(self.line, ending=",".join(digits)))

    def _merge_bar_line(self, bar: BarLineSymbol) -> None:
        last = self.symbols[-1] if self.symbols else None
        if isinstance(last, BarLineSymbol):
            bar = replace(
                last,
                closes=last.closes or bar.closes,
                opens=last.opens or bar.opens,
                ending=bar.ending or last.ending,
                is_double=last.is_double or bar.is_double,
            )
            self.symbols.pop()
        self.symbols.append(bar)

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
        """What sounds: its own accidental, else one tied over, earlier in the bar, or in the key.

        An accidental holds for its letter in every octave until the bar ends (ABC 2.1's default).
        """
        try:
            pitch, marked = Pitch.parse(text)
        except ValueError:
            raise self._make_error(f"{text!r}, which is no pitch") from None
        if marked:
            self.accidentals[pitch.letter] = pitch.alter
            return pitch
        in_key = self.signature.get(pitch.letter, 0)
        alter = self.accidentals.get(pitch.letter, self.tied_accidentals.get(pitch.step, in_key))
        return Pitch(pitch.step, alter)

    def _parse_length(self, text: str, above: str, slashes: str, below: str) -> Fraction:
        """A length in eighths; `/` halves, `//` quarters, `/3` thirds."""
        if below and len(slashes) > 1:
            raise self._make_error(f"the length of {text!r}")
        divisor = int(below) if below else 2 ** len(slashes)
        if not divisor or above.strip("0") == "" != above:
            raise self._make_error(f"{text!r}, which takes no time")
        return _to_eighths(int(above or 1), divisor, self.unit)

    def _read_rest(self, match: re.Match[str]) -> None:
        if self.chord is None:
            self._add_sound((), self._parse_length(match[0], *match.groups()))

    def _read_long_rest(self, match: re.Match[str]) -> None:
        """A rest of whole bars."""
        for bar in range(int(match[1] or 1)):
            if bar:
                self._merge_bar_line(BarLineSymbol(self.line))
            self._add_sound((), 8 * Fraction(self.meter))

    def _read_chord(self, match: re.Match[str]) -> None:
        if self.chord is not None:
            raise self._make_error("a chord within a chord")
        self.chord = []

    def _read_chord_end(self, match: re.Match[str]) -> None:
        """The chord lasts as its first note does, times the length after the bracket."""
        if not self.chord:
            raise self._make_error("a chord bracket that holds no notes")
        factor = self._parse_length(match[0], *match.groups()) / (self.unit * 8)
        pitches = tuple(pitch for pitch, _ in self.chord)
        duration, self.chord = self.chord[0][1] * factor, None
        self._add_sound(pitches, duration)

    def _read_gap(self, match: re.Match[str]) -> None:
        if self.gaps:
            self.symbols.append(GapSymbol(self.line, self.annotations.take_before()))

    def _read_quoted(self, match: re.Match[str]) -> None:
        self.annotations.add_quoted(match[0])

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
        if self.tie_open:
            self._close_tie(pitches)
        duration = duration if self.broken_factor == 1 else duration * self.broken_factor
        before, after = self.annotations.take_before(), self.annotations.after_chord
        self.annotations.after_chord = ""
        self.symbols.append(SoundSymbol(pitches, duration, self.line, before=before, after=after))
        self.broken_factor, self.tied_accidentals = Fraction(1), {}

    def _find_last_sound(self) -> tuple[int, SoundSymbol] | None:
        for place in range(len(self.symbols) - 1, -1, -1):
            symbol = self.symbols[place]
            if isinstance(symbol, SoundSymbol):
                return place, symbol
        return None

    def _close_tie(self, pitches: tuple[Pitch, ...]) -> None:
        """A hyphen ties where the same pitches follow; between others it was a slur."""
        self.tie_open = False
        last = self._find_last_sound()
        if last is not None and last[1].pitches == pitches:
            self.symbols[last[0]] = replace(last[1], is_tied=True)

    def _read_tie(self, match: re.Match[str]) -> None:
        self.annotations.drop_dot()
        last = self._find_last_sound()
        if self.chord is not None or last is None or not last[1].pitches:
            return
        self.tie_open = True
        self.tied_accidentals = {pitch.step: pitch.alter for pitch in last[1].pitches}

    def _read_broken(self, match: re.Match[str]) -> None:
        """`A>B` dots the first and halves the second; each further sign halves again."""
        last = self.symbols[-1] if self.symbols else None
        if not isinstance(last, SoundSymbol) or self.broken_factor != 1:
            raise self._make_error("a broken rhythm with no first note")
        short = Fraction(1, 2 ** len(match[1]))
        first, self.broken_factor = (2 - short, short) if match[1][0] == ">" else (short, 2 - short)
        self.symbols[-1] = replace(last, duration=last.duration * first)
