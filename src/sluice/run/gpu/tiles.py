"""Tiles from sizes: how many sequences and units a program owns, and whether weights stay."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sluice.codegen.gpu.layout import KernelShape, TileShape
from sluice.codegen.gpu.meetings import get_phases
from sluice.codegen.program import Program
from sluice.equations.graph import Graph
from sluice.equations.specs import Sizes

_RESERVED_BYTES = 8 << 10
"""Shared memory for sums over rows, beside weights and operands."""
_DEFAULT_AHEAD, _LEAST_AHEAD = 64 << 10, 16 << 10


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
    """The tiling of one direction, of a pass over ``batch`` sequences.

    All programs are at work at the same time, one on each multiprocessor. Weights that stay on
    chip come first, then small tiles, then tiles of few sequences: units are split before
    sequences. ``element_bytes`` are those of a number that is multiplied.
    """
    best: tuple[tuple[int, ...], Tiling] | None = None
    for rows in (16, 32, 64):
        for units in (8, 16, 32, 64):
            for ahead in (_DEFAULT_AHEAD, _LEAST_AHEAD):
                if units == 8 and part == "backward":
                    continue  # every program reads all deltas: rather fewer programs
                tiling = _build_tiling(rows, units, ahead, element_bytes)
                shape = KernelShape(
                    graph, sizes, program, part, False, tiling.tile, True, False, element_bytes
                )
                limit = limits.shared_bytes - _RESERVED_BYTES
                is_resident = estimate_shared_bytes(shape) <= limit
                if not is_resident and estimate_streamed_bytes(shape) > limit:
                    continue
                count = shape.unit_programs * -(-batch // rows)
                waves = -(-count // limits.processors)
                key = (waves, not is_resident, rows * units, rows, -ahead)
                if best is None or key < best[0]:
                    best = key, replace(tiling, is_resident=is_resident)
    assert best is not None
    return best[1]


def _build_tiling(rows: int, units: int, ahead: int, element_bytes: int) -> Tiling:
    """Each warp takes a part of every product's terms; see `TileShape`."""
    warps = 4 if rows * units <= 256 and element_bytes == 2 else 8
    depth = {2: 64, 4: 32, 8: 16}[element_bytes]
    return Tiling(TileShape(rows, units, depth, warps, ahead), warps, False)


def estimate_shared_bytes(shape: KernelShape) -> int:
    """How much shared memory a program needs for weights that stay, and for operands."""
    tile, weights, operands = shape.tile, 0, 0
    for phase in get_phases(shape.program, shape.part):
        for product in phase.products:
            stack = shape.stack(product.stack)
            gate = dict(stack.gates)[product.gates[0]]
            terms = shape.width(gate if product.transposed else stack.operand) // stack.heads
            padded = -(-terms // (16 * tile.splits)) * 16 * tile.splits
            weights += len(product.gates) * padded * tile.units
            rows = tile.rows * padded * (len(product.gates) if product.transposed else 1)
            operands = max(operands, min(rows * shape.element_bytes, 2 * tile.ahead))
            operands = max(operands, tile.splits * tile.rows * tile.units * 4)  # sums of the splits
    return weights * shape.element_bytes + operands


def estimate_streamed_bytes(shape: KernelShape) -> int:
    """How much shared memory a program needs where weights are read at every step."""
    tile, most = shape.tile, 0
    for phase in get_phases(shape.program, shape.part):
        for product in phase.products:
            columns = tile.units * (1 if product.transposed else len(product.gates))
            most = max(most, tile.splits * tile.depth * (tile.rows + columns))
    return most * shape.element_bytes
