"""Kernels compiled to machine code for two GPUs, with none at hand: they fit, and do not spill."""

from __future__ import annotations

import os
from itertools import product
from typing import Any

import pytest
import torch

from cell_list import GPU_CELLS
from gpu_compile import CAPABILITIES, Resources, compile_pass
from run.cases import cast, draw
from run.gpu.interpreter import needs_triton
from sluice.codegen.gpu.layout import TileShape
from sluice.equations.specs import Sizes
from sluice.run.gpu.tiles import Tiling

pytestmark = [
    needs_triton,
    pytest.mark.skipif("TRITON_INTERPRET" in os.environ, reason="Triton interprets, not compiles"),
]
MARKS: dict[str, Any] = {"lengths": True, "resets": True, "reverse": True}
_SLOW = pytest.mark.slow
VARIANTS = list(product((90, 80), ("bfloat16", None), (True, False), (True, False)))
"""Capability, precision, whether weights stay, whether there are lengths and resets."""


def compile_cell(
    name: str,
    sizes: Sizes,
    capability: int,
    precision: str | None,
    tiling: Tiling | None,
    marks: dict[str, Any],
) -> list[Resources]:
    job = cast(draw(GPU_CELLS[name]().graph, sizes, 2, 16, **marks), torch.float32)
    found = compile_pass(job, capability, precision, tiling)
    assert [resources.part for resources in found] == ["forward", "backward"]
    for resources in found:
        assert resources.shared <= CAPABILITIES[capability].shared_bytes, resources
    return found


def compile_variant(name: str, variant: int) -> None:
    capability, precision, is_resident, has_marks = VARIANTS[variant % len(VARIANTS)]
    tile = TileShape(16, 16, 32, splits=4) if variant % 3 else TileShape(16, 32, 32)
    tiling = Tiling(tile, 4, is_resident)
    sizes = Sizes(input=24, hidden=96, projection=48)
    compile_cell(name, sizes, capability, precision, tiling, MARKS if has_marks else {})


@pytest.mark.parametrize(
    ("name", "variant"), [("lstm", 0), ("gru-reset-before", 6), ("layer-norm-elman", 12)]
)
def test_a_cell_of_each_kind_compiles(name: str, variant: int) -> None:
    compile_variant(name, variant)


@_SLOW
@pytest.mark.parametrize("name", GPU_CELLS)
def test_every_cell_compiles(name: str) -> None:
    """Variants are shared out among the cells: another prime step for each."""
    compile_variant(name, 5 * list(GPU_CELLS).index(name) + 3)


@pytest.mark.parametrize(
    ("name", "hidden", "precision", "capability"),
    [
        ("lstm", 256, "bfloat16", 90),
        *[
            pytest.param(name, hidden, precision, capability, marks=_SLOW)
            for name, hidden, precision, capability in [
                ("lstm", 256, "bfloat16", 80),
                ("gru", 256, "bfloat16", 90),
                ("gru", 256, None, 80),
                ("lstm", 256, None, 90),
                ("lstm", 768, "bfloat16", 90),
                ("gru", 768, "bfloat16", 90),
            ]
        ],
    ],
)
def test_plain_cells_do_not_spill(
    name: str, hidden: int, precision: str | None, capability: int
) -> None:
    """In the tiling that is chosen for them."""
    sizes = Sizes(input=hidden, hidden=hidden, projection=hidden)
    for resources in compile_cell(name, sizes, capability, precision, None, {}):
        assert resources.is_resident and resources.stack == 0, resources
