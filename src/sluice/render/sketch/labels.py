"""Where a sketch's labels stand: beside the wire that they name, clear of everything else."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile

from sluice.equations.graph import Leaf
from sluice.render.sketch.boxes import Box
from sluice.render.sketch.elements import Net
from sluice.render.sketch.heads import find_heads
from sluice.render.sketch.pen import Place
from sluice.render.sketch.placement import POINTS, TRACK, ElementPosition, Placement
from sluice.render.sketch.routing import Router, Wire
from sluice.render.sketch.search import Point
from sluice.render.sketch.words import name_in_words
from sluice.render.typeset import measure_text, measure_words

SMALL = 0.72
"""How large numbers and marks are beside symbols."""


@dataclass(frozen=True)
class Label:
    """A symbol at a place, beside it a number; ``name`` is the value's, none for a mark.

    ``net`` is the value of which the number is; a number without a symbol stands in ``text``.
    ``words`` are a line of their own below; ``side`` is where the lines are flush.
    """

    name: str
    text: str
    box: Box
    step: int
    number: str = ""
    small: bool = False
    net: Net | None = None
    words: str = ""
    side: str = "left"


def box_around(
    x: float, y: float, text: str, number: str = "", small: bool = False, words: str = ""
) -> Box:
    """The box of a text set with its middle at a point."""
    width, height = _measure(text, SMALL if small else 1.0)
    if number:
        beside, tall = _measure(number, SMALL)
        width, height = width + GAP + beside, max(height, tall)
    if words:
        width = max(width, measure_line(words))
        height = WORD_LINE + (measure_line_height(text) if text else 0.1)
    return Box(x - width / 2 - 0.1, y - height / 2 - 0.1, x + width / 2 + 0.1, y + height / 2 + 0.1)


GAP = 0.35
"""Tracks between a symbol and its number."""
WORDS = 0.64
"""How large words are beside symbols."""
_NOWHERE = Box(0, 0, 0, 0)
WORD_LINE, _LEAST_LINE = 1.05, 1.35
"""The height of a line of words, and the least one of a line with a symbol, in tracks."""


def measure_line_height(text: str) -> float:
    """The height of the line of a symbol above words, in tracks."""
    return max(_LEAST_LINE, _measure(text, 1.0)[1])


def measure_line(words: str) -> float:
    """How wide words are, in tracks."""
    return measure_words(words, POINTS * WORDS)[0] / TRACK


def _measure(text: str, scale: float) -> tuple[float, float]:
    if not text:
        return 0.0, 0.0
    width, height = measure_text(f"${text}$", POINTS * scale)
    return width / TRACK, height / TRACK


def measure_symbol(text: str) -> float:
    """How wide a symbol is, in tracks."""
    return _measure(text, 1.0)[0]


def measure_small(text: str) -> float:
    """How wide a number beside a symbol is, in tracks."""
    return _measure(text, SMALL)[0]


@dataclass(frozen=True)
class Surroundings:
    """What labels are to be clear of: the unit's ``outline``, parts, dots and arrowheads, wires."""

    outline: Box
    shapes: list[Box]
    small: list[Box]
    lines: list[Box]

    @classmethod
    def of(
        cls, outline: Box, placement: Placement, wires: list[Wire], dots: Collection[Place]
    ) -> Surroundings:
        spots = placement.positions.values()
        shapes = [
            Box(
                s.x - s.half_edge - 0.15,
                s.y - s.half_height + 0.8,
                s.x + s.half_edge + 0.15,
                s.y + s.half_height - 0.8,
            )
            for s in spots
        ]
        small = [Box(x - 0.4, y - 0.4, x + 0.4, y + 0.4) for x, y in dots]
        small += [head.box for head in find_heads(wires, spots, dots)]
        lines = [box for wire in wires for box in _iterate_wire_boxes(wire)]
        return cls(outline, shapes, small, lines)

    def count_overlaps(self, box: Box, taken: list[Box]) -> tuple[int, int]:
        """How many things a label within the unit would cover, and how many wires."""
        solid = sum(map(box.overlaps, [*self.shapes, *self.small, *taken]))
        out = 0 if self.outline.holds(box) else 1
        return solid + out, sum(map(box.overlaps, self.lines))


def place_labels(
    placement: Placement,
    wires: list[Wire],
    router: Router,
    numbers: Mapping[Net, str],
    around: Surroundings,
    language: str = "en",
) -> list[Label]:
    """A label for every state at both ends, for the input, and for every named value."""
    found = list(_label_ends(placement, router, numbers))
    notation = placement.elements.writer.notation
    for mark in _mark_operands(placement, wires):
        taken = [label.box for label in found] + around.shapes * mark.is_word
        found.append(mark.choose(taken + around.small, around.lines))
    ends = {state.name for state in placement.graph.states}
    symbols = [
        (n, node, notation.value(n).latex) for n, node in placement.graph.outputs if n not in ends
    ]
    written = placement.elements.writer.symbols
    symbols += [("", node, written[node].latex) for node in notation.shared_symbols]
    for name, node, text in symbols:
        part = placement.elements.by_value.get(node)
        if part is None:
            continue
        spot = placement.positions[part]
        own = [wire for wire in wires if wire.net == node] or _imagine_wires(spot)
        words = name_in_words(name, language)
        label = Label(name or text, text, _NOWHERE, spot.step, numbers.get(node, ""), net=node)
        best, clear = _settle(replace(label, words=words), own, around, found)
        if words and not clear:
            best, _ = _settle(label, own, around, found)
            into = [wire for wire in wires if wire.points[-1] == (spot.x, spot.y)]
            entries = [replace(wire, points=_last_stretch(wire)) for wire in into]
            apart = Label("", "", _NOWHERE, spot.step, words=words)
            aside, clear = _settle(apart, entries, around, [*found, best])
            found += [aside] * clear
        found.append(best)
    return found + list(label_parameters(placement, {label.name for label in found}))


def _last_stretch(wire: Wire) -> list[Point]:
    """The straight end of a wire, from the part that it enters back to its last corner."""
    end, *others = reversed(wire.points)
    axis = 0 if others[0][0] == end[0] else 1
    same = [*takewhile(lambda point: point[axis] == end[axis], others)]
    return [end, same[-1]]


def _settle(
    label: Label, wires: list[Wire], around: Surroundings, found: list[Label]
) -> tuple[Label, bool]:
    """A label at the place nearest to a wire's beginning that is clear, or crossed by fewest.

    With it whether it is clear.
    """
    taken = [other.box for other in found]

    def count_overlaps(place: tuple[Box, str]) -> tuple[int, int]:
        return around.count_overlaps(place[0], taken)

    size = box_around(0, 0, label.text, label.number, words=label.words)
    places = list(_iterate_candidates(size, wires))
    box, side = next((p for p in places if count_overlaps(p) == (0, 0)), None) or min(
        places, key=count_overlaps
    )
    return replace(label, box=box, side=side), count_overlaps((box, side)) == (0, 0)


def _imagine_wires(position: ElementPosition) -> list[Wire]:
    """Where a value that nothing reads would leave its part, for a label to stand beside."""
    x, y, net = position.x, position.y, position.element.output
    right, top = x + position.half_width, y + position.half_height
    ways = [(right, y), (right + 4, y)], [(x, top), (x, top + 3)]
    return [Wire(net, points, position.step, False) for points in ways]


def _label_ends(
    placement: Placement, router: Router, numbers: Mapping[Net, str]
) -> Iterator[Label]:
    notation = placement.elements.writer.notation
    read = {wire.net for wire in router.wires}
    for leaf in placement.graph.state_leaves:
        x, y = router.find_terminal(leaf)
        text = notation.leaf(leaf).latex
        if leaf in read:  # a state that nothing reads has no line to be named on
            middle = min(x - 0.2, 1.9 - box_around(0, 0, text).right)
            yield Label(f"{leaf.name} before", text, box_around(middle, y + 1.2, text), 0)
        now = notation.value(leaf.name).latex
        node = placement.graph.outputs_by_name[leaf.name]
        part = placement.elements.by_value.get(node)
        step = placement.positions[part].step if part else 0
        middle = placement.width + max(0.6, box_around(0, 0, now).right - 1.9)
        yield Label(leaf.name, now, box_around(middle, y + 1.2, now), step)
        for net, at, when in ((leaf, x - 0.2, 0), (node, placement.width + 0.4, step)):
            if number := numbers.get(net, ""):
                box = box_around(at, y - 1.1, number, "", True)
                yield Label("", number, box, when, "", True, net)
    for node in placement.graph.nodes:
        if isinstance(node, Leaf) and node.kind == "input":
            x, y = router.find_terminal(node)
            text = notation.leaf(node).latex
            half = box_around(0, 0, text).right - box_around(0, 0, "x_{t}").right
            yield Label(node.name, text, box_around(x + 1.3 + half, y + 0.6, text), 0)


@dataclass(frozen=True)
class _Mark:
    """A sign beside the end of a wire."""

    sign: str
    wire: Wire
    position: ElementPosition

    @property
    def is_word(self) -> bool:
        """Whether it is wide; a sign may touch the corner of a circle's box."""
        return box_around(0, 0, self.sign, "", True).right > 0.7

    def choose(self, solid: list[Box], lines: list[Box]) -> Label:
        """The sign on the side, and as near to the part, as leaves it clear."""

        def count_overlaps(box: Box) -> tuple[int, int]:
            return sum(map(box.overlaps, solid)), sum(map(box.overlaps, lines))

        box = min(self._iterate_boxes(), key=count_overlaps)
        return Label("", self.sign, box, self.position.step, "", True)

    def _iterate_boxes(self) -> Iterator[Box]:
        (x, y), (u, v) = self.wire.points[-2:]
        dx, dy = (u > x) - (u < x), (v > y) - (v < y)
        half = box_around(0, 0, self.sign, "", True).right
        aside = half + 0.4 if self.is_word else 0.95
        reach = self.position.half_width if dx else self.position.half_height
        along = reach + (half - 0.6 if self.is_word and dx else -0.2)
        for further in (0.0, 0.9, 1.8):
            for side in (1, -1):
                back = along + further
                middle = u - back * dx + aside * side * dy, v - back * dy + 1.05 * side * dx
                yield box_around(*middle, self.sign, "", True)


def _mark_operands(placement: Placement, wires: list[Wire]) -> Iterator[_Mark]:
    """Signs where values enter a part that does not treat them alike."""
    for spot in placement.positions.values():
        part = spot.element
        if len(set(part.inputs)) < 2:
            continue
        for net, sign in zip(part.inputs, part.marks, strict=False):
            if sign:
                wire = next(w for w in wires if w.net == net and w.points[-1] == (spot.x, spot.y))
                yield _Mark(sign, wire, spot)


def label_parameters(placement: Placement, known: set[str]) -> Iterator[Label]:
    """Values that no part yields: what comes in, and what follows from vectors and masks."""
    notation, right = placement.elements.writer.notation, placement.width - 3.2
    writer = placement.elements.writer
    values = [(name, notation.value(name), node) for name, node in placement.graph.outputs]
    values += [("", writer.symbols[node], node) for node in notation.shared_symbols]
    for name, symbol, node in values:
        if name in known or not (isinstance(node, Leaf) or placement.elements.is_parameter(node)):
            continue
        own, meant = symbol.latex, writer.expand(node).latex
        text = rf"{own}\ \mathrm{{given}}" if own == meant else f"{own} = {meant}"
        half = box_around(0, 0, text).right
        yield Label(name or own, text, box_around(right - half, placement.bottom - 2.9, text), 0)
        right -= 2 * half + 0.8


def _iterate_wire_boxes(wire: Wire) -> Iterator[Box]:
    for (x, y), (u, v) in zip(wire.points, wire.points[1:], strict=False):
        yield Box(min(x, u) - 0.12, min(y, v) - 0.12, max(x, u) + 0.12, max(y, v) + 0.12)


def _iterate_candidates(size: Box, wires: list[Wire]) -> Iterator[tuple[Box, str]]:
    """Places beside wires, from where they begin on; then places further away from them."""
    for away in (0.0, 1.2):
        aside, above = size.right + 0.4 + away, size.top + 0.25 + away
        for wire in wires:
            for (x, y), (u, v) in pairwise(wire.points):
                length = abs(u - x) + abs(v - y)
                for half in range(1, 2 * length):
                    px = x + (u - x) * half / (2 * length)
                    py = y + (v - y) * half / (2 * length)
                    for side in (1, -1):
                        if x == u:
                            flush = "left" if side > 0 else "right"
                            yield size.shift(px + side * aside, py), flush
                        else:
                            yield size.shift(px, py + side * above), "left"
