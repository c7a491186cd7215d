"""The tokens of a vocabulary of tunes, each with what it means to a grammar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import NamedTuple, TypeVar

from sluice.sequence import Vocabulary
from sluice.tunes import score
from sluice.tunes.errors import TuneError
from sluice.tunes.keys import Pitch
from sluice.tunes.lengths import LARGEST_TUPLET, LONGEST, NEVER, Lengths, Tuplet
from sluice.tunes.music import tuplet_time

_FINEST = 64
"""Into how many an eighth is divided; a token that says less is left alone."""

Meaning = TypeVar("Meaning")


class BarLine(NamedTuple):
    """What a bar line does: closes a repeat, opens one, begins the first or second ending."""

    closes: bool = False
    opens: bool = False
    ending: int = 0


class Told(NamedTuple):
    """A tuplet as its token tells it; a `time` of 0 depends on the meter."""

    notes: int
    time: int
    events: int


@dataclass(frozen=True)
class Words:
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
            ("bar line '|'", [one for one in self.lines.values() if one == BarLine()]),
        ):
            if not found:
                raise TuneError(f"A grammar of tunes needs a {what}, but the model knows none.")

    def _meaning(self, read: Callable[[str], Meaning | None]) -> dict[int, Meaning]:
        """The ids of the tokens that `read` makes something of."""
        found = {}
        for token in self.vocabulary.tokens:
            meaning = read(token)
            if meaning is not None:
                found[self.vocabulary.encode([token])[0]] = meaning
        return found

    @cached_property
    def pitches(self) -> dict[int, int]:
        """Notes: their MIDI numbers."""
        return self._meaning(_pitch)

    @cached_property
    def durations(self) -> dict[int, int]:
        """In ticks."""
        return {number: self.lengths.ticks(said) for number, said in self._said.items()}

    @cached_property
    def tuplets(self) -> dict[int, Told]:
        return self._meaning(_tuplet)

    @cached_property
    def meters(self) -> dict[int, str]:
        """As in `6/8`, where notes can fill a bar."""
        return {
            number: meter
            for number, meter in self._meaning(_meter).items()
            if 0 < self.lengths.fill(self.full(meter)) < NEVER
        }

    @cached_property
    def modes(self) -> dict[int, str]:
        return self._meaning(lambda token: token if score.MODE.fullmatch(token) else None)

    @cached_property
    def lines(self) -> dict[int, BarLine]:
        """Bar lines; none that opens what no other could close."""
        found = self._meaning(_bar_line)
        closing = BarLine(closes=True) in found.values()
        second = BarLine(ending=2) in found.values()
        return {
            number: line
            for number, line in found.items()
            if (closing or not line.opens) and ((closing and second) or not line.ending)
        }

    @cached_property
    def _full(self) -> dict[str, int]:
        return {}

    def mark(self, token: str) -> list[int]:
        """The id of a token, if there is one."""
        return self.vocabulary.encode([token]) if token in self.vocabulary else []

    @cached_property
    def _said(self) -> dict[int, Fraction]:
        return self._meaning(_duration)

    @cached_property
    def lengths(self) -> Lengths:
        notes = [told.notes for told in self.tuplets.values()]
        return Lengths([*self._said.values()], notes)

    def full(self, meter: str) -> int:
        """The ticks of a bar; 0 where no whole number is exact."""
        if meter not in self._full:
            eighths = _eighths(meter)
            exact = self.lengths.exact(eighths)
            self._full[meter] = self.lengths.ticks(eighths) if exact else 0
        return self._full[meter]

    def tuplet(self, number: int, meter: str) -> Tuplet | None:
        """What a tuplet's id means in a meter, or None where it takes no time."""
        told = self.tuplets[number]
        time = told.time or tuplet_time(told.notes, meter)
        return Tuplet(told.events, time, told.notes) if time else None


@lru_cache
def _eighths(meter: str) -> Fraction:
    return 8 * Fraction(meter)


def _pitch(token: str) -> int | None:
    try:
        midi = Pitch.parse(token)[0].midi
    except ValueError:
        return None
    return midi if 0 <= midi <= 127 else None


def _duration(token: str) -> Fraction | None:
    if not token or not score.DURATION.fullmatch(token):
        return None
    above, _, below = token.partition("/")
    length = Fraction(int(above or 1), int(below or 1))
    return length if 0 < length <= LONGEST and length.denominator <= _FINEST else None


def _tuplet(token: str) -> Told | None:
    match = score.TUPLET.fullmatch(token)
    if match is None:
        return None
    notes, events = int(match[1]), int(match[3] or match[1])
    takes_time = notes and events and (match[2] is None or int(match[2]))
    fits = takes_time and max(events, int(match[2] or 0)) <= LARGEST_TUPLET
    return Told(notes, int(match[2] or 0), events) if fits else None


def _meter(token: str) -> str | None:
    match = score.METER.fullmatch(token)
    if match is None or not int(match[1].partition("/")[2]):
        return None
    return match[1] if 0 < _eighths(match[1]) <= LONGEST else None


def _bar_line(token: str) -> BarLine | None:
    if token in ("|:", ":|", "::", "|"):
        return BarLine(closes=token[0] == ":", opens=token[-1] == ":")
    if token in ("|1", "|2"):
        return BarLine(ending=int(token[1]))
    return None
