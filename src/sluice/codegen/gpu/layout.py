"""Which units a program owns, and the addresses of values, as Triton expressions."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sluice.cached import cached_property
from sluice.codegen.gpu.meetings import get_phases
from sluice.codegen.program import CHUNK, CONST, STEP, TIME, BufferSlot, Phase, Product, Program
from sluice.equations.graph import Graph
from sluice.equations.specs import Sizes, StackSpec

NARROW_ROLES = ("deltas", "learned operand", "step operand", "back operand")
"""Roles of buffers that nothing but products read: they lie in the type that is multiplied."""


@dataclass(frozen=True)
class TileShape:
    """A program's tile.

    Attributes:
        rows: How many sequences.
        units: How many units.
        depth: How many terms of a product are multiplied at once.
        splits: Into how many parts a product's terms are cut. Each warp takes a part, and the
            parts are added up in order: otherwise all warps would multiply the same small tile.
        ahead: How many bytes of an operand are loaded before the first of them are multiplied.
    """

    rows: int
    units: int
    depth: int
    splits: int = 1
    ahead: int = 65536


@dataclass(frozen=True)
class KernelShape:
    """What the text of a kernel depends on.

    Attributes:
        graph: The cell's equations.
        sizes: The layer's sizes.
        program: The equations as phases.
        part: ``"forward"`` or ``"backward"``.
        has_bias: Whether the layer has biases.
        tile: The tile of one program.
        is_resident: Whether the weights are loaded before the first step, and stay.
        is_narrow: Whether products are taken in a narrower type than sums.
        element_bytes: The bytes of a number that is multiplied.
    """

    graph: Graph
    sizes: Sizes
    program: Program
    part: str
    has_bias: bool
    tile: TileShape
    is_resident: bool
    is_narrow: bool
    element_bytes: int

    def buffer(self, k: int) -> BufferSlot:
        """Buffer ``k`` of the program."""
        return self.program.buffers[k]

    def width(self, name: str) -> int:
        """How many numbers a width stands for."""
        return self.sizes.of(name) if name else 1

    def count_heads(self, width: str) -> int:
        """Into how many parts a width is cut, so that a tile lies in one block of every map."""
        heads = [
            stack.heads
            for stack in self.graph.stacks
            if width == stack.operand or width in (w for _, w in stack.gates)
        ]
        return math.lcm(*heads) if heads else 1

    def count_tiles(self, width: str) -> int:
        """How many tiles of units a width has."""
        return self.count_heads(width) * self.count_tiles_per_head(width)

    def count_tiles_per_head(self, width: str) -> int:
        """How many tiles one part of a width has."""
        return -(-self.width(width) // self.count_heads(width) // self.tile.units)

    def count_units_of_tiles(self, width: str) -> list[int]:
        """How many units each tile of a width has."""
        per_head = self.width(width) // self.count_heads(width)
        tiles = range(self.count_tiles_per_head(width))
        counts = [min(self.tile.units, per_head - n * self.tile.units) for n in tiles]
        return counts * self.count_heads(width)

    @cached_property
    def row_slots(self) -> int:
        """How many parts a sum over the units of a row has: one for each tile of each phase."""
        return sum(self.count_tiles(phase.width) for phase in self.phases)

    @property
    def phases(self) -> list[Phase]:
        """The phases of this direction."""
        return get_phases(self.program, self.part)

    @cached_property
    def widths(self) -> tuple[str, ...]:
        """The widths of phases and states, sorted."""
        return tuple(
            sorted(
                {phase.width for phase in self.phases}
                | {state.width for state in self.graph.states}
            )
        )

    @cached_property
    def unit_programs(self) -> int:
        """How many programs share the units."""
        return max(map(self.count_tiles, self.widths))

    def count_terms(self, product: Product) -> int:
        """How many terms a product sums for each gate and head."""
        stack = self.stack(product.stack)
        gate = dict(stack.gates)[product.gates[0]]
        return self.width(gate if product.transposed else stack.operand) // stack.heads

    def stack(self, name: str) -> StackSpec:
        """The stack of gates called ``name``."""
        return self.graph.get_stack(name)


class Addresses:
    """Pointer expressions of values; remembers which arguments they use."""

    def __init__(self, shape: KernelShape) -> None:
        self.shape = shape
        self.arguments: dict[str, None] = {}

    def argument(self, name: str) -> str:
        """``name``, which becomes one of the kernel's arguments."""
        self.arguments.setdefault(name)
        return name

    def value(self, k: int, item: int, columns: str, time: str = "t", row: str = "row") -> str:
        """Where an item of a buffer lies, for the rows ``row`` at the step ``time``."""
        buffer = self.shape.buffer(k)
        width = self.shape.width(buffer.width)
        if buffer.role == "previous":
            return self.state(buffer.index, columns, f"({time} + PREVIOUS)", row)
        if buffer.role == "next":
            return self.state(buffer.index, columns, f"({time} + 1 - PREVIOUS)", row)
        if buffer.role == "mask":
            name = self.argument(f"M{buffer.index}")
            strides = (self.argument(f"{name}_time"), self.argument(f"{name}_row"))
            return f"{name} + {time} * {strides[0]} + {row} * {strides[1]} + {columns}"
        name = self.argument(f"P{k}")
        if buffer.scope == CONST:
            return f"{name} + {item * width} + {columns}"
        block = buffer.items * width
        inside = f"{row} * {block} + {item * width} + {columns}"
        if buffer.scope == STEP:
            return f"{name} + {inside}"
        assert buffer.scope in (TIME, CHUNK), buffer
        return f"{name} + {time} * (B * {block}) + {inside}"

    def state(self, index: int, columns: str, slot: str, row: str = "row", name: str = "S") -> str:
        """Where a state lies; ``X`` in place of ``S`` is the tape in the type of products."""
        width = self.shape.width(self.shape.graph.states[index].width)
        name = self.argument(f"{name}{index}")
        return f"{name} + {slot} * (B * {width}) + {row} * {width} + {columns}"

    def scalar(self, k: int, item: int, time: str = "t") -> str:
        """Where a number for each row lies."""
        buffer = self.shape.buffer(k)
        name = self.argument(f"P{k}")
        inside = f"rows * {buffer.items} + {item}"
        if buffer.scope == STEP:
            return f"{name} + {inside}"
        return f"{name} + {time} * (B * {buffer.items}) + {inside}"
