"""The cheapest path of a wire along the lines of a grid (Dijkstra's algorithm)."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count

from sluice.errors import SluiceError

Point = tuple[int, int]
RIGHT, LEFT, UP, DOWN = (1, 0), (-1, 0), (0, 1), (0, -1)
DIRECTIONS: tuple[Point, ...] = (RIGHT, LEFT, UP, DOWN)

_TURNS = {
    direction: tuple(turn for turn in DIRECTIONS if turn != (-direction[0], -direction[1]))
    for direction in DIRECTIONS
}
_State = tuple[Point, Point]
"""A point of a path, and the direction in which the path reaches it."""


@dataclass(frozen=True)
class WireEnd:
    """Where a wire begins or ends: a point, the wire's direction there, and what that costs."""

    point: Point
    direction: Point
    cost: int = 0


def move(point: Point, direction: Point) -> Point:
    """The next point in a direction."""
    return point[0] + direction[0], point[1] + direction[1]


def opposite(direction: Point) -> Point:
    """The direction back."""
    return -direction[0], -direction[1]


class SearchLimitError(SluiceError):
    """The search has taken all the steps that it was given."""


@dataclass
class SearchBudget:
    """How many steps searches may still look at together: a count, so that it is repeatable."""

    steps: int

    def spend(self, steps: int) -> None:
        """Take steps off. Raises `SearchLimitError` where none are left."""
        self.steps -= steps
        if self.steps < 0:
            raise SearchLimitError


def find_cheapest_path(
    starts: Iterable[WireEnd],
    ends: Iterable[WireEnd],
    step_cost: Callable[[Point, Point, Point], int | None],
    budget: SearchBudget | None = None,
) -> list[Point] | None:
    """The points of the cheapest path from one of ``starts`` to one of ``ends``; None without any.

    ``step_cost(point, direction, next_direction)`` is what a step costs from a point that was
    reached in ``direction``; None where there is no such step. A path does not continue beyond an
    end. Of paths with equal costs the one found first is taken. Raises `SearchLimitError` where
    ``budget`` is used up.

    Example:
        >>> start, end = WireEnd((0, 0), RIGHT), WireEnd((2, 1), UP)
        >>> def bends_cost(point, direction, next_direction):
        ...     return 1 if direction == next_direction else 5
        >>> find_cheapest_path([start], [end], bends_cost)
        [(0, 0), (1, 0), (2, 0), (2, 1)]
    """
    end_costs = {(end.point, end.direction): end.cost for end in ends}
    costs: dict[_State, int] = {}
    previous: dict[_State, _State] = {}
    order = count()
    queue: list[tuple[int, int, _State, bool]] = []  # whether the cost includes that of the end
    for start in starts:
        state = (start.point, start.direction)
        costs[state] = start.cost
        heapq.heappush(queue, (start.cost, next(order), state, False))
    while queue:
        cost, _, state, is_end = heapq.heappop(queue)
        if is_end:
            return _trace(state, previous)
        if cost > costs[state]:
            continue
        if state in end_costs:
            heapq.heappush(queue, (cost + end_costs[state], next(order), state, True))
            continue
        point, direction = state
        if budget is not None:
            budget.spend(1)
        for turn in _TURNS[direction]:
            extra = step_cost(point, direction, turn)
            if extra is None:
                continue
            after = ((point[0] + turn[0], point[1] + turn[1]), turn)
            total = cost + extra
            if after not in costs or total < costs[after]:
                costs[after], previous[after] = total, state
                heapq.heappush(queue, (total, next(order), after, False))
    return None


def _trace(state: _State, previous: dict[_State, _State]) -> list[Point]:
    path = [state[0]]
    while state in previous:
        state = previous[state]
        path.append(state[0])
    return path[::-1]
