"""Tokens read as music: exact durations, bars, repeats. Invalid tokens are refused here.

Durations are fractions of an eighth note and already scaled by tuplets.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from sluice.tunes.errors import InvalidTokensError
from sluice.tunes.notation.abc_symbols import tuplet_time
from sluice.tunes.theory.dances import bar_length
from sluice.tunes.theory.keys import MODES, Pitch

METER = re.compile(r"M:(\d+/\d+|none)")
MODE = re.compile(rf"K:C({'|'.join(MODES)})")
DURATION = re.compile(r"\d{0,6}(?:/0*[1-9]\d{0,5})?")
TUPLET = re.compile(r"\((\d)(?::(\d+):(\d+))?")
BAR_LINE = re.compile(r"\|{1,2}|\|:|:\||::|\|\d(?:,\d)*")
_KEPT_SCORES = 16
"""A tune is measured, moved to its key and written, each time from its score."""


class Event(NamedTuple):
    """A note, a chord or a rest (no pitch): MIDI numbers, length in eighths, tied to the next.

    `tied_pitches` are those of `pitches` that are held into the next event.
    """

    pitches: tuple[int, ...]
    duration: Fraction
    tied_pitches: tuple[int, ...] = ()

    @property
    def is_tied(self) -> bool:
        """Whether any of its notes is tied to the next event."""
        return bool(self.tied_pitches)


@dataclass(frozen=True)
class Bar:
    """What stands between two bar lines.

    `start` and `stop` are the places of its first token and of the one after its last. `opens`
    and `closes` say that a repeat begins at its left or ends at its right bar line, `ending`
    which times through it is played (all if empty), `length` how long it should be (in free
    meter, how long it is), and `is_double` that a section ends at its right without a repeat.
    """

    events: tuple[Event, ...]
    length: Fraction
    start: int
    stop: int
    opens: bool = False
    closes: bool = False
    ending: tuple[int, ...] = ()
    is_double: bool = False

    @property
    def duration(self) -> Fraction:
        return sum((event.duration for event in self.events), Fraction(0))


@dataclass(frozen=True)
class Score:
    """A tune's meter and mode, and its bars in written order."""

    meter: str
    mode: str
    bars: tuple[Bar, ...]

    @property
    def events(self) -> list[Event]:
        return [event for bar in self.bars for event in bar.events]


def parse(tokens: Sequence[str]) -> Score:
    """The music that `tokens` spell.

    >>> score = parse("M:2/4 K:Cmaj |: c 2 (3 d e f :|".split())
    >>> [str(event.duration) for event in score.bars[0].events], score.bars[0].closes
    (['2', '2/3', '2/3', '2/3'], True)

    Raises:
        InvalidTokensError: meter and mode are not in front, a misplaced token, or no note.
    """
    return _parse(tuple(tokens))


@lru_cache(maxsize=_KEPT_SCORES)
def _parse(tokens: tuple[str, ...]) -> Score:
    meter = METER.fullmatch(tokens[0]) if tokens else None
    if meter is None:
        raise InvalidTokensError("a tune begins with its meter, as in M:6/8", 0)
    mode = MODE.fullmatch(tokens[1]) if len(tokens) > 1 else None
    if mode is None:
        raise InvalidTokensError("the mode, as in K:Cdor, comes second", 1)
    reader = _ScoreReader(tokens, meter[1])
    while reader.position < len(tokens):
        reader.read_token()
    reader.finish()
    if not any(event.pitches for bar in reader.bars for event in bar.events):
        raise InvalidTokensError("the tune has no notes", len(tokens))
    return Score(meter[1], mode[1], tuple(reader.bars))


class _ScoreReader:
    def __init__(self, tokens: Sequence[str], meter: str) -> None:
        self.tokens, self.position = tokens, 2
        self.meter = meter
        self.bars: list[Bar] = []
        self.events: list[Event] = []
        self.start = self.position
        self.opens = False
        self.ending: tuple[int, ...] = ()
        self.tuplet, self.tuplet_events_left = Fraction(1), 0

    def read_token(self) -> None:
        token = self.tokens[self.position]
        if BAR_LINE.fullmatch(token):
            self._read_bar_line(token)
        elif match := METER.fullmatch(token):
            self.meter = match[1]
            self.position += 1
        elif match := TUPLET.fullmatch(token):
            self._read_tuplet(match)
        else:
            self._read_event()

    def finish(self) -> None:
        self._close_bar()

    def _make_error(self, reason: str) -> InvalidTokensError:
        return InvalidTokensError(reason, self.position)

    def _close_bar(self, closes: bool = False, is_double: bool = False) -> None:
        """End the bar here; a bar line with nothing before it only adds to the one before."""
        if self.tuplet_events_left:
            raise self._make_error("a tuplet with too few notes before the bar line")
        if self.events:
            self.bars.append(self._build_bar(closes, is_double))
            self.events, self.opens = [], False
        elif self.bars:
            last = self.bars[-1]
            closes = closes or last.closes
            double = not closes and (is_double or last.is_double)
            self.bars[-1] = replace(last, closes=closes, is_double=double)

    def _build_bar(self, closes: bool, is_double: bool) -> Bar:
        length = bar_length(self.meter)
        if length is None:
            length = sum((event.duration for event in self.events), Fraction(0))
        return Bar(
            tuple(self.events),
            length,
            self.start,
            self.position,
            self.opens,
            closes,
            self.ending,
            is_double,
        )

    def _read_bar_line(self, token: str) -> None:
        closes = token in (":|", "::")
        self._close_bar(closes, is_double=token == "||")
        if closes or token in ("|:", "||"):
            self.ending = ()
        self.opens = self.opens or token in ("|:", "::")
        if token[-1].isdigit():
            self.ending = tuple(map(int, token[1:].split(",")))
        self.position += 1
        self.start = self.position

    def _read_tuplet(self, match: re.Match[str]) -> None:
        if self.tuplet_events_left:
            raise self._make_error("a tuplet within a tuplet")
        notes = int(match[1])
        time = int(match[2] or tuplet_time(notes, self.meter))
        self.tuplet_events_left = int(match[3] or notes)
        if not notes or not time or not self.tuplet_events_left:
            raise self._make_error("a tuplet that takes no time")
        self.tuplet = Fraction(time, notes)
        self.position += 1

    def _read_event(self) -> None:
        pitches, tied = self._read_pitches()
        duration = self._read_duration()
        if self.tuplet_events_left:
            duration *= self.tuplet
            self.tuplet_events_left -= 1
        if self._peek() == "-" and pitches:
            self.position += 1
            tied = pitches
        self.events.append(Event(pitches, duration, tied))

    def _peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def _read_pitches(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The pitches of an event, and of a chord those that bear a tie of their own."""
        if self._peek() == "z":
            self.position += 1
            return (), ()
        if self._peek() != "[":
            return (self._read_pitch(),), ()
        self.position += 1
        chord: list[int] = []
        tied: list[int] = []
        while not chord or self._peek() != "]":
            chord.append(self._read_pitch())
            if self._peek() == "-":
                self.position += 1
                tied.append(chord[-1])
        self.position += 1
        return tuple(chord), tuple(tied)

    def _read_pitch(self) -> int:
        token = self._peek()
        try:
            pitch, _ = Pitch.parse(token)
        except ValueError:
            raise self._make_error(f"{token!r} stands where a note should") from None
        self.position += 1
        if not 0 <= pitch.midi <= 127:
            raise self._make_error(f"{token!r} lies outside what can be played")
        return pitch.midi

    def _read_duration(self) -> Fraction:
        token = self._peek()
        if not DURATION.fullmatch(token) or not token:
            return Fraction(1)
        duration = _parse_fraction(token)
        if not duration:
            raise self._make_error("a duration of nothing")
        self.position += 1
        return duration


@lru_cache(maxsize=1024)
def _parse_fraction(token: str) -> Fraction:
    above, _, below = token.partition("/")
    return Fraction(int(above or 1), int(below or 1))
