"""Values and gradients of every cell in Triton's interpreter, against the reference."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from cell_list import CELLS
from run.cases import draw, run_with_gradients
from run.gpu.comparison import find_faults
from run.gpu.interpreter import in_interpreter
from sluice.codegen.gpu.layout import TileShape
from sluice.equations.specs import Sizes
from sluice.run import reference
from sluice.run.gpu import fused
from sluice.run.gpu.tiles import Tiling

SIZES = Sizes(input=7, hidden=20, projection=6)
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "marked": {"lengths": True, "resets": True},
    "reverse": {"reverse": True},
    "reverse-marked": {"lengths": True, "resets": True, "reverse": True},
    "no-bias": {"bias": False},
}
"""What a pass can be asked for."""
QUICK = ("plain", "reverse-marked")


@pytest.mark.parametrize(
    "way", [way if way in QUICK else pytest.param(way, marks=pytest.mark.slow) for way in WAYS]
)
@pytest.mark.parametrize("name", CELLS)
@in_interpreter
def test_float64_equals_the_reference(name: str, way: str) -> None:
    job = draw(CELLS[name]().graph, SIZES, 3, 5, seed=3, **WAYS[way])
    expected = run_with_gradients(reference.run, job)
    # Two tiles of sequences, the second almost empty; operands in two parts.
    is_resident = list(WAYS).index(way) % 2 == 0
    tiling = Tiling(TileShape(4, 32, 16), 4, is_resident)
    found = run_with_gradients(partial(fused.run, tiling=tiling), job)
    assert not find_faults(found, expected, 1e-10)
