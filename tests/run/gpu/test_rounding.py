"""Narrow products in Triton's interpreter, against a reference that rounds as the kernels do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from cell_list import GPU_CELLS
from run.cases import cast, run_with_gradients
from run.gpu.comparison import find_rounding_faults
from run.gpu.interpreter import in_interpreter
from run.gpu.jobs import MARKS, draw_job
from run.rounded_reference import Rounding, run
from sampling import thin_out
from sluice.codegen.gpu.layout import TileShape
from sluice.equations.specs import Sizes
from sluice.run.gpu import fused
from sluice.run.gpu.tiles import Tiling

STEPS, BATCH, HIDDEN = 4, 3, 36
SIZES = Sizes(input=7, hidden=HIDDEN, projection=6)
WAYS: dict[str, tuple[dict[str, Any], Tiling]] = {
    "plain": ({}, Tiling(TileShape(4, 64, 16), 4, False)),
    "reverse-marked": (MARKS, Tiling(TileShape(4, 64, 16, splits=4, ahead=1024), 4, True)),
}
QUICK_CELLS = ("lstm", "projected", "gru-reset-before", "layer-norm-elman", "slstm", "rising")
_EXHAUSTIVE = pytest.mark.exhaustive
MOST_SLOW = [
    name if name in QUICK_CELLS else pytest.param(name, marks=_EXHAUSTIVE) for name in GPU_CELLS
]
MIDDLE = 1e-5
"""Half of all numbers are closer than this, relative to their root mean square; without one of the
roundings they are not."""
ON_A_PROCESSOR = Rounding(torch.float16, are_weight_gradients_narrow=True)


def check(name: str, way: str, has_narrow_input: bool) -> None:
    """Kernels against the rounded reference: closely in one pass of three, roughly in all."""
    marks, tiling = WAYS[way]
    rounding = replace(ON_A_PROCESSOR, is_input_narrow=has_narrow_input)
    kernels = partial(fused.run, tiling=tiling, precision="float16")
    for seed in range(3):
        job = draw_job(name, SIZES, STEPS, BATCH, seed=100 * seed, **marks)
        expected = run_with_gradients(partial(run, rounding=rounding), job)
        single = cast(job, torch.float32)
        x = single.x.detach().half().requires_grad_() if has_narrow_input else single.x
        found = run_with_gradients(kernels, replace(single, x=x))
        faults = find_rounding_faults(found, expected)
        assert not faults, faults
        faults = find_rounding_faults(found, expected, MIDDLE)
        if not faults:
            return
    pytest.fail("\n".join(faults))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", thin_out(MOST_SLOW, 3, 1))
@in_interpreter
def test_kernels_round_factors_and_nothing_else(name: str, way: str) -> None:
    check(name, way, False)


@pytest.mark.parametrize("name", MOST_SLOW)
@in_interpreter
def test_a_narrow_input_makes_the_output_narrow(name: str) -> None:
    check(name, "reverse-marked", True)


@dataclass(frozen=True)
class _Incomplete(Rounding):
    """Leaves tensors of one shape as they are."""

    shape: tuple[int, ...] = ()

    def round(self, tensor: Tensor) -> Tensor:
        return tensor if tuple(tensor.shape) == self.shape else super().round(tensor)


@pytest.mark.parametrize(
    "shape",
    [
        (STEPS, BATCH, SIZES.input),
        (STEPS, BATCH, 4 * HIDDEN),
        (BATCH, HIDDEN),
        (BATCH, 4 * HIDDEN),
        (4 * HIDDEN,),
        (4 * HIDDEN, SIZES.input),
        (4 * HIDDEN, HIDDEN),
    ],
    ids=["input", "hoisted-result", "state", "deltas", "bias", "input-weight", "state-weight"],
)
@pytest.mark.parametrize("way", WAYS)
def test_one_rounding_that_is_missing_is_found(way: str, shape: tuple[int, ...]) -> None:
    job = draw_job("lstm", SIZES, STEPS, BATCH, seed=5, **WAYS[way][0])
    expected = run_with_gradients(partial(run, rounding=ON_A_PROCESSOR), job)
    incomplete = _Incomplete(torch.float16, False, False, True, shape)
    found = run_with_gradients(partial(run, rounding=incomplete), job)
    assert find_rounding_faults(found, expected, MIDDLE)
