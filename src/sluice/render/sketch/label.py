"""Where a sketch's labels stand: beside the wire that they name, clear of everything else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sluice.equations.graph import Leaf
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


@dataclass(frozen=True)
class Label:
    """A symbol at a place; ``name`` is the value's."""

    name: str
    text: str
    box: Box
    step: int


def around(x: float, y: float, text: str) -> Box:
    """The box of a text set with its middle at a point."""
    width, height = (inches / TRACK for inches in text_size(f"${text}$", POINTS))
    return Box(x - width / 2 - 0.1, y - height / 2 - 0.1, x + width / 2 + 0.1, y + height / 2 + 0.1)


def labels(places: Places, wires: list[Wire], router: Router) -> list[Label]:
    """A label for every state at both ends, for the input, and for every named value."""
    found = list(_ends(places, router))
    notation = places.parts.writer.notation
    shapes = [
        Box(s.x - s.half + 0.4, s.y - s.tall + 0.8, s.x + s.half - 0.4, s.y + s.tall - 0.8)
        for s in places.spots.values()
    ]
    lines = [box for wire in wires for box in _segments(wire)]
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
        taken = [label.box for label in found]
        box = _best(text, mine, [*shapes, *taken], lines)
        found.append(Label(name or text, text, box, places.spots[part].step))
    return found


def _ends(places: Places, router: Router) -> Iterator[Label]:
    notation = places.parts.writer.notation
    for leaf in places.graph.state_leaves:
        x, y = router.terminal(leaf)
        text = notation.leaf(leaf).latex
        yield Label(f"{leaf.name} before", text, around(x - 0.2, y + 1.2, text), 0)
        now = notation.value(leaf.name).latex
        part = places.parts.of.get(places.graph.named[leaf.name])
        step = places.spots[part].step if part else 0
        yield Label(leaf.name, now, around(places.width + 0.6, y + 1.2, now), step)
    for node in places.graph.nodes:
        if isinstance(node, Leaf) and node.kind == "input":
            x, y = router.terminal(node)
            yield Label("x", "x_{t}", around(x + 1.3, y + 0.6, "x_{t}"), 0)


def _segments(wire: Wire) -> Iterator[Box]:
    for (x, y), (u, v) in zip(wire.points, wire.points[1:], strict=False):
        yield Box(min(x, u) - 0.12, min(y, v) - 0.12, max(x, u) + 0.12, max(y, v) + 0.12)


def _best(text: str, wires: list[Wire], solid: list[Box], lines: list[Box]) -> Box:
    """The place nearest to where the value comes out that is clear, or crossed by fewest."""

    def crowd(box: Box) -> tuple[int, int]:
        return sum(map(box.meets, solid)), sum(map(box.meets, lines))

    places = list(_beside(text, wires))
    return next((box for box in places if crowd(box) == (0, 0)), None) or min(places, key=crowd)


def _beside(text: str, wires: list[Wire]) -> Iterator[Box]:
    size = around(0, 0, text)
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
