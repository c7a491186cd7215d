"""Which lengths a bar can be filled with, given the lengths that tokens can say."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

UNREACHABLE = 1 << 30
"""How many tokens it takes to do what cannot be done."""

MAX_BAR_EIGHTHS = 32
"""The longest bar, in eighths."""

MAX_TUPLET_EVENTS = 9
"""In events."""

Counts = NDArray[np.int64]


class OpenTuplet(NamedTuple):
    """The events still to come (`left`), each lasting `time` / `notes` of what it says."""

    events_left: int
    time: int
    notes: int

    def scale(self, ticks: int) -> int:
        return ticks * self.time // self.notes

    def advance(self) -> OpenTuplet | None:
        return self._replace(events_left=self.events_left - 1) if self.events_left > 1 else None


class BarGoals(NamedTuple):
    """The totals, in ticks, at which a bar may end: some, and if `free` those of a pickup."""

    full_bar: int
    totals: frozenset[int]
    allows_pickup: bool


class DurationSolver:
    """Counts in whole ticks, so that every length of a token, and of it in a tuplet, is exact.

    Plain notes move in steps, which are some ticks long; within tuplets what lies between counts.

    Args:
        spoken: the lengths in eighths that tokens say; one eighth needs no token.
        tuplets: over how many notes tuplets go.
    """

    def __init__(self, durations: Collection[Fraction], tuplets: Iterable[int] = ()) -> None:
        fine = math.lcm(*(length.denominator for length in durations))
        self.step_ticks = math.lcm(*tuplets)
        self.eighth_ticks = fine * self.step_ticks
        #: Ticks an event may last: with how many tokens after its pitch.
        self.costs = {self.to_ticks(length): 1 for length in durations} | {self.eighth_ticks: 0}
        self._steps = {ticks // self.step_ticks: 1 + cost for ticks, cost in self.costs.items()}
        self._fill_costs = self._compute_fill_costs(MAX_BAR_EIGHTHS * fine)
        self._sum_costs = self._compute_sum_costs(2 * MAX_BAR_EIGHTHS * fine)
        self._base = lru_cache(maxsize=None)(self._compute_base)
        self._offsets = lru_cache(maxsize=None)(self._compute_offsets)
        self._next_ticks = lru_cache(maxsize=100_000)(self._compute_next_ticks)

    def _compute_fill_costs(self, most: int) -> list[int]:
        """The fewest tokens for so many steps, up to `most`."""
        fewest = [0]
        for here in range(1, most + 1):
            ways = [fewest[here - n] + cost for n, cost in self._steps.items() if n <= here]
            fewest.append(min(ways, default=UNREACHABLE))
        return [min(count, UNREACHABLE) for count in fewest]

    def _compute_sum_costs(self, most: int) -> list[Counts]:
        """For each number of events, the fewest tokens for their sum of so many steps."""
        sums = [np.full(most + 1, UNREACHABLE)]
        sums[0][0] = 0
        for _ in range(MAX_TUPLET_EVENTS):
            longer = np.full(most + 1, UNREACHABLE)
            for steps, cost in self._steps.items():
                longer[steps:] = np.minimum(longer[steps:], sums[-1][: most + 1 - steps] + cost)
            sums.append(np.minimum(longer, UNREACHABLE))
        return sums

    def is_exact(self, eighths: Fraction) -> bool:
        """Whether a length is a whole number of ticks."""
        return (eighths * self.eighth_ticks).denominator == 1

    def to_ticks(self, eighths: Fraction) -> int:
        return int(eighths * self.eighth_ticks)

    def tokens_to_fill(self, ticks: int) -> int:
        """The fewest tokens whose plain notes fill this time exactly, or `UNREACHABLE`."""
        steps, rest = divmod(ticks, self.step_ticks)
        return (
            UNREACHABLE
            if rest or not 0 <= steps < len(self._fill_costs)
            else self._fill_costs[steps]
        )

    def max_tokens_to_fill(self, full: int) -> int:
        """The most tokens that a time up to this one needs, of those that can be filled."""
        return max(
            cost for cost in self._fill_costs[: full // self.step_ticks + 1] if cost < UNREACHABLE
        )

    def can_be_pickup(self, ticks: int, full: int) -> bool:
        """Whether a pickup may be this long: some notes, at most half a bar, and some left to
        complement it."""
        return (
            0 < 2 * ticks <= full
            and max(self.tokens_to_fill(ticks), self.tokens_to_fill(full - ticks)) < UNREACHABLE
        )

    def min_tokens(self, passed: int, tuplet: OpenTuplet | None, goals: BarGoals) -> int:
        """The fewest tokens from here to a total where the bar may end, or `UNREACHABLE`."""
        steps, rest = divmod(passed, self.step_ticks)
        base = self._base(goals)
        if tuplet is None:
            return UNREACHABLE if rest or steps >= len(base) else int(base[steps])
        offsets, costs = self._offsets(tuplet, rest)
        inside = offsets.searchsorted(len(base) - steps)
        if not inside:
            return UNREACHABLE
        ways = costs[:inside] + base[steps + offsets[:inside]]
        return min(int(ways.min()), UNREACHABLE)

    def _compute_base(self, goals: BarGoals) -> Counts:
        """`need` where no tuplet is under way, for every number of steps up to a full bar."""
        whole = goals.full_bar // self.step_ticks
        fill = np.array(self._fill_costs)
        base = np.full(whole + 1, UNREACHABLE)
        for total in goals.totals:
            here = total // self.step_ticks
            base[: here + 1] = np.minimum(base[: here + 1], fill[here::-1])
        if goals.allows_pickup:
            possible = np.maximum(fill[: whole + 1], fill[whole::-1]) < UNREACHABLE
            possible[whole // 2 + 1 :] = False
            base[1:][possible[1:]] = 0
        return base

    def _compute_offsets(self, tuplet: OpenTuplet, rest: int) -> tuple[Counts, Counts]:
        """How many steps on a tuplet may end, `rest` ticks past a step, and with what tokens."""
        costs = self._sum_costs[tuplet.events_left]
        ends = rest + np.arange(len(costs)) * (self.step_ticks * tuplet.time // tuplet.notes)
        useful = (ends % self.step_ticks == 0) & (costs < UNREACHABLE)
        return ends[useful] // self.step_ticks, costs[useful]

    def next_ticks(
        self, passed: int, tuplet: OpenTuplet | None, goals: BarGoals
    ) -> Mapping[int, int]:
        """The ticks that the next event may say: with how many tokens more to the bar's end."""
        return self._next_ticks(passed, tuplet, goals)

    def _compute_next_ticks(
        self, passed: int, tuplet: OpenTuplet | None, goals: BarGoals
    ) -> dict[int, int]:
        rest = None if tuplet is None else tuplet.advance()
        ways = {}
        for ticks in self.costs:
            lasts = ticks if tuplet is None else tuplet.scale(ticks)
            more = self.min_tokens(passed + lasts, rest, goals)
            if more < UNREACHABLE:
                ways[ticks] = more
        return ways
