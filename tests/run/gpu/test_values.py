"""Values and gradients of every cell in Triton's interpreter, against the reference."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch

from cell_list import GPU_CELLS
from run.cases import cast, error, run_with_gradients
from run.gpu.comparison import find_faults
from run.gpu.interpreter import in_interpreter
from run.gpu.jobs import MARKS, draw_job
from sampling import thin_out
from sluice.codegen.gpu.layout import TileShape
from sluice.equations.specs import Sizes
from sluice.run import reference
from sluice.run.gpu import fused
from sluice.run.gpu.tiles import Tiling

SIZES = Sizes(input=7, hidden=36, projection=6)
WAYS: dict[str, tuple[dict[str, Any], Tiling]] = {
    "plain": ({}, Tiling(TileShape(4, 64, 16), 4, False)),
    "reverse-marked": (
        MARKS,
        Tiling(TileShape(4, 64, 16, splits=4, ahead=1024), 4, True),
    ),
    "marked": ({"lengths": True, "resets": True}, Tiling(TileShape(2, 64, 32, 4), 4, False)),
    "reverse": ({"reverse": True}, Tiling(TileShape(8, 64, 16, 1, 256), 4, True)),
    "no-bias": ({"bias": False}, Tiling(TileShape(4, 64, 16, 2), 4, True)),
}
"""What a pass can be asked for, and how it is cut: operands in several parts, weights on chip or
not; five sequences in a tile or more, the last mostly empty."""
QUICK_WAYS = ("plain", "reverse-marked")
QUICK_CELLS = ("lstm", "projected", "gru-reset-before", "layer-norm-elman", "slstm")
_EXHAUSTIVE = pytest.mark.exhaustive


@pytest.mark.parametrize(
    "way", [way if way in QUICK_WAYS else pytest.param(way, marks=_EXHAUSTIVE) for way in WAYS]
)
@pytest.mark.parametrize("name", thin_out(GPU_CELLS, 10))
@in_interpreter
def test_float64_equals_the_reference(name: str, way: str) -> None:
    marks, tiling = WAYS[way]
    job = draw_job(name, SIZES, 3, 5, seed=3, **marks)
    expected = run_with_gradients(reference.run, job)
    found = run_with_gradients(partial(fused.run, tiling=tiling), job)
    assert not find_faults(found, expected, 1e-10)


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK_CELLS else pytest.param(name, marks=_EXHAUSTIVE) for name in GPU_CELLS],
)
@in_interpreter
def test_float32_is_as_exact_as_the_reference(name: str) -> None:
    marks, tiling = WAYS["reverse-marked"]
    job = draw_job(name, SIZES, 4, 3, seed=4, **marks)
    exact = run_with_gradients(reference.run, job)
    single = cast(job, torch.float32)
    rounded = run_with_gradients(reference.run, single)
    found = run_with_gradients(partial(fused.run, tiling=tiling), single)
    assert all(tensor.dtype is torch.float32 for tensor in found)
    limits = [max(3 * error(r, e), 2e-6) for r, e in zip(rounded, exact, strict=True)]
    assert not find_faults(found, exact, limits)
