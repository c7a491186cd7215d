"""Ways to fill a bar, against trying everything."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.tunes.lengths import NEVER, Goals, Lengths, Tuplet

SPOKEN = [Fraction(2), Fraction(3), Fraction(1, 2), Fraction(3, 2)]


def fewest(target: Fraction, spoken: list[Fraction], most: int = 4) -> int:
    """The fewest tokens of at most four events that last exactly `target`."""
    costs = dict.fromkeys(spoken, 2) | {Fraction(1): 1}
    found = [
        sum(costs[one] for one in events)
        for count in range(most + 1)
        for events in product(costs, repeat=count)
        if sum(events) == target
    ]
    return min(found, default=NEVER)


@pytest.mark.parametrize("halves", range(9))
def test_the_fewest_tokens_that_fill_a_time(halves: int) -> None:
    lengths, time = Lengths(SPOKEN, [3]), Fraction(halves, 2)
    assert lengths.fill(lengths.ticks(time)) == fewest(time, SPOKEN)


def test_what_no_notes_fill() -> None:
    lengths = Lengths([Fraction(2)], [3])
    assert lengths.fill(lengths.ticks(Fraction(1, 3))) == NEVER
    assert lengths.fill(-lengths.eighth) == NEVER
    assert not lengths.exact(Fraction(1, 7))
    assert lengths.pickup(lengths.eighth, 2 * lengths.eighth)
    assert not lengths.pickup(0, lengths.eighth)


@given(st.integers(0, 8), st.integers(1, 2), st.sampled_from([(2, 3), (3, 2), (4, 6)]))
@settings(deadline=None, max_examples=12)
def test_a_tuplet_that_ends_where_the_bar_can_be_filled(
    halves: int, left: int, scale: tuple[int, int]
) -> None:
    """Every choice of lengths within the tuplet, and of up to four events behind it."""
    time, notes = scale
    lengths, full, passed = Lengths(SPOKEN, [2, 3, 6]), Fraction(5), Fraction(halves, 2)
    ticks = lengths.ticks(full)
    goals = Goals(ticks, frozenset([ticks]), free=False)
    costs = dict.fromkeys(SPOKEN, 2) | {Fraction(1): 1}
    expected = min(
        sum(costs[one] for one in events) + fewest(rest, SPOKEN, 3)
        for events in product(costs, repeat=left)
        if (rest := full - passed - sum(events) * Fraction(time, notes)) or True
    )
    found = lengths.need(lengths.ticks(passed), Tuplet(left, time, notes), goals)
    assert found == min(expected, NEVER)


def test_a_pickup_may_end_wherever_its_complement_can_be_filled() -> None:
    lengths = Lengths([Fraction(2)])
    goals = Goals(4, frozenset(), free=True)
    assert [lengths.need(passed, None, goals) for passed in range(5)] == [NEVER, 0, 0, 0, 0]
    assert dict(lengths.possible(0, None, goals)) == {1: 0, 2: 0}
