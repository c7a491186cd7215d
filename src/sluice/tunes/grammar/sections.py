"""The parts of a tune: which bar line may follow a bar of some length, and what comes of it."""

from __future__ import annotations

from typing import NamedTuple

from sluice.tunes.grammar.alphabet import BarLine
from sluice.tunes.theory.durations import BarGoals

PLAIN = BarLine()
CLOSE = BarLine(closes=True)


class SectionState(NamedTuple):
    """Where a tune stands as a bar begins; times in ticks.

    Attributes:
        pickup: how long the pickup of this part was; 0: it had none.
        lead: the same of a pickup before the `|:` that began this part.
        fresh: whether this bar is the first of a part, and so may be a pickup.
        bars: of the tune so far, counted no further than it must have.
        inside: whether this part has a bar already.
        repeat: whether a `|:` waits for its `:|`.
        ending: 1 within a first ending, 2 after a second one began.
        due: whether the second ending must begin now.
        over: whether the last bar made up for a pickup, so that the tune is over.
        may_end: whether the tune may end here.
    """

    pickup: int = 0
    previous_pickup: int = 0
    is_first_bar: bool = True
    num_bars: int = 0
    has_bars: bool = False
    in_repeat: bool = False
    ending: int = 0
    second_ending_due: bool = False
    is_over: bool = False
    may_end: bool = False

    def find_goals(self, lines: tuple[BarLine, ...], full: int, least: int) -> BarGoals:
        """Where this bar may end, by any of these bar lines."""
        totals: set[int] = set()
        for line in lines:
            totals |= self.find_totals(line, full, least)
        return BarGoals(full, frozenset(totals), self.is_first_bar)

    def find_totals(self, line: BarLine, full: int, least: int) -> set[int]:
        """The totals, besides those of a pickup, at which `line` may end this bar."""
        if self.second_ending_due:
            return set()
        if line.closes:
            possible = self.has_bars and self.ending != 2 and not (self.ending and line.opens)
            return {full - self._pickup_length(full)} if possible else set()
        if line.opens:
            possible = self.has_bars and not self.in_repeat and self.ending != 1
            return {full, *self._complement_totals(full)} if possible else set()
        if line.ending:
            return {full} if line.ending == 1 and self.has_bars and self.ending != 1 else set()
        return {full, *(self._complement_totals(full) if self._may_be_last(least) else ())}

    def can_end_bar(
        self, line: BarLine, total: int, full: int, least: int, can_be_pickup: bool
    ) -> bool:
        """Whether `line` may end this bar; `a_pickup`: one could be as long."""
        if self.is_first_bar and can_be_pickup and line in (PLAIN, BarLine(opens=True)):
            return not (line.opens and self.in_repeat)
        return total in self.find_totals(line, full, least)

    def _pickup_length(self, full: int) -> int:
        return self.pickup if self.pickup < full else 0

    def _complement_totals(self, full: int) -> set[int]:
        """The totals that make up for a pickup."""
        return {full - short for short in (self.pickup, self.previous_pickup) if 0 < short < full}

    def _may_be_last(self, least: int) -> bool:
        if self.ending == 2:
            return True
        return (
            self.has_bars and self.num_bars + 1 >= least and not self.in_repeat and not self.ending
        )

    def advance(
        self, line: BarLine, total: int, full: int, least: int, has_note: bool
    ) -> SectionState:
        """Where the tune stands after a bar of this total and this line; `sung`: it has a note."""
        bars = min(self.num_bars + 1, least)
        enough = bars >= least and has_note
        is_pickup = self.is_first_bar and total < full
        if line.closes and self.ending == 1:
            return self._replace(
                num_bars=bars, ending=0, second_ending_due=True, in_repeat=False, may_end=False
            )
        if line.closes:
            return SectionState(
                num_bars=bars, in_repeat=line.opens, may_end=enough and not line.opens
            )
        if line.opens:
            lead = total if is_pickup else 0
            return SectionState(
                previous_pickup=lead, is_first_bar=not lead, num_bars=bars, in_repeat=True
            )
        if total < full and self.ending == 2:
            return SectionState(num_bars=bars, may_end=enough)
        return self._replace(
            pickup=total if is_pickup else self.pickup,
            is_first_bar=False,
            num_bars=bars,
            has_bars=True,
            ending=line.ending or self.ending,
            is_over=total < full and not is_pickup,
            may_end=enough and not (self.in_repeat or self.ending == 1 or line.ending or is_pickup),
        )

    def begin_second_ending(self) -> SectionState:
        """Where it stands as the second ending begins."""
        return self._replace(second_ending_due=False, ending=2, has_bars=True, is_first_bar=False)
