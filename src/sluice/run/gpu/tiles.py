"""Tiles from sizes: how many sequences and units a program owns, and whether weights stay."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.codegen.gpu.layout import KernelShape, TileShape
from sluice.codegen.gpu.meetings import get_phases
from sluice.codegen.program import Program
from sluice.equations.graph import Graph
from sluice.equations.specs import Sizes

_RESERVED_BYTES = 24 << 10
"""Shared memory for operands and sums over rows, beside the weights that stay."""


@dataclass(frozen=True)
class DeviceLimits:
    """What a GPU offers: multiprocessors, and bytes of shared memory that one program can have."""

    processors: int
    shared_bytes: int


@dataclass(frozen=True)
class Tiling:
    """How a pass is cut up: tiles, warps of a program, and whether its weights stay on chip."""

    tile: TileShape
    warps: int
    is_resident: bool


def choose_tiling(
    graph: Graph,
    sizes: Sizes,
    program: Program,
    part: str,
    batch: int,
    element_bytes: int,
    limits: DeviceLimits,
) -> Tiling:
    """The tiling of one direction: units are split first, then sequences.

    The fewest units a program that leave no multiprocessor with two programs; ``element_bytes``
    are those of a number that is multiplied.
    """
    candidates = []
    for rows in (16, 32, 64):
        for units in (16, 32, 64, 128):
            tile = TileShape(rows, units, _choose_depth(rows, units, element_bytes))
            shape = KernelShape(graph, sizes, program, part, False, tile, True, False, element_bytes)
            count = shape.unit_programs * -(-batch // rows)
            fits = count_weight_bytes(shape, element_bytes) + _RESERVED_BYTES <= limits.shared_bytes
            if count <= limits.processors:
                candidates.append((not fits, rows * units, rows, tile, fits))
        if rows >= batch:
            break
    if not candidates:  # several launches, one after another, each with a part of the sequences
        tile = TileShape(64, 128, _choose_depth(64, 128, element_bytes))
        return Tiling(tile, 8, False)
    _, area, _, tile, fits = min(candidates, key=lambda candidate: candidate[:3])
    return Tiling(tile, 8 if area >= 2048 else 4, fits)


def _choose_depth(rows: int, units: int, element_bytes: int) -> int:
    """How many terms of a product are loaded at once."""
    if element_bytes > 4:
        return 16
    depth = 128 if element_bytes == 2 else 32
    return depth if rows * units < 4096 else depth // 2


def count_weight_bytes(shape: KernelShape, element_bytes: int) -> int:
    """How many bytes the weights of one program have."""
    total = 0
    for phase in get_phases(shape.program, shape.part):
        for product in phase.products:
            stack = shape.stack(product.stack)
            gate = dict(stack.gates)[product.gates[0]]
            terms = shape.width(gate if product.transposed else stack.operand) // stack.heads
            padded = -(-terms // 16) * 16
            total += len(product.gates) * padded * shape.tile.units
    return total * element_bytes
