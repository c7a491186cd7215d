"""Ways to fill a bar, against exhaustive search."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.tunes.theory.durations import UNREACHABLE, BarGoals, DurationSolver, OpenTuplet

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
    return min(found, default=UNREACHABLE)


@pytest.mark.parametrize("halves", range(9))
def test_the_fewest_tokens_that_fill_a_time(halves: int) -> None:
    lengths, time = DurationSolver(SPOKEN, [3]), Fraction(halves, 2)
    assert lengths.tokens_to_fill(lengths.to_ticks(time)) == fewest(time, SPOKEN)


def test_durations_that_no_notes_fill() -> None:
    lengths = DurationSolver([Fraction(2)], [3])
    assert lengths.tokens_to_fill(lengths.to_ticks(Fraction(1, 3))) == UNREACHABLE
    assert lengths.tokens_to_fill(-lengths.eighth_ticks) == UNREACHABLE
    assert not lengths.is_exact(Fraction(1, 7))
    assert lengths.can_be_pickup(lengths.eighth_ticks, 2 * lengths.eighth_ticks)
    assert not lengths.can_be_pickup(0, lengths.eighth_ticks)


@given(st.integers(0, 8), st.integers(1, 2), st.sampled_from([(2, 3), (3, 2), (4, 6)]))
@settings(deadline=None, max_examples=12)
def test_a_tuplet_that_ends_where_the_bar_can_be_filled(
    halves: int, left: int, scale: tuple[int, int]
) -> None:
    """Every choice of lengths within the tuplet, and of up to four events behind it."""
    time, notes = scale
    lengths, full, passed = DurationSolver(SPOKEN, [2, 3, 6]), Fraction(5), Fraction(halves, 2)
    ticks = lengths.to_ticks(full)
    goals = BarGoals(ticks, frozenset([ticks]), allows_pickup=False)
    costs = dict.fromkeys(SPOKEN, 2) | {Fraction(1): 1}
    expected = min(
        sum(costs[one] for one in events) + fewest(rest, SPOKEN, 3)
        for events in product(costs, repeat=left)
        if (rest := full - passed - sum(events) * Fraction(time, notes)) or True
    )
    found = lengths.min_tokens(lengths.to_ticks(passed), OpenTuplet(left, time, notes), goals)
    assert found == min(expected, UNREACHABLE)


def test_a_pickup_may_end_up_to_half_a_bar_where_its_complement_can_be_filled() -> None:
    lengths = DurationSolver([Fraction(2)])
    goals = BarGoals(4, frozenset(), allows_pickup=True)
    assert [lengths.min_tokens(passed, None, goals) for passed in range(5)] == [
        UNREACHABLE,
        0,
        0,
        UNREACHABLE,
        UNREACHABLE,
    ]
    assert dict(lengths.next_ticks(0, None, goals)) == {1: 0, 2: 0}
