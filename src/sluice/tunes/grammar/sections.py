"""The sections of a tune: which bar line may follow a bar of some length, and what comes next.

A section begins with the tune, at `|:`, after `:|` and `::`, and after a second ending.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

from sluice.tunes.grammar.alphabet import (
    CLOSE,
    CLOSE_AND_OPEN,
    FIRST_ENDING,
    OPEN,
    PLAIN,
    BarLine,
)
from sluice.tunes.theory.durations import BarGoals


class SectionPhase(IntEnum):
    """Where in a section a bar stands."""

    NO_REPEAT = 0
    """No `|:` is open."""
    IN_REPEAT = 1
    """A `|:` waits for its `:|`."""
    FIRST_ENDING = 2
    """Behind `|1`, before its `:|`."""
    SECOND_ENDING_DUE = 3
    """Behind the `:|` of a first ending: `|2` must follow."""
    SECOND_ENDING = 4
    """Behind `|2`."""
    OVER = 5
    """Behind a last bar that made up for a pickup: the tune must end."""


_REPEAT_LINES: dict[SectionPhase, tuple[BarLine, ...]] = {
    SectionPhase.NO_REPEAT: (OPEN, CLOSE, CLOSE_AND_OPEN, FIRST_ENDING),
    SectionPhase.IN_REPEAT: (CLOSE, CLOSE_AND_OPEN, FIRST_ENDING),
    SectionPhase.FIRST_ENDING: (CLOSE,),
    SectionPhase.SECOND_ENDING_DUE: (),
    SectionPhase.SECOND_ENDING: (OPEN, FIRST_ENDING),
    SectionPhase.OVER: (),
}
"""The bar lines, besides the plain one, that may end a later bar than the section's first."""
_NO_PLAIN_LINE = (SectionPhase.SECOND_ENDING_DUE, SectionPhase.OVER)


class BarEnd(NamedTuple):
    """How a bar ends: by which line, after how many ticks, and how many a full bar has."""

    line: BarLine
    total: int
    full: int


class SectionState(NamedTuple):
    """The state of a section as a bar begins; times in ticks.

    Attributes:
        phase: where in the section this bar stands.
        pickup: how long the pickup of this section was, 0 without one.
        previous_pickup: the same of a lone pickup before the `|:` that began this section.
        num_bars: bars of the tune so far, counted up to the least number that it must have.
        has_bars: whether this section has a bar already.
        may_end: whether the tune may end here.
    """

    phase: SectionPhase = SectionPhase.NO_REPEAT
    pickup: int = 0
    previous_pickup: int = 0
    num_bars: int = 0
    has_bars: bool = False
    may_end: bool = False

    @property
    def is_first_bar(self) -> bool:
        """Whether this bar is the first of a section, and so may be a pickup."""
        return not (self.has_bars or self.previous_pickup)

    # What may end a bar

    def find_goals(self, lines: Iterable[BarLine], full: int, min_bars: int) -> BarGoals:
        """Where this bar may end, by any of these bar lines."""
        totals = frozenset[int]().union(*(self.find_totals(line, full, min_bars) for line in lines))
        return BarGoals(full, totals, self.is_first_bar)

    def find_totals(self, line: BarLine, full: int, min_bars: int) -> set[int]:
        """The totals, besides those of a pickup, at which `line` may end this bar."""
        if not self._allows_line(line):
            return set()
        if line.closes:
            return {full - self.pickup if self.pickup < full else full}
        if line.opens or (line == PLAIN and self._may_be_last(min_bars)):
            return {full, *self._complement_totals(full)}
        return {full}

    def can_end_bar(self, end: BarEnd, min_bars: int, can_be_pickup: bool) -> bool:
        """Whether a bar may end so; `can_be_pickup` says that a pickup could be as long."""
        if self.is_first_bar and can_be_pickup and end.line in (PLAIN, OPEN):
            return not (end.line.opens and self.phase == SectionPhase.IN_REPEAT)
        return end.total in self.find_totals(end.line, end.full, min_bars)

    def _allows_line(self, line: BarLine) -> bool:
        if line == PLAIN:
            return self.phase not in _NO_PLAIN_LINE
        return self.has_bars and line in _REPEAT_LINES[self.phase]

    def _complement_totals(self, full: int) -> set[int]:
        """The totals that make up for a pickup."""
        return {full - short for short in (self.pickup, self.previous_pickup) if 0 < short < full}

    def _may_be_last(self, min_bars: int) -> bool:
        if self.phase == SectionPhase.SECOND_ENDING:
            return True
        enough = self.has_bars and self.num_bars + 1 >= min_bars
        return enough and self.phase == SectionPhase.NO_REPEAT

    # What follows

    def advance(self, end: BarEnd, min_bars: int, has_note: bool) -> SectionState:
        """The state after a bar that ends so; `has_note` says that the tune has a note by then."""
        num_bars = min(self.num_bars + 1, min_bars)
        complete = num_bars >= min_bars and has_note
        if end.line.closes:
            return self._close_repeat(end.line, num_bars, complete)
        if end.line.opens:
            lead = end.total if self.is_first_bar and end.total < end.full else 0
            return SectionState(SectionPhase.IN_REPEAT, previous_pickup=lead, num_bars=num_bars)
        if end.total < end.full and self.phase == SectionPhase.SECOND_ENDING:
            return SectionState(num_bars=num_bars, may_end=complete)
        return self._add_bar(end, num_bars, complete)

    def begin_second_ending(self) -> SectionState:
        """The state as the second ending begins."""
        return self._replace(phase=SectionPhase.SECOND_ENDING, has_bars=True)

    def _close_repeat(self, line: BarLine, num_bars: int, complete: bool) -> SectionState:
        if self.phase == SectionPhase.FIRST_ENDING:
            due = SectionPhase.SECOND_ENDING_DUE
            return self._replace(phase=due, num_bars=num_bars, may_end=False)
        if line.opens:
            return SectionState(SectionPhase.IN_REPEAT, num_bars=num_bars)
        return SectionState(num_bars=num_bars, may_end=complete)

    def _add_bar(self, end: BarEnd, num_bars: int, complete: bool) -> SectionState:
        """After a plain line or `|1`: the section goes on, or the tune is over."""
        is_pickup = self.is_first_bar and end.total < end.full
        phase = self.phase
        if end.line.ending:
            phase = SectionPhase.FIRST_ENDING
        elif end.total < end.full and not is_pickup:
            phase = SectionPhase.OVER
        in_repeat = phase in (SectionPhase.IN_REPEAT, SectionPhase.FIRST_ENDING)
        return self._replace(
            phase=phase,
            pickup=end.total if is_pickup else self.pickup,
            num_bars=num_bars,
            has_bars=True,
            may_end=complete and not (in_repeat or is_pickup),
        )
