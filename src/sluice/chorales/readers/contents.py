"""`ScoreContents`: what a reader finds in a score, and what it leaves out, with its place."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction

from sluice.chorales.roll import RollBar, RollNote
from sluice.sequence.data.report import pluralize

MOST_QUARTERS = 100_000
"""Of a piece: a few damaged bytes can say millions."""
_SLOWEST, _FASTEST = 1, 1000
"""Quarter notes a minute that are believed."""


@dataclass
class Omissions:
    """What is not read, counted by kind, each with the place of the first."""

    _found: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, what: str, place: str, count: int = 1) -> None:
        """Count one more of a kind, named in the singular."""
        before, first = self._found.get(what, (0, place))
        self._found[what] = before + count, first

    def __len__(self) -> int:
        """How many there are, of all kinds."""
        return sum(count for count, _ in self._found.values())

    def to_remarks(self, verb: str = "left out") -> list[str]:
        """A remark for each kind."""
        return [
            f"{_count(count, what)} {verb}, the first {place}"
            for what, (count, place) in self._found.items()
        ]


def _count(number: int, what: str) -> str:
    """As in "2 notes of drums": the first noun is the one that is counted."""
    noun = re.split(" (?:of|without) ", what)[0]
    return f"{pluralize(number, noun)}{what.removeprefix(noun)}"


@dataclass
class ScoreContents:
    """What a score holds: notes with ties joined, bars, fermatas, the tempo, what was left out.

    Times are in quarter notes; `parts` are the names of the parts, from the first. `repeats` are
    the signs of repeats, da capo and the like, which are passed over.
    """

    notes: list[RollNote] = field(default_factory=list)
    bars: list[RollBar] = field(default_factory=list)
    fermatas: list[tuple[Fraction, Fraction]] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    tempo: float | None = None
    remarks: list[str] = field(default_factory=list)
    repeats: Omissions = field(default_factory=Omissions)


def check_tempo(found: float) -> float | None:
    """A tempo in quarter notes a minute; None for one that nobody plays."""
    return found if _SLOWEST <= found <= _FASTEST else None
