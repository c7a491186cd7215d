"""Paths along a grid, against costs counted by hand and against an exhaustive search."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from sluice.render.sketch.search import (
    DIRECTIONS,
    RIGHT,
    UP,
    Point,
    SearchBudget,
    SearchLimitError,
    WireEnd,
    find_cheapest_path,
    move,
    opposite,
)

SIZE = 4


def path_cost(path: list[Point], costs: dict[tuple[Point, Point], int]) -> int:
    return sum(costs[here, there] for here, there in pairwise(path))


def exhaustive(
    point: Point, direction: Point, end: WireEnd, costs: dict[tuple[Point, Point], int]
) -> int | None:
    """The least cost of a path without turning back, by relaxing every step until none improves."""
    least = {(point, direction): 0}
    changed = True
    while changed:
        changed = False
        for (here, way), cost in list(least.items()):
            for turn in DIRECTIONS:
                there = move(here, turn)
                if turn == opposite(way) or (here, there) not in costs:
                    continue
                total = cost + costs[here, there]
                if total < least.get((there, turn), 1 << 30):
                    least[there, turn], changed = total, True
    found = least.get((end.point, end.direction))
    return None if found is None else found + end.cost


def test_paths_are_the_cheapest_of_all() -> None:
    generator = random.Random(3)
    points = [(x, y) for x in range(SIZE) for y in range(SIZE)]
    closed = 0
    for _ in range(60):
        steps = {(p, move(p, d)): generator.randint(1, 9) for p in points for d in DIRECTIONS}
        costs = {
            step: cost
            for step, cost in steps.items()
            if step[1] in points and generator.random() < 0.75
        }
        start, end = WireEnd((0, 0), RIGHT), WireEnd((SIZE - 1, SIZE - 1), UP)

        def step_cost(
            point: Point, _: Point, turn: Point, costs: dict[tuple[Point, Point], int] = costs
        ) -> int | None:
            return costs.get((point, move(point, turn)))

        path = find_cheapest_path([start], [end], step_cost)
        expected = exhaustive(start.point, start.direction, end, costs)
        if path is None:
            assert expected is None
            closed += 1
        else:
            assert path[0] == start.point and path[-1] == end.point
            assert path_cost(path, costs) == expected
    assert 0 < closed < 40


def test_a_search_stops_where_its_budget_ends() -> None:
    start, end = WireEnd((0, 0), RIGHT), WireEnd((9, 0), RIGHT)
    enough = SearchBudget(1000)
    assert find_cheapest_path([start], [end], lambda *_: 1, enough) is not None
    spent = 1000 - enough.steps
    assert find_cheapest_path([start], [end], lambda *_: 1, SearchBudget(spent)) is not None
    with pytest.raises(SearchLimitError):
        find_cheapest_path([start], [end], lambda *_: 1, SearchBudget(spent - 1))


def test_the_cost_of_an_end_counts() -> None:
    start = WireEnd((0, 0), RIGHT)
    near, far = WireEnd((1, 0), RIGHT, cost=5), WireEnd((0, 2), UP)
    up = [(0, 0), (0, 1), (0, 2)]
    assert find_cheapest_path([start], [near, far], lambda *_: 1) == up  # 2, against 1 + 5
    assert find_cheapest_path([start], [near, far], lambda *_: 6) == [(0, 0), (1, 0)]  # 11, 12


def test_what_steps_cost_at_least_changes_the_time_and_not_the_path() -> None:
    """Also of many cheapest paths: the first that Dijkstra's algorithm finds is taken."""
    generator = random.Random(5)
    fewer = 0
    for _ in range(200):
        width, height = generator.randint(3, 14), generator.randint(3, 14)
        points = [(x, y) for x in range(width) for y in range(height)]
        walls = set(generator.sample(points, len(points) // 4))
        dear = {point: generator.choice((0, 0, 0, 5)) for point in points}

        def step_cost(
            point: Point,
            direction: Point,
            turn: Point,
            walls: set[Point] = walls,
            dear: dict[Point, int] = dear,
        ) -> int | None:
            after = move(point, turn)
            if after not in dear or after in walls:
                return None
            return 1 + (4 if direction != turn else 0) + dear[after]

        starts, ends = (
            [
                WireEnd(generator.choice(points), generator.choice(DIRECTIONS), cost)
                for cost in generator.choices((0, 2, 8, 12), k=generator.randint(1, 4))
            ]
            for _ in range(2)
        )
        blind, guided = SearchBudget(1 << 30), SearchBudget(1 << 30)
        path = find_cheapest_path(starts, ends, step_cost, blind)
        assert path == find_cheapest_path(
            starts, ends, step_cost, guided, least_step=1, least_bend=4
        )
        assert guided.steps >= blind.steps
        fewer += path is not None and guided.steps > blind.steps + 50
    assert fewer > 30
