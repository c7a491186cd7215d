"""How to draw a cell by hand: its strokes, in the order in which one draws them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sluice.equations.graph import Leaf
from sluice.render.sketch.elements import Net, SketchElement
from sluice.render.sketch.labels import Label
from sluice.render.sketch.layout import Layout
from sluice.render.sketch.routing import Wire, trace_points
from sluice.render.sketch.search import Point
from sluice.render.sketch.stroke_captions import StrokeCaptions


@dataclass(frozen=True)
class StrokePlan:
    """A unit whose steps are strokes, and what to do in each, in words."""

    layout: Layout
    captions: list[str]

    @classmethod
    def of(cls, layout: Layout, language: str = "en", output: bool = False) -> StrokePlan:
        """The lines of states first, then what comes in, then part by part.

        A simplified sketch keeps its rows, and gets a stroke for each box.
        """
        found = _Planner(layout, StrokeCaptions(layout.placement, language, layout.is_simplified))
        found.plan()
        captions = found.captions
        if output:
            captions = [*captions, found.words.describe_output()]
        return cls(found.build(), captions)


class _Planner:
    """Gives every part, wire, label and dot of a layout its stroke."""

    def __init__(self, layout: Layout, words: StrokeCaptions) -> None:
        self.layout, self.words = layout, words
        self.places = layout.placement
        self.captions: list[str] = []
        self.steps: dict[SketchElement, int] = {}
        self.rails: dict[str, int] = {}
        self.inputs: dict[Net, int] = {}

    def plan(self) -> None:
        """Number the strokes."""
        for name, spine in self.places.spines.items():
            if spine:
                self.rails[name] = self._begin(self.words.describe_rail(name))
        for part in self.places.positions:
            if part.kind == "join":
                if part not in self.steps:
                    self._add_join(part)
                continue
            for net in part.inputs:
                join = self.places.elements.by_value.get(net)
                if join is not None and join.kind == "join" and join not in self.steps:
                    self._add_join(join)
            self.steps[part] = self._begin(self.words.describe_part(part))

    def _add_join(self, join: SketchElement) -> None:
        self.steps[join] = self._begin(self.words.describe_join(join))

    def _begin(self, caption: str) -> int:
        self.captions.append(caption)
        return len(self.captions) - 1

    def build(self) -> Layout:
        """The layout with strokes as steps, and with the lines that are drawn first."""
        layout, places = self.layout, self.places
        spots = {
            part: replace(spot, step=self.steps.get(part, 0))
            for part, spot in places.positions.items()
        }
        ends = {(spot.x, spot.y): spot.step for spot in spots.values()}
        wires = [replace(wire, step=self._find_step(wire, ends)) for wire in layout.wires]
        labels = [
            replace(label, step=self._find_label_step(label, wires)) for label in layout.labels
        ]
        branches = find_branch_steps(wires)
        return replace(
            layout,
            placement=replace(places, positions=spots, steps=[[] for _ in self.captions]),
            wires=[*self._draw_rails(), *wires],
            labels=labels,
            dots={point: branches.get(point, 0) for point in layout.dots},
        )

    def _draw_rails(self) -> Iterator[Wire]:
        """The lines of the states, whole."""
        for leaf in self.places.graph.state_leaves:
            if leaf.name in self.rails:
                y = self.places.rails[leaf.name]
                ends = [w.points[-1][0] for w in self.layout.wires if w.arrow]
                points = [(0, y), (max(ends), y)]
                yield Wire(leaf, points, self.rails[leaf.name], True)

    def _find_step(self, wire: Wire, ends: dict[Point, int]) -> int:
        """When a wire is drawn: with the part that it enters, or that it leaves the unit from."""
        if not wire.arrow:
            return ends.get(wire.points[-1], 0)
        source = self.places.elements.by_value.get(wire.net)
        return self.steps.get(source, 0) if source is not None else 0

    def _find_label_step(self, label: Label, wires: list[Wire]) -> int:
        """When a label is written: states with their lines, else with what is named."""
        graph, elements = self.places.graph, self.places.elements
        name = label.name.removesuffix(" before")
        if name in self.rails:
            return self.rails[name]
        if label.name in graph.outputs_by_name:
            part = elements.by_value.get(graph.outputs_by_name[name])
            return self.steps.get(part, 0) if part is not None else 0
        if label.net is not None:
            part = elements.by_value.get(label.net)
            return self.steps.get(part, 0) if part is not None else 0
        leaves = [n for n in graph.nodes if isinstance(n, Leaf) and n.name == name]
        reads = [wire.step for wire in wires for leaf in leaves if _carries(wire, leaf)]
        return min(reads, default=self._find_nearest(label))

    def _find_nearest(self, label: Label) -> int:
        """For signs and words apart: the stroke of the part nearest to them."""
        x, y = label.box.middle
        spots = self.places.positions.values()
        near = min(spots, key=lambda s: abs(s.x - x) + abs(s.y - y), default=None)
        return self.steps.get(near.element, 0) if near else 0


def _carries(wire: Wire, leaf: Leaf) -> bool:
    return wire.net is leaf


def find_branch_steps(wires: list[Wire]) -> dict[Point, int]:
    """For each point of the wires the stroke in which the second of its wires is drawn."""
    found: dict[tuple[Net, Point], set[int]] = {}
    for wire in wires:
        for point in trace_points(wire):
            found.setdefault((wire.net, point), set()).add(wire.step)
    steps: dict[Point, int] = {}
    for (_, point), drawn in found.items():
        if len(drawn) > 1:
            steps[point] = min(steps.get(point, 1 << 30), sorted(drawn)[1])
    return steps
