"""Where a sketch's labels stand: beside the wire that they name, clear of everything else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sluice.equations.graph import Leaf
from sluice.render.sketch.parts import Net
from sluice.render.sketch.place import POINTS, TRACK, Places
from sluice.render.sketch.route import Router, Wire
from sluice.render.typeset import text_size


@dataclass(frozen=True)
class Box:
    """A rectangle, in tracks."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def middle(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.bottom + self.top) / 2

    def moved(self, x: float, y: float) -> Box:
        """This box, shifted."""
        return Box(self.left + x, self.bottom + y, self.right + x, self.top + y)

    def meets(self, other: Box) -> bool:
        """Whether the two share some of their area."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.bottom < other.top
            and other.bottom < self.top
        )


SMALL = 0.72
"""How large numbers and marks are beside symbols."""
_MARKS = {"-": ("+", "-"), r"\div": ("", r"\div"), ">": ("", "<")}
"""What stands where the first and the second operand enter, where it matters which is which."""


@dataclass(frozen=True)
class Label:
    """A symbol at a place, beside it a number; ``name`` is the value's, none for a mark."""

    name: str
    text: str
    box: Box
    step: int
    number: str = ""
    small: bool = False


def around(x: float, y: float, text: str, number: str = "", small: bool = False) -> Box:
    """The box of a text set with its middle at a point."""
    width, height = _size(text, SMALL if small else 1.0)
    if number:
        beside, tall = _size(number, SMALL)
        width, height = width + GAP + beside, max(height, tall)
    return Box(x - width / 2 - 0.1, y - height / 2 - 0.1, x + width / 2 + 0.1, y + height / 2 + 0.1)


GAP = 0.35
"""Tracks between a symbol and its number."""


def _size(text: str, scale: float) -> tuple[float, float]:
    width, height = text_size(f"${text}$", POINTS * scale)
    return width / TRACK, height / TRACK


def symbol_width(text: str) -> float:
    """How wide a symbol is, in tracks."""
    return _size(text, 1.0)[0]


def labels(
    places: Places, wires: list[Wire], router: Router, numbers: Mapping[Net, str]
) -> list[Label]:
    """A label for every state at both ends, for the input, and for every named value."""
    lines = [box for wire in wires for box in _segments(wire)]
    found = [*_ends(places, router, numbers), *_marks(places, wires, lines)]
    notation = places.parts.writer.notation
    shapes = [
        Box(s.x - s.half + 0.4, s.y - s.tall + 0.8, s.x + s.half - 0.4, s.y + s.tall - 0.8)
        for s in places.spots.values()
    ]
    ends = {state.name for state in places.graph.states}
    symbols = [
        (n, node, notation.value(n).latex) for n, node in places.graph.outputs if n not in ends
    ]
    symbols += [("", node, words.latex + "_{t}") for node, words in notation.extra.items()]
    for name, node, text in symbols:
        part = places.parts.of.get(node)
        mine = [wire for wire in wires if wire.net == node]
        if part is None or not mine:
            continue
        taken, number = [label.box for label in found], numbers.get(node, "")
        box = _best(text, number, mine, [*shapes, *taken], lines)
        found.append(Label(name or text, text, box, places.spots[part].step, number))
    return found + list(_given(places, {label.name for label in found}))


def _ends(places: Places, router: Router, numbers: Mapping[Net, str]) -> Iterator[Label]:
    notation = places.parts.writer.notation
    for leaf in places.graph.state_leaves:
        x, y = router.terminal(leaf)
        text = notation.leaf(leaf).latex
        yield Label(f"{leaf.name} before", text, around(x - 0.2, y + 1.2, text), 0)
        now = notation.value(leaf.name).latex
        node = places.graph.named[leaf.name]
        part = places.parts.of.get(node)
        step = places.spots[part].step if part else 0
        yield Label(leaf.name, now, around(places.width + 0.6, y + 1.2, now), step)
        for net, at, when in ((leaf, x - 0.2, 0), (node, places.width + 0.4, step)):
            if number := numbers.get(net, ""):
                yield Label("", number, around(at, y - 1.1, number, "", True), when, "", True)
    for node in places.graph.nodes:
        if isinstance(node, Leaf) and node.kind == "input":
            x, y = router.terminal(node)
            yield Label("x", "x_{t}", around(x + 1.3, y + 0.6, "x_{t}"), 0)


def _marks(places: Places, wires: list[Wire], lines: list[Box]) -> Iterator[Label]:
    """Signs where values enter a circle that does not treat them alike."""
    for spot in places.spots.values():
        part = spot.part
        if part.kind != "circle" or part.label not in _MARKS or len(set(part.inputs)) != 2:
            continue
        for net, sign in zip(part.inputs, _MARKS[part.label], strict=True):
            wire = next(w for w in wires if w.net == net and w.points[-1] == (spot.x, spot.y))
            if sign:
                yield Label("", sign, _at_entry(wire, sign, lines), spot.step, "", True)


def _at_entry(wire: Wire, sign: str, lines: list[Box]) -> Box:
    """A place beside the end of a wire, on the side where fewer others run."""
    (x, y), (u, v) = wire.points[-2:]
    dx, dy = (u > x) - (u < x), (v > y) - (v < y)
    sides = [
        around(u - 1.8 * dx + 0.65 * side * dy, v - 1.8 * dy + 0.65 * side * dx, sign, "", True)
        for side in (1, -1)
    ]
    return min(sides, key=lambda box: sum(map(box.meets, lines)))


def _given(places: Places, known: set[str]) -> Iterator[Label]:
    """Values that no part yields: masks, vectors and what follows from them, as they are."""
    notation, right = places.parts.writer.notation, places.width - 3.2
    for name, node in places.graph.outputs:
        if name in known or not places.parts.is_parameter(node):
            continue
        own, meant = notation.value(name).latex, places.parts.writer.defined(node).latex
        text = rf"{own}\ \mathrm{{given}}" if own == meant else f"{own} = {meant}"
        half = around(0, 0, text).right
        yield Label(name, text, around(right - half, places.bottom - 2.9, text), 0)
        right -= 2 * half + 0.8


def _segments(wire: Wire) -> Iterator[Box]:
    for (x, y), (u, v) in zip(wire.points, wire.points[1:], strict=False):
        yield Box(min(x, u) - 0.12, min(y, v) - 0.12, max(x, u) + 0.12, max(y, v) + 0.12)


def _best(text: str, number: str, wires: list[Wire], solid: list[Box], lines: list[Box]) -> Box:
    """The place nearest to where the value comes out that is clear, or crossed by fewest."""

    def crowd(box: Box) -> tuple[int, int]:
        return sum(map(box.meets, solid)), sum(map(box.meets, lines))

    places = list(_beside(text, number, wires))
    return next((box for box in places if crowd(box) == (0, 0)), None) or min(places, key=crowd)


def _beside(text: str, number: str, wires: list[Wire]) -> Iterator[Box]:
    size = around(0, 0, text, number)
    aside, above = size.right + 0.3, size.top + 0.25
    for wire in wires:
        for (x, y), (u, v) in zip(wire.points, wire.points[1:], strict=False):
            length = abs(u - x) + abs(v - y)
            for half in range(1, 2 * length):
                px = x + (u - x) * half / (2 * length)
                py = y + (v - y) * half / (2 * length)
                for side in (1, -1):
                    if x == u:
                        yield size.moved(px + side * aside, py)
                    else:
                        yield size.moved(px, py + side * above)
