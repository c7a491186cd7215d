"""A sketch of a cell too intricate for one of its operations: a box for each equation.

Every value runs along a row of its own, from the box that computes it to the last that reads it;
states come in at the left and leave at the right. What a box reads is marked by dots on the line
that leads to it. Nothing is searched for, so this works for cells of any size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from sluice.equations.graph import Graph, Leaf, Node
from sluice.render.sketch.block_rows import BlockRow, BlockRows
from sluice.render.sketch.elements import ElementTable, Net, SketchElement
from sluice.render.sketch.equation_blocks import EquationBlock, find_blocks
from sluice.render.sketch.labels import (
    Label,
    box_around,
    label_parameters,
    measure_line,
    measure_symbol,
)
from sluice.render.sketch.placement import ElementPosition, Placement
from sluice.render.sketch.routing import Wire
from sluice.render.sketch.search import Point
from sluice.render.sketch.words import name_in_words

_ROW = 4
"""Tracks from one row to the next."""
_BUS = 2
"""Tracks from one line of dots to the next."""
_LEFT, _RIGHT, _GAP = 5, 3, 2
_MOST_STEPS = 8
"""How many steps of a series there are at most."""


@dataclass
class BlockSketch:
    """A sketch of blocks: places, wires, labels and dots, as those of any sketch."""

    placement: Placement
    blocks: list[EquationBlock]
    rows: BlockRows
    language: str = "en"
    wires: list[Wire] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    dots: dict[Point, int] = field(default_factory=dict)
    bus_columns: dict[EquationBlock, int] = field(default_factory=dict)

    @classmethod
    def from_graph(
        cls, graph: Graph, numbers: Mapping[Net, str], language: str = "en"
    ) -> BlockSketch:
        """The sketch of a graph, with ``numbers`` beside its values."""
        placement = Placement(ElementTable.without_parts(graph), {})
        blocks = find_blocks(placement.elements)
        found = cls(placement, blocks, BlockRows.from_blocks(graph, blocks), language)
        found._place_blocks(room=3 if numbers else 0)
        for block in blocks:
            found._connect(block)
        found._lead_out()
        found._label_ends(numbers)
        found._label_numbers(numbers)
        known = {name for block in blocks for name in block.names}
        known |= {state.name for state in graph.states}
        found.labels += label_parameters(placement, known)
        return found

    @property
    def top(self) -> int:
        """The height of the topmost row."""
        return -_ROW * self.rows.all[0].place if self.rows.all else 0

    def _place_blocks(self, room: int) -> None:
        """Columns from left to right: the lines of dots of a level, then its boxes."""
        placement, x, last = self.placement, _LEFT, max((b.level for b in self.blocks), default=0)
        placement.bottom = -_ROW * max(0, len(self.rows.all) - 1)
        placement.steps = [[] for _ in range(min(_MOST_STEPS, last))]
        for level in range(1, last + 1):
            own = [block for block in self.blocks if block.level == level]
            for block in own:
                self.bus_columns[block] = x
                x += _BUS
            halves = [self._measure_half(block) for block in own]
            step = (level - 1) * len(placement.steps) // last
            for block, half in zip(own, halves, strict=True):
                kind = "layer" if block.is_layer else "block"
                element = SketchElement(kind, block.label, block.reads, block.node)
                placement.elements.by_value[block.node] = element
                placement.positions[element] = ElementPosition(
                    element, level, "up", 0, step, x + max(halves), self._height(block), half
                )
                placement.positions[element].half_edge = half - 0.3
                self._label_words(block, placement.positions[element])
                placement.steps[step] += block.names
            x += 2 * max(halves) + _GAP + room
        placement.width = x + _RIGHT

    def _measure_half(self, block: EquationBlock) -> int:
        words = measure_line(self._find_words(block)) / 2 + 0.5
        return max(2, math.ceil(max(measure_symbol(block.label) / 2 + 0.9, words)))

    def _find_words(self, block: EquationBlock) -> str:
        return name_in_words(block.names[0], self.language) if block.names else ""

    def _label_words(self, block: EquationBlock, spot: ElementPosition) -> None:
        """What a box's value is called in words, below the box."""
        if words := self._find_words(block):
            box = box_around(spot.x, spot.y - 1.95, "", words=words)
            self.labels.append(Label("", "", box, spot.step, words=words))

    def _height(self, block: EquationBlock) -> int:
        return self._row_height(self.rows.by_value[block.node])

    def _row_height(self, row: BlockRow) -> int:
        return -_ROW * row.place

    def _find_start(self, value: Node) -> Point:
        """Where a value's line begins."""
        y = self._row_height(self.rows.by_value[value])
        part = self.placement.elements.by_value.get(value)
        return (0 if part is None else self.placement.positions[part].x), y

    def _connect(self, block: EquationBlock) -> None:
        """The line of dots of a block, and the lines that lead to it."""
        spot = self.placement.positions[self.placement.elements.by_value[block.node]]
        if not block.reads:
            return
        column, starts = self.bus_columns[block], [self._find_start(r) for r in block.reads]
        if len(starts) == 1 and starts[0][1] == spot.y:
            self.wires.append(Wire(block.reads[0], [starts[0], (spot.x, spot.y)], spot.step, False))
            return
        heights = [y for _, y in starts] + [spot.y]
        net: Net = block.reads[0] if len(starts) == 1 else block.reads
        for value, (x, y) in zip(block.reads, starts, strict=True):
            self.wires.append(Wire(value, [(x, y), (column, y)], spot.step, False))
            if len(starts) > 1 or self.rows.last_reads[value] > block.bus:
                self.dots[column, y] = spot.step
        line = [(column, min(heights)), (column, max(heights))]
        self.wires.append(Wire(net, line, spot.step, False))
        self.wires.append(Wire(net, [(column, spot.y), (spot.x, spot.y)], spot.step, False))

    def _lead_out(self) -> None:
        """The lines of the new states, to the right."""
        for value in self._new_states():
            x, y = self._find_start(value)
            part = self.placement.elements.by_value.get(value)
            step = self.placement.positions[part].step if part else 0
            end = (self.placement.width, y)
            self.wires.append(Wire(value, [(x, y), end], step, True))

    def _new_states(self) -> dict[Node, list[str]]:
        """What leaves at the right: the values of the new states, and which these are."""
        graph, found = self.placement.graph, dict[Node, list[str]]()
        for state in graph.states:
            found.setdefault(graph.outputs_by_name[state.name], []).append(state.name)
        return {node: names for node, names in found.items() if node in self.rows.by_value}

    def _label_ends(self, numbers: Mapping[Net, str]) -> None:
        notation = self.placement.elements.writer.notation
        for leaf, row in self.rows.by_value.items():
            if isinstance(leaf, Leaf) and leaf.kind in ("state", "input"):
                is_state, text = leaf.kind == "state", notation.leaf(leaf).latex
                name = f"{leaf.name} before" if is_state else leaf.name
                box = box_around(0.0, self._row_height(row) + 1.2, text)
                box = box.shift(min(-0.2, 1.7 - box.right), 0)
                self.labels.append(Label(name, text, box, 0))
                self._label_number(leaf, -0.2, self._row_height(row) - 1.1, numbers, 0)
        for node, names in self._new_states().items():
            y = self._row_height(self.rows.by_value[node])
            part = self.placement.elements.by_value.get(node)
            step = self.placement.positions[part].step if part else 0
            text = " = ".join(notation.value(name).latex for name in names)
            width = self.placement.width
            box = box_around(width, y + 1.2, text)
            box = box.shift(max(0.6, width - 1.7 - box.left), 0)
            self.labels.append(Label(names[0], text, box, step))
            if isinstance(node, Leaf):
                self._label_number(node, width + 0.4, y - 1.1, numbers, step)

    def _label_numbers(self, numbers: Mapping[Net, str]) -> None:
        for spot in self.placement.positions.values():
            x = spot.x + spot.half_width + 1.6
            self._label_number(spot.element.output, x, spot.y + 0.9, numbers, spot.step)

    def _label_number(
        self, net: Net, x: float, y: float, numbers: Mapping[Net, str], step: int
    ) -> None:
        if number := numbers.get(net, ""):
            box = box_around(x, y, number, "", small=True)
            self.labels.append(Label("", number, box, step, "", True, net))
