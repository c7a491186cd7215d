"""Where the states, arrows and labels of a state diagram stand, in inches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from sluice.insight.machines.state_machine import StateMachine

Point = NDArray[np.float64]
_BENDS = (0.0, 0.18, -0.18, 0.34, -0.34, 0.5, -0.5, 0.7, -0.7, 0.95, -0.95)
_PLACES = (0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74)
_ANGLES = (90, -90, 45, 135, -45, -135, 0, 180, 67, 112, -67, -112)
_SAMPLES = 25


@dataclass(frozen=True)
class LabelArea:
    """A label's place: its centre, and half its width and height."""

    centre: Point
    half: Point

    def contains(self, points: Point, margin: float = 0.0) -> NDArray[np.bool_]:
        """Which points, ``(..., 2)``, lie within it."""
        inside = np.abs(points - self.centre) < self.half + margin
        return np.asarray(inside[..., 0] & inside[..., 1])


@dataclass(frozen=True)
class Arrow:
    """An arrow from state to state: control points of its Bézier curve, and its label's box."""

    source: int
    target: int
    symbols: tuple[str, ...]
    control: Point
    box: LabelArea

    @cached_property
    def points(self) -> Point:
        """Points along the curve."""
        return _trace(self.control)


@dataclass
class Diagram:
    """The parts of a state diagram.

    Attributes:
        radius: of the circles.
        centres: ``(states, 2)``.
        arrows: those drawn, one for all symbols that lead from a state to another.
    """

    radius: float
    centres: Point
    arrows: list[Arrow] = field(default_factory=list)

    @property
    def bounds(self) -> tuple[Point, Point]:
        """The lower left and the upper right corner of all that is drawn."""
        parts = [self.centres - self.radius, self.centres + self.radius]
        for arrow in self.arrows:
            corners = [arrow.box.centre - arrow.box.half, arrow.box.centre + arrow.box.half]
            parts += [arrow.points, np.array(corners)]
        every = np.concatenate(parts)
        return every.min(0), every.max(0)


def lay_out(
    machine: StateMachine, radius: float, line_height: float, character: float, hidden: set[int]
) -> Diagram:
    """States in columns by their distance from the start, traps below; arrows without collisions.

    Args:
        machine: What is drawn.
        radius: Of the circles.
        line_height: Of a label's line.
        character: The width of a label's character.
        hidden: States that are left out, with the arrows that lead there.
    """
    groups: dict[tuple[int, int], list[str]] = {}
    for state, row in enumerate(machine.transitions):
        for symbol, to in zip(machine.alphabet, row, strict=True):
            if not {state, to} & hidden:
                groups.setdefault((state, to), []).append(symbol)
    halves = {pair: _measure(label, line_height, character) for pair, label in groups.items()}
    widest = max((half[0] for half in halves.values()), default=0.0)
    tallest = max((half[1] for half in halves.values()), default=0.0)
    step = np.array([2 * radius + max(0.95, 2 * widest + 0.6), 2 * radius + 0.8 + 2 * tallest])
    diagram = Diagram(radius, _place_states(machine, hidden) * step)
    straight = [pair for pair in groups if pair[0] != pair[1]]
    distance = {p: np.linalg.norm(np.subtract(*diagram.centres[list(p)])) for p in straight}
    start = diagram.centres[machine.start] - [radius + 0.3, 0.0]
    taken = [LabelArea(start, np.array([0.3, 0.12]))]
    for pair in groups:
        if pair[0] == pair[1]:
            near = {p[1 - p.index(pair[0])] for p in straight if pair[0] in p}
            diagram.arrows.append(
                _route_loop(diagram, pair[0], near, groups[pair], halves[pair], taken)
            )
    for pair in sorted(straight, key=lambda one: float(distance[one])):
        both = pair[::-1] in groups
        diagram.arrows.append(_route(diagram, pair, groups[pair], halves[pair], both, taken))
    return diagram


def split_label(symbols: Sequence[str]) -> str:
    """Symbols of an arrow: in one line where they are short, one a line otherwise."""
    text = ", ".join(symbols)
    return text if len(text) <= 9 else "\n".join(symbols)


def _measure(symbols: Sequence[str], line_height: float, character: float) -> Point:
    lines = split_label(symbols).split("\n")
    size = [character * max(map(len, lines)) + 0.08, line_height * len(lines) + 0.04]
    return np.array(size) / 2


def _place_states(machine: StateMachine, hidden: set[int]) -> Point:
    """Columns and rows, in steps: by distance from the start, near what leads there."""
    traps = {s for s in machine.find_traps() if s != machine.start and len(machine) > 2}
    level, waiting = {machine.start: 0}, [machine.start]
    for state in waiting:
        for to in machine.transitions[state]:
            if to not in level and to not in traps | hidden:
                level[to] = level[state] + 1
                waiting.append(to)
    places = np.zeros((len(machine), 2))
    for column in range(max(level.values()) + 1):
        states = [state for state in waiting if level[state] == column]
        height = {s: np.mean([places[q, 1] for q in _list_sources(machine, s, level)] or [0.0])
                  for s in states}  # fmt: skip
        states.sort(key=lambda state: -float(height[state]))
        for row, state in enumerate(states):
            places[state] = column, (len(states) - 1) / 2 - row
    unplaced = [s for s in range(len(machine)) if s not in level and s not in traps | hidden]
    below = places[list(level), 1].min() - 1.0
    middle = places[list(level), 0].mean()
    rest = [*sorted(traps - hidden), *unplaced]
    for place, state in enumerate(rest):
        places[state] = middle + place - (len(rest) - 1) / 2, below
    for state in hidden:
        places[state] = places[machine.start]
    return places


def _list_sources(machine: StateMachine, state: int, level: dict[int, int]) -> list[int]:
    return [s for s in level if level[s] < level[state] and state in machine.transitions[s]]


def _route(
    diagram: Diagram,
    pair: tuple[int, int],
    symbols: Iterable[str],
    half: Point,
    both: bool,
    taken: list[LabelArea],
) -> Arrow:
    """The least bent curve, and place of its label, that meets nothing."""
    ends, best, least = diagram.centres[list(pair)], None, np.inf
    obstacles = _list_obstacles(diagram, taken)
    along = ends[1] - ends[0]
    across = np.array([-along[1], along[0]])
    for bend in _BENDS:
        if both and abs(bend) < 0.1:
            continue
        control = np.array([ends[0], ends.mean(0) + bend * across, ends[1]])
        control = _cut(control, diagram.radius)
        points = _trace(control)
        cost = 2.0 * abs(bend) + (0.1 if bend < 0 else 0.0)
        cost += obstacles.measure_line(points, pair)
        for place, side in product(_PLACES, (1, -1)):
            box = _put_beside(points, round(place * (_SAMPLES - 1)), side, half)
            total = cost + abs(place - 0.5) + obstacles.measure_label(box)
            total += 0.2 * (side * bend < 0) + 30.0 * bool(box.contains(points).any())
            if total < least:
                best, least = Arrow(*pair, tuple(symbols), control, box), total
    assert best is not None
    return best


def _put_beside(points: Point, place: int, side: int, half: Point) -> LabelArea:
    """A label's box that just touches a curve from one side."""
    along = points[min(place + 1, len(points) - 1)] - points[max(place - 1, 0)]
    normal = side * np.array([-along[1], along[0]]) / np.linalg.norm(along)
    return LabelArea(points[place] + normal * (float(np.abs(normal) @ half) + 0.03), half)


def _route_loop(
    diagram: Diagram,
    state: int,
    near: set[int],
    symbols: Iterable[str],
    half: Point,
    taken: list[LabelArea],
) -> Arrow:
    """A loop on the free side of its state, its label beyond it."""
    centre, radius, best, least = diagram.centres[state], diagram.radius, None, np.inf
    obstacles = _list_obstacles(diagram, taken)
    for rank, degrees in enumerate(_ANGLES):
        angle = np.radians(degrees)
        out = np.array([np.cos(angle), np.sin(angle)])
        feet = [_turn(out, sign * 0.42) * radius for sign in (1, -1)]
        tips = [_turn(out, sign * 0.52) * (radius + 0.62) for sign in (1, -1)]
        control = centre + np.array([feet[0], tips[0], tips[1], feet[1]])
        points = _trace(control)
        reach = np.linalg.norm(points - centre, axis=1).max()
        box = LabelArea(centre + out * (reach + 0.05) + out * half, half)
        cost = 0.05 * rank + obstacles.measure_label(box)
        for other in near:
            ahead = diagram.centres[other] - centre
            cost += max(0.0, float(ahead @ out / np.linalg.norm(ahead)) - 0.3)
        cost += obstacles.measure_line(points, (state,))
        if cost < least:
            best, least = Arrow(state, state, tuple(symbols), control, box), cost
    assert best is not None
    return best


@dataclass(frozen=True)
class _Obstacles:
    """What stands already: states, the centres and half sizes of labels, points along arrows."""

    states: Point
    radius: float
    centres: Point
    halves: Point
    lines: Point

    def measure_label(self, box: LabelArea) -> float:
        """What a label costs at a place: on states, other labels and arrows."""
        gaps = np.maximum(np.abs(self.states - box.centre) - box.half, 0.0)
        cost = 60.0 * float((np.hypot(gaps[:, 0], gaps[:, 1]) < self.radius + 0.05).sum())
        near = np.abs(self.centres - box.centre) < self.halves + box.half + 0.03
        cost += 60.0 * float((near[:, 0] & near[:, 1]).sum())
        return cost + 8.0 * float(box.contains(self.lines, 0.02).any(-1).sum())

    def measure_line(self, points: Point, own: Iterable[int]) -> float:
        """What an arrow costs: through other states, labels, and across other arrows."""
        others = np.delete(self.states, list(own), axis=0)
        gaps = np.linalg.norm(points[:, None] - others, axis=-1)
        inside = np.abs(points[:, None] - self.centres) < self.halves
        cost = 40.0 * float((gaps < self.radius + 0.1).any(0).sum())
        cost += 30.0 * bool((inside[..., 0] & inside[..., 1]).any())
        return cost + 3.0 * _count_crossings(points[::3], self.lines[:, ::3])


def _list_obstacles(diagram: Diagram, taken: list[LabelArea]) -> _Obstacles:
    boxes = [*taken, *(arrow.box for arrow in diagram.arrows)]
    return _Obstacles(
        diagram.centres,
        diagram.radius,
        np.array([box.centre for box in boxes]),
        np.array([box.half for box in boxes]),
        np.array([arrow.points for arrow in diagram.arrows]).reshape(-1, _SAMPLES, 2),
    )


def _count_crossings(a: Point, lines: Point) -> int:
    """How often a curve crosses others, ``(lines, points, 2)``."""

    def side(p: Point, q: Point, r: Point) -> Point:
        result: Point = (q[..., 0] - p[..., 0]) * (r[..., 1] - p[..., 1]) - (
            q[..., 1] - p[..., 1]
        ) * (r[..., 0] - p[..., 0])
        return result

    p, q, r, s = a[:-1, None], a[1:, None], lines[:, None, :-1], lines[:, None, 1:]
    meets = (side(p, q, r) * side(p, q, s) < 0) & (side(r, s, p) * side(r, s, q) < 0)
    return int(meets.sum())


def _trace(control: Point) -> Point:
    """Points along a quadratic or cubic Bézier curve."""
    t = np.linspace(0.0, 1.0, _SAMPLES)[:, None]
    curve: Point = np.broadcast_to(control[:, None], (len(control), _SAMPLES, 2))
    while len(curve) > 1:
        curve = (1 - t) * curve[:-1] + t * curve[1:]
    one: Point = curve[0]
    return one


def _cut(control: Point, radius: float) -> Point:
    """The part of a curve between the circles at its ends."""
    start, middle, end = control
    first = start + radius * (middle - start) / np.linalg.norm(middle - start)
    last = end + (radius + 0.02) * (middle - end) / np.linalg.norm(middle - end)
    return np.array([first, middle, last])


def _turn(direction: Point, angle: float) -> Point:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin], [sin, cos]]) @ direction
