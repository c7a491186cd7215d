"""The sections of a tune: which bar line may follow a bar of some length, and what comes next.

A section begins with the tune, at `|:`, after `:|`, `::` and `||`, and after a second ending.
The last bar of a section and the pickup of the next are one bar together.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

from sluice.tunes.grammar.alphabet import (
    CLOSE,
    CLOSE_AND_OPEN,
    DOUBLE,
    FIRST_ENDING,
    OPEN,
    PLAIN,
    UNCOUNTED,
    BarLine,
)
from sluice.tunes.notation.model_tokens import MAX_COUNT
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
    SectionPhase.NO_REPEAT: (OPEN, CLOSE, CLOSE_AND_OPEN, FIRST_ENDING, DOUBLE),
    SectionPhase.IN_REPEAT: (CLOSE, CLOSE_AND_OPEN, FIRST_ENDING),
    SectionPhase.FIRST_ENDING: (CLOSE,),
    SectionPhase.SECOND_ENDING_DUE: (),
    SectionPhase.SECOND_ENDING: (OPEN, FIRST_ENDING, DOUBLE),
    SectionPhase.OVER: (),
}
"""The bar lines, besides the plain one, that may end a later bar than the section's first."""
_NO_PLAIN_LINE = (SectionPhase.SECOND_ENDING_DUE, SectionPhase.OVER)
_ANY_PICKUP = -1
_MIN_BARS_PER_SECTION = 2


class BarEnd(NamedTuple):
    """How a bar ends: by which line, after how many ticks, how many a full bar has, and how many
    bars of its section the line announces."""

    line: BarLine
    total: int
    full: int
    announced: int = UNCOUNTED


class SectionState(NamedTuple):
    """The state of a section as a bar begins; times in ticks.

    Attributes:
        phase: where in the section this bar stands.
        pickup: how long the pickup of this section was, 0 without one.
        previous_pickup: the same of a lone pickup before the `|:` that began this section.
        due_pickup: how long the pickup must be to complete the last bar of the section before,
            0 for none, -1 where any may stand.
        ahead: how many full bars of this section are still to come, or `UNCOUNTED`.
        num_bars: bars of the tune so far, counted up to the least number that it must have.
        has_bars: whether this section has a bar already.
        may_end: whether the tune may end here.
        counts_bars: whether bar lines count, repeats are opened, and only 0 ends the tune.
    """

    phase: SectionPhase = SectionPhase.NO_REPEAT
    pickup: int = 0
    previous_pickup: int = 0
    due_pickup: int = _ANY_PICKUP
    ahead: int = UNCOUNTED
    num_bars: int = 0
    has_bars: bool = False
    may_end: bool = False
    counts_bars: bool = False

    @property
    def is_first_bar(self) -> bool:
        """Whether this bar is the first of a section, and so may be a pickup."""
        return not (self.has_bars or self.previous_pickup)

    # What may end a bar

    def find_goals(self, lines: Iterable[BarLine], full: int, min_bars: int) -> BarGoals:
        """Where this bar may end, by any of these bar lines."""
        if self.is_first_bar and self.due_pickup > 0:
            return BarGoals(full, frozenset([self.due_pickup]), False)
        totals = frozenset[int]().union(*(self.find_totals(line, full, min_bars) for line in lines))
        return BarGoals(full, totals, self.is_first_bar and self.due_pickup == _ANY_PICKUP)

    def find_totals(self, line: BarLine, full: int, min_bars: int) -> set[int]:
        """The totals, besides those of a pickup, at which `line` may end this bar."""
        if not self._allows_line(line):
            return set()
        if line.closes:
            return {full - self.pickup if self.pickup < full else full}
        may_be_last = line == PLAIN and self._may_end_section and self._may_be_last(min_bars)
        if line.opens or line.is_double or may_be_last:
            return {full, *self._complement_totals(full)}
        return {full} if self.ahead != 1 else set()

    def can_end_bar(self, end: BarEnd, min_bars: int, can_be_pickup: bool) -> bool:
        """Whether a bar may end so; `can_be_pickup` says that a pickup could be as long."""
        if (
            self.is_first_bar
            and end.line in (PLAIN, OPEN)
            and self._may_be_pickup(end, can_be_pickup)
        ):
            return end.announced == self.ahead and not (
                end.line.opens and self.phase == SectionPhase.IN_REPEAT
            )
        if self.is_first_bar and self.due_pickup > 0:
            return False
        return self._allows_count(end) and end.total in self.find_totals(
            end.line, end.full, min_bars
        )

    def _may_be_pickup(self, end: BarEnd, can_be_pickup: bool) -> bool:
        if self.due_pickup == _ANY_PICKUP:
            return can_be_pickup
        return 0 < end.total == self.due_pickup

    @property
    def _may_end_section(self) -> bool:
        return self.ahead == 1 or not self.counts_bars

    def _allows_line(self, line: BarLine) -> bool:
        if line.ends_section and not self._may_end_section:
            return False
        if line == PLAIN:
            return self.phase not in _NO_PLAIN_LINE
        is_unopened = self.counts_bars and self.phase == SectionPhase.NO_REPEAT
        if is_unopened and (line.closes or line.ending):
            return False
        return self.has_bars and line in _REPEAT_LINES[self.phase]

    def _allows_count(self, end: BarEnd) -> bool:
        """Whether the line announces what the lines before it promised."""
        if end.line.ends_section:
            least = 1 if self.phase == SectionPhase.FIRST_ENDING else _MIN_BARS_PER_SECTION
            return end.announced in (UNCOUNTED, 0) or end.announced >= least
        if self.ahead == UNCOUNTED:
            return end.announced in (UNCOUNTED, MAX_COUNT)
        return end.announced == self.ahead - 1

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
        after = self._add_bar(end, num_bars, complete)
        if end.line.ends_section:
            after = self._end_section(end, num_bars, complete)
        elif end.total < end.full and self.phase == SectionPhase.SECOND_ENDING:
            after = self._begin_section(SectionPhase.NO_REPEAT, end, num_bars, complete)
        if end.announced == 0:
            return after._replace(phase=SectionPhase.OVER)
        return after._replace(may_end=False) if self.counts_bars else after

    def allow_any_pickup(self) -> SectionState:
        """The state where the meter changes: what a pickup must complete is no longer known."""
        return self._replace(due_pickup=_ANY_PICKUP) if self.is_first_bar else self

    def begin_second_ending(self, count: int) -> SectionState:
        """The state as the second ending begins."""
        return self._replace(phase=SectionPhase.SECOND_ENDING, has_bars=True, ahead=count)

    def _begin_section(
        self, phase: SectionPhase, end: BarEnd, num_bars: int, may_end: bool = False
    ) -> SectionState:
        lead = end.total if self.is_first_bar and end.total < end.full else 0
        return SectionState(
            phase,
            previous_pickup=lead if end.line == OPEN else 0,
            due_pickup=_ANY_PICKUP if lead else max(0, end.full - end.total),
            ahead=end.announced,
            num_bars=num_bars,
            may_end=may_end,
            counts_bars=self.counts_bars,
        )

    def _end_section(self, end: BarEnd, num_bars: int, complete: bool) -> SectionState:
        if self.phase == SectionPhase.FIRST_ENDING:
            due = SectionPhase.SECOND_ENDING_DUE
            return self._replace(phase=due, num_bars=num_bars, may_end=False, ahead=end.announced)
        if end.line.opens:
            return self._begin_section(SectionPhase.IN_REPEAT, end, num_bars)
        return self._begin_section(SectionPhase.NO_REPEAT, end, num_bars, complete)

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
            ahead=end.announced,
            num_bars=num_bars,
            has_bars=True,
            may_end=complete and not (in_repeat or is_pickup),
        )
