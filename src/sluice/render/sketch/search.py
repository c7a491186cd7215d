"""The cheapest path of a wire along the lines of a grid (A* and Dijkstra's algorithm)."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
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
    *,
    least_step: int = 0,
    least_bend: int = 0,
) -> list[Point] | None:
    """The points of the cheapest path from one of ``starts`` to one of ``ends``; None without any.

    ``step_cost(point, direction, next_direction)`` is what a step costs from a point that was
    reached in ``direction``; None where there is no such step. A path does not continue beyond an
    end. Of paths with equal costs the one found first is taken. Raises `SearchLimitError` where
    ``budget`` is used up.

    No step may cost less than ``least_step``, and none with a bend less than both together: the
    more they say, the fewer steps are looked at, and the path stays the same. A* finds the least
    cost; then Dijkstra's algorithm, which says which path is the first, passes over what would cost
    more.

    Example:
        >>> start, end = WireEnd((0, 0), RIGHT), WireEnd((2, 1), UP)
        >>> def bends_cost(point, direction, next_direction):
        ...     return 1 if direction == next_direction else 5
        >>> find_cheapest_path([start], [end], bends_cost, least_step=1, least_bend=4)
        [(0, 0), (1, 0), (2, 0), (2, 1)]
    """
    starts, ends = list(starts), list(ends)
    estimate = _build_estimate(ends, least_step, least_bend)
    found = _search(starts, ends, step_cost, estimate, None, budget)
    if found is None or not least_step:  # without an estimate the first search was Dijkstra's
        return None if found is None else found[1]
    path = _search(starts, ends, step_cost, estimate, found[0], None)
    assert path is not None
    return path[1]


def _search(
    starts: Sequence[WireEnd],
    ends: Sequence[WireEnd],
    step_cost: Callable[[Point, Point, Point], int | None],
    estimate: Callable[[_State], int],
    limit: int | None,
    budget: SearchBudget | None,
) -> tuple[int, list[Point]] | None:
    """The cheapest path and its cost: by A*, or with a ``limit`` in the order of costs alone."""
    end_costs = {(end.point, end.direction): end.cost for end in ends}
    costs: dict[_State, int] = {}
    previous: dict[_State, _State] = {}
    order = count()
    # What decides, the order of pushing, the cost, and whether it includes that of the end.
    queue: list[tuple[int, int, int, _State, bool]] = []
    for start in starts:
        state = (start.point, start.direction)
        costs[state] = start.cost
        first = start.cost + estimate(state) if limit is None else start.cost
        heapq.heappush(queue, (first, next(order), start.cost, state, False))
    while queue:
        _, _, cost, state, is_end = heapq.heappop(queue)
        if is_end:
            return cost, _trace(state, previous)
        if cost > costs[state]:
            continue
        if state in end_costs:
            total = cost + end_costs[state]
            heapq.heappush(queue, (total, next(order), total, state, True))
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
                whole = total + estimate(after)
                if limit is not None and whole > limit:
                    continue
                costs[after], previous[after] = total, state
                first = whole if limit is None else total
                heapq.heappush(queue, (first, next(order), total, after, False))
    return None


def _build_estimate(
    ends: Sequence[WireEnd], least_step: int, least_bend: int
) -> Callable[[_State], int]:
    """What the rest of a path costs at least: the way to the nearest end, and its bends."""
    if not least_step:
        return lambda state: 0
    places = [(*end.point, end.direction, end.cost) for end in ends]
    known: dict[_State, int] = {}

    def estimate(state: _State) -> int:
        found = known.get(state)
        if found is None:
            (x, y), direction = state
            found = 1 << 60
            for end_x, end_y, end_direction, cost in places:
                right, up = end_x - x, end_y - y
                if direction != end_direction:
                    bends = 1
                else:  # straight ahead, or aside and back
                    ahead = right * direction[0] + up * direction[1]
                    bends = 0 if ahead == abs(right) + abs(up) else 2
                whole = (abs(right) + abs(up)) * least_step + bends * least_bend + cost
                found = min(found, whole)
            known[state] = found
        return found

    return estimate


def _trace(state: _State, previous: dict[_State, _State]) -> list[Point]:
    path = [state[0]]
    while state in previous:
        state = previous[state]
        path.append(state[0])
    return path[::-1]
