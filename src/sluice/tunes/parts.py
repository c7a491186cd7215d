"""The parts of a tune: which bar line may follow a bar of some length, and what comes of it."""

from __future__ import annotations

from typing import NamedTuple

from sluice.tunes.lengths import Goals
from sluice.tunes.words import BarLine

PLAIN = BarLine()
CLOSE = BarLine(closes=True)


class Part(NamedTuple):
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
    lead: int = 0
    fresh: bool = True
    bars: int = 0
    inside: bool = False
    repeat: bool = False
    ending: int = 0
    due: bool = False
    over: bool = False
    may_end: bool = False

    def goals(self, lines: tuple[BarLine, ...], full: int, least: int) -> Goals:
        """Where this bar may end, by any of these bar lines."""
        totals: set[int] = set()
        for line in lines:
            totals |= self.totals(line, full, least)
        return Goals(full, frozenset(totals), self.fresh)

    def totals(self, line: BarLine, full: int, least: int) -> set[int]:
        """The totals, besides those of a pickup, at which `line` may end this bar."""
        if self.due:
            return set()
        if line.closes:
            possible = self.inside and self.ending != 2 and not (self.ending and line.opens)
            return {full - self._short(full)} if possible else set()
        if line.opens:
            possible = self.inside and not self.repeat and self.ending != 1
            return {full, *self._cut(full)} if possible else set()
        if line.ending:
            return {full} if line.ending == 1 and self.inside and self.ending != 1 else set()
        return {full, *(self._cut(full) if self._may_be_last(least) else ())}

    def fits(self, line: BarLine, total: int, full: int, least: int, a_pickup: bool) -> bool:
        """Whether `line` may end this bar; `a_pickup`: one could be as long."""
        if self.fresh and a_pickup and line in (PLAIN, BarLine(opens=True)):
            return not (line.opens and self.repeat)
        return total in self.totals(line, full, least)

    def _short(self, full: int) -> int:
        return self.pickup if self.pickup < full else 0

    def _cut(self, full: int) -> set[int]:
        """The totals that make up for a pickup."""
        return {full - short for short in (self.pickup, self.lead) if 0 < short < full}

    def _may_be_last(self, least: int) -> bool:
        if self.ending == 2:
            return True
        return self.inside and self.bars + 1 >= least and not self.repeat and not self.ending

    def after(self, line: BarLine, total: int, full: int, least: int, sung: bool) -> Part:
        """Where the tune stands after a bar of this total and this line; `sung`: it has a note."""
        bars = min(self.bars + 1, least)
        enough = bars >= least and sung
        is_pickup = self.fresh and total < full
        if line.closes and self.ending == 1:
            return self._replace(bars=bars, ending=0, due=True, repeat=False, may_end=False)
        if line.closes:
            return Part(bars=bars, repeat=line.opens, may_end=enough and not line.opens)
        if line.opens:
            lead = total if is_pickup else 0
            return Part(lead=lead, fresh=not lead, bars=bars, repeat=True)
        if total < full and self.ending == 2:
            return Part(bars=bars, may_end=enough)
        return self._replace(
            pickup=total if is_pickup else self.pickup,
            fresh=False,
            bars=bars,
            inside=True,
            ending=line.ending or self.ending,
            over=total < full and not is_pickup,
            may_end=enough and not (self.repeat or self.ending == 1 or line.ending or is_pickup),
        )

    def second_ending(self) -> Part:
        """Where it stands as the second ending begins."""
        return self._replace(due=False, ending=2, inside=True, fresh=False)
