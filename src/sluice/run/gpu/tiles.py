"""Tiles from sizes: how many sequences and units a program owns, and whether weights stay."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from sluice.codegen.gpu.layout import KernelShape, TileShape
from sluice.codegen.program import Program
from sluice.equations.graph import Graph
from sluice.equations.specs import Sizes
from sluice.errors import SluiceError

_RESERVED_BYTES = 8 << 10
"""Shared memory for sums over rows, beside weights and operands."""
_WARPS = 8
_AHEAD = 16 << 10
_DEPTHS = {2: 64, 4: 32, 8: 16}
"""As measured by bench/gpu.py on an H100. Depths are by the bytes of what is multiplied."""


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


class TilingError(SluiceError, ValueError):
    """No tiling fits a GPU."""


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

    Raises TilingError where a step does not fit into the GPU.
    """
    best: tuple[tuple[int, ...], Tiling] | None = None
    for rows, units in itertools.product((16, 32, 64), (8, 16, 32, 64)):
        tile = TileShape(rows, units, _DEPTHS[element_bytes], _WARPS, _AHEAD)
        shape = KernelShape(graph, sizes, program, part, False, tile, True, False, element_bytes)
        limit = limits.shared_bytes - _RESERVED_BYTES * (3 if graph.norms else 1)
        is_resident = estimate_shared_bytes(shape) <= limit
        if not is_resident and estimate_streamed_bytes(shape) > limit:
            continue
        if shape.unit_programs > limits.processors:
            continue  # all programs of a batch tile must be at work at once
        waves = -(-shape.unit_programs * -(-batch // rows) // limits.processors)
        # Every program reads all deltas on the way back: rather fewer programs there.
        is_thin = part == "backward" and units == 8
        key = (waves, not is_resident, is_thin, rows * units, rows)
        if best is None or key < best[0]:
            best = key, Tiling(tile, _WARPS, is_resident)
    if best is None:
        raise TilingError(f"a step of {sizes.hidden} hidden units does not fit into this GPU")
    return best[1]


def estimate_shared_bytes(shape: KernelShape) -> int:
    """How much shared memory a program needs for weights that stay, and for operands."""
    tile, weights, operands = shape.tile, 0, 0
    for phase in shape.phases:
        for product in phase.products:
            padded = -(-shape.count_terms(product) // (16 * tile.splits)) * 16 * tile.splits
            weights += len(product.gates) * padded * tile.units
            rows = tile.rows * padded * (len(product.gates) if product.transposed else 1)
            chunk = tile.rows * tile.splits * tile.depth * shape.element_bytes
            operands = max(operands, min(rows * shape.element_bytes, max(tile.ahead, chunk)))
            operands = max(operands, tile.splits * tile.rows * tile.units * 4)  # sums of the splits
    # A float32 weight is kept as two numbers, the second of which has the digits that TF32 lacks.
    weight_bytes = 8 if shape.element_bytes == 4 else shape.element_bytes
    return weights * weight_bytes + operands


def estimate_streamed_bytes(shape: KernelShape) -> int:
    """How much shared memory a program needs where weights are read at every step."""
    tile, most = shape.tile, 0
    for phase in shape.phases:
        for product in phase.products:
            columns = tile.units * (1 if product.transposed else len(product.gates))
            most = max(most, tile.splits * tile.depth * (tile.rows + columns))
    return most * shape.element_bytes
