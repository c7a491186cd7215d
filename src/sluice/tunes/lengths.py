"""Which lengths a bar can be filled with, given the lengths that tokens can say."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NEVER = 1 << 30
"""How many tokens it takes to do what cannot be done."""

LONGEST = 32
"""The longest bar, in eighths."""

LARGEST_TUPLET = 9
"""In events."""

Counts = NDArray[np.int64]


class Tuplet(NamedTuple):
    """The events still to come (`left`), each lasting `time` / `notes` of what it says."""

    left: int
    time: int
    notes: int

    def scaled(self, ticks: int) -> int:
        return ticks * self.time // self.notes

    def after_one(self) -> Tuplet | None:
        return self._replace(left=self.left - 1) if self.left > 1 else None


class Goals(NamedTuple):
    """The totals, in ticks, at which a bar may end: some, and if `free` those of a pickup."""

    full: int
    totals: frozenset[int]
    free: bool


class Lengths:
    """Counts in whole ticks, so that every length of a token, and of it in a tuplet, is exact.

    Plain notes move in steps, which are some ticks long; within tuplets what lies between counts.

    Args:
        spoken: the lengths in eighths that tokens say; one eighth needs no token.
        tuplets: over how many notes tuplets go.
    """

    def __init__(self, spoken: Collection[Fraction], tuplets: Iterable[int] = ()) -> None:
        fine = math.lcm(*(length.denominator for length in spoken))
        self._step = math.lcm(*tuplets)
        self.eighth = fine * self._step
        #: Ticks an event may last: with how many tokens after its pitch.
        self.costs = {self.ticks(length): 1 for length in spoken} | {self.eighth: 0}
        self._steps = {ticks // self._step: 1 + cost for ticks, cost in self.costs.items()}
        self._fill = self._filled(LONGEST * fine)
        self._sums = self._summed(2 * LONGEST * fine)
        self._base = lru_cache(maxsize=None)(self._base_of)
        self._offsets = lru_cache(maxsize=None)(self._offsets_of)
        self._ways = lru_cache(maxsize=100_000)(self._ways_of)

    def _filled(self, most: int) -> list[int]:
        """The fewest tokens for so many steps, up to `most`."""
        fewest = [0]
        for here in range(1, most + 1):
            ways = [fewest[here - n] + cost for n, cost in self._steps.items() if n <= here]
            fewest.append(min(ways, default=NEVER))
        return [min(count, NEVER) for count in fewest]

    def _summed(self, most: int) -> list[Counts]:
        """For each number of events, the fewest tokens for their sum of so many steps."""
        sums = [np.full(most + 1, NEVER)]
        sums[0][0] = 0
        for _ in range(LARGEST_TUPLET):
            longer = np.full(most + 1, NEVER)
            for steps, cost in self._steps.items():
                longer[steps:] = np.minimum(longer[steps:], sums[-1][: most + 1 - steps] + cost)
            sums.append(np.minimum(longer, NEVER))
        return sums

    def exact(self, eighths: Fraction) -> bool:
        """Whether a length is a whole number of ticks."""
        return (eighths * self.eighth).denominator == 1

    def ticks(self, eighths: Fraction) -> int:
        return int(eighths * self.eighth)

    def fill(self, ticks: int) -> int:
        """The fewest tokens whose plain notes fill this time exactly, or `NEVER`."""
        steps, rest = divmod(ticks, self._step)
        return NEVER if rest or not 0 <= steps < len(self._fill) else self._fill[steps]

    def slowest(self, full: int) -> int:
        """The most tokens that a time up to this one needs, of those that can be filled."""
        return max(cost for cost in self._fill[: full // self._step + 1] if cost < NEVER)

    def pickup(self, ticks: int, full: int) -> bool:
        """Whether a pickup may be this long: some notes, and some left to complement it."""
        return 0 < ticks <= full and max(self.fill(ticks), self.fill(full - ticks)) < NEVER

    def need(self, passed: int, tuplet: Tuplet | None, goals: Goals) -> int:
        """The fewest tokens from here to a total where the bar may end, or `NEVER`."""
        steps, rest = divmod(passed, self._step)
        base = self._base(goals)
        if tuplet is None:
            return NEVER if rest or steps >= len(base) else int(base[steps])
        offsets, costs = self._offsets(tuplet, rest)
        inside = offsets.searchsorted(len(base) - steps)
        if not inside:
            return NEVER
        ways = costs[:inside] + base[steps + offsets[:inside]]
        return min(int(ways.min()), NEVER)

    def _base_of(self, goals: Goals) -> Counts:
        """`need` where no tuplet is under way, for every number of steps up to a full bar."""
        whole = goals.full // self._step
        fill = np.array(self._fill)
        base = np.full(whole + 1, NEVER)
        for total in goals.totals:
            here = total // self._step
            base[: here + 1] = np.minimum(base[: here + 1], fill[here::-1])
        if goals.free:
            possible = np.maximum(fill[: whole + 1], fill[whole::-1]) < NEVER
            base[1:][possible[1:]] = 0
        return base

    def _offsets_of(self, tuplet: Tuplet, rest: int) -> tuple[Counts, Counts]:
        """How many steps on a tuplet may end, `rest` ticks past a step, and with what tokens."""
        costs = self._sums[tuplet.left]
        ends = rest + np.arange(len(costs)) * (self._step * tuplet.time // tuplet.notes)
        useful = (ends % self._step == 0) & (costs < NEVER)
        return ends[useful] // self._step, costs[useful]

    def possible(self, passed: int, tuplet: Tuplet | None, goals: Goals) -> Mapping[int, int]:
        """The ticks that the next event may say: with how many tokens more to the bar's end."""
        return self._ways(passed, tuplet, goals)

    def _ways_of(self, passed: int, tuplet: Tuplet | None, goals: Goals) -> dict[int, int]:
        rest = None if tuplet is None else tuplet.after_one()
        ways = {}
        for ticks in self.costs:
            lasts = ticks if tuplet is None else tuplet.scaled(ticks)
            more = self.need(passed + lasts, rest, goals)
            if more < NEVER:
                ways[ticks] = more
        return ways
