"""The rows of a simplified sketch: each holds one value at a time, a state its own."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from sluice.equations.graph import Graph, Leaf, Node
from sluice.render.sketch.equation_blocks import EquationBlock


@dataclass(eq=False)
class BlockRow:
    """A row; from the line of dots ``free_from`` on it is empty. ``place`` counts from the top."""

    free_from: float
    place: int = 0


@dataclass
class BlockRows:
    """The rows from the top: states, values, the state that is the output, inputs."""

    last_reads: dict[Node, float]
    above: list[BlockRow] = field(default_factory=list)
    middle: list[BlockRow] = field(default_factory=list)
    below: list[BlockRow] = field(default_factory=list)
    by_value: dict[Node, BlockRow] = field(default_factory=dict)

    @property
    def all(self) -> list[BlockRow]:
        return [*self.above, *self.middle, *self.below]

    @classmethod
    def from_blocks(cls, graph: Graph, blocks: list[EquationBlock]) -> BlockRows:
        """A row for every value that a box or a state reads."""
        ends: dict[int, int] = {}
        for block in blocks:
            ends[block.level] = block.bus
        last: dict[Node, float] = {block.node: ends[block.level] + 0.5 for block in blocks}
        for block in blocks:
            for read in block.reads:
                last[read] = max(last.get(read, 0), block.bus)
        for state in graph.states:
            last[graph.outputs_by_name[state.name]] = math.inf
        rows = cls(last)
        rows._add_ends(graph)
        rails = {graph.outputs_by_name[leaf.name]: leaf for leaf in reversed(graph.state_leaves)}
        for block in blocks:
            row = rows._pick(block, rows.by_value.get(rails.get(block.node, block.node)))
            row.free_from = last[block.node]
            rows.by_value[block.node] = row
        for place, row in enumerate(rows.all):
            row.place = place
        return rows

    def _add_ends(self, graph: Graph) -> None:
        """The rows of states and inputs."""
        first = graph.state_leaves[0] if graph.states else None
        inputs = [n for n in graph.nodes if isinstance(n, Leaf) and n.kind == "input"]
        for leaf in (*graph.state_leaves, *sorted(inputs, key=lambda n: n.name != "x")):
            if leaf in self.last_reads:
                is_above = leaf.kind == "state" and leaf is not first
                row = BlockRow(self.last_reads[leaf])
                (self.above if is_above else self.below).append(row)
                self.by_value[leaf] = row

    def _pick(self, block: EquationBlock, rail: BlockRow | None) -> BlockRow:
        """A value's row: its state's if that is free, else the free one nearest to its reads."""
        if rail is not None and rail.free_from <= block.bus:
            return rail
        places = {row: place for place, row in enumerate(self.all)}
        wanted = sum(places[self.by_value[read]] for read in block.reads) / max(1, len(block.reads))
        free = [row for row in self.middle if row.free_from <= block.bus]
        if free:
            return min(free, key=lambda row: abs(places[row] - wanted))
        row = BlockRow(0.0)
        self.middle.insert(round(max(0.0, wanted - len(self.above))), row)
        return row
