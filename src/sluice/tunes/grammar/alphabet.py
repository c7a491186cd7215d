"""The tokens of a vocabulary of tunes, each with what it means to a grammar."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple, TypeVar

from sluice.cached import cached_property
from sluice.sequence import Vocabulary
from sluice.tunes.errors import TuneError
from sluice.tunes.notation import score
from sluice.tunes.notation.abc_symbols import tuplet_time
from sluice.tunes.notation.model_tokens import RHYTHM, split_count
from sluice.tunes.theory.dances import FREE_METER
from sluice.tunes.theory.durations import (
    MAX_BAR_EIGHTHS,
    MAX_TUPLET_EVENTS,
    UNREACHABLE,
    DurationSolver,
    OpenTuplet,
)
from sluice.tunes.theory.keys import Pitch

_NO_COUNT = 1 << 20
_MAX_DIVISION = 64
"""The smallest part of an eighth; tokens of shorter durations are never allowed."""

Meaning = TypeVar("Meaning")


UNCOUNTED = -1
"""The count of a bar line that does not say how many bars of its section are to come."""


class BarLine(NamedTuple):
    """What a bar line does: closes a repeat, opens one, begins the first or second ending, or
    ends a section as a double bar."""

    closes: bool = False
    opens: bool = False
    ending: int = 0
    is_double: bool = False

    @property
    def ends_section(self) -> bool:
        """Whether another section, or nothing, follows."""
        return self.closes or self.opens or self.is_double


PLAIN = BarLine()
OPEN = BarLine(opens=True)
CLOSE = BarLine(closes=True)
CLOSE_AND_OPEN = BarLine(closes=True, opens=True)
FIRST_ENDING, SECOND_ENDING = BarLine(ending=1), BarLine(ending=2)
DOUBLE = BarLine(is_double=True)


class TupletToken(NamedTuple):
    """A tuplet as its token has it; a `time` of 0 depends on the meter."""

    notes: int
    time: int
    events: int


@dataclass(frozen=True)
class TuneAlphabet:
    """A vocabulary's ids by what they mean; a token with no meaning is in none of them.

    Raises:
        TuneError: no meter whose bars could be filled, no mode, no note or no plain bar line.
    """

    vocabulary: Vocabulary

    def __post_init__(self) -> None:
        for what, found in (
            ("meter whose bars its notes can fill", self.meters),
            ("mode", self.modes),
            ("note", self.pitches),
            ("bar line '|'", self.find_bar_line_ids(PLAIN)),
        ):
            if not found:
                raise TuneError(f"A grammar of tunes needs a {what}, but the model knows none.")

    def _parse_tokens(self, read: Callable[[str], Meaning | None]) -> dict[int, Meaning]:
        """The ids of the tokens that `read` has a meaning for."""
        found = {}
        for token in self.vocabulary.tokens:
            meaning = read(token)
            if meaning is not None:
                found[self.vocabulary.encode([token])[0]] = meaning
        return found

    @cached_property
    def pitches(self) -> dict[int, int]:
        """Notes: their MIDI numbers."""
        return self._parse_tokens(_parse_pitch)

    @cached_property
    def durations(self) -> dict[int, int]:
        """In ticks."""
        return {
            number: self.solver.to_ticks(eighths)
            for number, eighths in self._duration_eighths.items()
        }

    @cached_property
    def tuplets(self) -> dict[int, TupletToken]:
        return self._parse_tokens(_parse_tuplet)

    @cached_property
    def meters(self) -> dict[int, str]:
        """As in `6/8`, where notes can fill a bar."""
        return {
            number: meter
            for number, meter in self._parse_tokens(_parse_meter).items()
            if 0 < self.solver.tokens_to_fill(self.bar_ticks(meter)) < UNREACHABLE
        }

    @cached_property
    def rhythms(self) -> dict[int, str]:
        """Dances, as in `R:slip jig`."""
        return self._parse_tokens(_parse_rhythm)

    @cached_property
    def modes(self) -> dict[int, str]:
        return self._parse_tokens(lambda token: token if score.MODE.fullmatch(token) else None)

    @cached_property
    def bar_lines(self) -> dict[int, BarLine]:
        """Bar lines; none that opens what no other could close."""
        found = self._parse_tokens(_parse_bar_line)
        closing = CLOSE in found.values()
        second = SECOND_ENDING in found.values()
        return {
            number: line
            for number, line in found.items()
            if (closing or not line.opens) and ((closing and second) or not line.ending)
        }

    @cached_property
    def bar_counts(self) -> dict[int, int]:
        """Bar lines: how many bars of the section follow, or `UNCOUNTED`."""
        counts = self._parse_tokens(_parse_count)
        return {number: counts[number] for number in self.bar_lines}

    @cached_property
    def has_counts(self) -> bool:
        """Whether a bar line says that one bar of its section follows."""
        return 1 in self.bar_counts.values()

    @cached_property
    def ids_by_midi(self) -> dict[int, list[int]]:
        """The notes of each MIDI number; several where one pitch has several spellings."""
        found: dict[int, list[int]] = {}
        for number, midi in self.pitches.items():
            found.setdefault(midi, []).append(number)
        return found

    @cached_property
    def duration_ids(self) -> dict[int, int]:
        """Durations by their ticks."""
        return {ticks: number for number, ticks in self.durations.items()}

    @cached_property
    def rest_ids(self) -> list[int]:
        """The rest, if there is one."""
        return self.find_ids("z")

    @cached_property
    def tie_ids(self) -> list[int]:
        """The tie, if there is one."""
        return self.find_ids("-")

    @cached_property
    def open_chord_ids(self) -> list[int]:
        """What opens a chord, if a chord of two notes can be written and closed."""
        possible = self.close_chord_ids and len(self.ids_by_midi) > 1
        return self.find_ids("[") if possible else []

    @cached_property
    def close_chord_ids(self) -> list[int]:
        """What closes a chord, if there is one."""
        return self.find_ids("]")

    def find_ids(self, token: str) -> list[int]:
        """The id of a token, if there is one."""
        return self.vocabulary.encode([token]) if token in self.vocabulary else []

    def find_bar_line_ids(self, line: BarLine, count: int | None = None) -> list[int]:
        """The ids of a bar line, those that announce the fewest bars first, or of one count."""
        found = [number for number, known in self.bar_lines.items() if known == line]
        if count is not None and self.has_counts:
            return [number for number in found if self.bar_counts[number] == count]
        return sorted(found, key=lambda number: self.bar_counts[number] % _NO_COUNT)

    def find_pitch_ids(self, pitches: Iterable[int]) -> list[int]:
        """The ids of notes by MIDI numbers, the lowest first."""
        return [number for pitch in sorted(pitches) for number in self.ids_by_midi[pitch]]

    @cached_property
    def _bar_ticks(self) -> dict[str, int]:
        return {}

    @cached_property
    def _duration_eighths(self) -> dict[int, Fraction]:
        return self._parse_tokens(_parse_duration)

    @cached_property
    def solver(self) -> DurationSolver:
        notes = [tuplet.notes for tuplet in self.tuplets.values()]
        return DurationSolver([*self._duration_eighths.values()], notes)

    def bar_ticks(self, meter: str) -> int:
        """The ticks of a bar; 0 where no whole number is exact."""
        if meter not in self._bar_ticks:
            eighths = _to_eighths(meter)
            exact = self.solver.is_exact(eighths)
            self._bar_ticks[meter] = self.solver.to_ticks(eighths) if exact else 0
        return self._bar_ticks[meter]

    def resolve_tuplet(self, number: int, meter: str) -> OpenTuplet | None:
        """What a tuplet's id means in a meter, or None where it takes no time."""
        tuplet = self.tuplets[number]
        time = tuplet.time or tuplet_time(tuplet.notes, meter)
        return OpenTuplet(tuplet.events, time, tuplet.notes) if time else None


@lru_cache
def _to_eighths(meter: str) -> Fraction:
    return 8 * Fraction(meter)


def _parse_pitch(token: str) -> int | None:
    try:
        midi = Pitch.parse(token)[0].midi
    except ValueError:
        return None
    return midi if 0 <= midi <= 127 else None


def _parse_duration(token: str) -> Fraction | None:
    if not token or not score.DURATION.fullmatch(token):
        return None
    above, _, below = token.partition("/")
    length = Fraction(int(above or 1), int(below or 1))
    return length if 0 < length <= MAX_BAR_EIGHTHS and length.denominator <= _MAX_DIVISION else None


def _parse_tuplet(token: str) -> TupletToken | None:
    match = score.TUPLET.fullmatch(token)
    if match is None:
        return None
    notes, events = int(match[1]), int(match[3] or match[1])
    takes_time = notes and events and (match[2] is None or int(match[2]))
    fits = takes_time and max(events, int(match[2] or 0)) <= MAX_TUPLET_EVENTS
    return TupletToken(notes, int(match[2] or 0), events) if fits else None


def _parse_meter(token: str) -> str | None:
    match = score.METER.fullmatch(token)
    if match is None or match[1] == FREE_METER or not int(match[1].partition("/")[2]):
        return None
    return match[1] if 0 < _to_eighths(match[1]) <= MAX_BAR_EIGHTHS else None


def _parse_rhythm(token: str) -> str | None:
    match = RHYTHM.fullmatch(token)
    return None if match is None else match[1]


def _parse_bar_line(token: str) -> BarLine | None:
    line = split_count(token)[0]
    if line in ("|:", ":|", "::", "|"):
        return BarLine(closes=line[0] == ":", opens=line[-1] == ":")
    if line in ("|1", "|2"):
        return BarLine(ending=int(line[1]))
    return DOUBLE if line == "||" else None


def _parse_count(token: str) -> int:
    count = split_count(token)[1]
    return UNCOUNTED if count is None else count
