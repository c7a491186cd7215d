"""Values and derivatives that GPU kernels record, against the reference's recording."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch

from cell_list import GPU_CELLS
from run.gpu.comparison import find_faults
from run.gpu.interpreter import in_interpreter
from run.gpu.jobs import MARKS, draw_job
from run.gpu.programs import run_in_order
from sluice.codegen.gpu.layout import TileShape
from sluice.equations.instrument import instrument_graph
from sluice.equations.specs import Sizes
from sluice.run import reference
from sluice.run.gpu import fused
from sluice.run.gpu.tiles import Tiling
from sluice.run.recording.recorded_pass import Recording
from sluice.run.spec import RunSpec

SIZES = Sizes(input=3, hidden=6, projection=2)
TILING = Tiling(TileShape(4, 8, 16), 4, False)
QUICK = ("projected", "gru-reset-before", "layer-norm-lstm", "slstm", "rising")


@pytest.mark.parametrize(
    "name",
    [n if n in QUICK else pytest.param(n, marks=pytest.mark.exhaustive) for n in GPU_CELLS],
)
@in_interpreter
def test_values_and_derivatives_by_name(name: str) -> None:
    job = draw_job(name, SIZES, 3, 3, seed=1, **MARKS)
    more = replace(job, graph=instrument_graph(job.graph, pre=True, maps=True))
    for spec in (job, more) if name in QUICK else (more,):
        with run_in_order(backwards=True):  # two programs where there are heads
            found = record(partial(fused.run, tiling=TILING), spec)
        expected = record(reference.run, spec)
        assert found.backend == "fused"
        assert found.names == expected.names
        for key in found.names:
            assert not find_faults([found.value(key)], [expected.value(key)], 1e-10), key
            assert not find_faults([found.gradient(key)], [expected.gradient(key)], 1e-9), key


@in_interpreter
def test_a_pass_without_gradients_is_recorded() -> None:
    job = draw_job("layer-norm-gru", SIZES, 3, 3, seed=1, **MARKS)
    found, expected = Recording(job, None), Recording(job, None)
    with torch.no_grad():
        fused.run(job, recording=found, tiling=TILING)
        reference.run(job, recording=expected)
    for key in expected.names:
        assert not find_faults([found.value(key)], [expected.value(key)], 1e-10), key


def record(run: Callable[..., Any], spec: RunSpec) -> Recording:
    """The recording of a pass and of its backward pass."""
    recording = Recording(spec, None)
    y, last = run(spec, recording=recording)
    generator = torch.Generator().manual_seed(5)
    upstream = [torch.randn(t.shape, generator=generator).to(t.dtype) for t in (y, *last)]
    torch.autograd.backward([y, *last], upstream)
    return recording
