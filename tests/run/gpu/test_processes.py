"""Several programs a batch tile as processes that wait for each other, with real atomics."""

from __future__ import annotations

from functools import partial

import pytest

from run.cases import run_with_gradients
from run.gpu.comparison import find_faults
from run.gpu.interpreter import in_interpreter
from run.gpu.jobs import draw_job
from run.gpu.programs import run_in_processes
from sampling import thin_out
from sluice.codegen.gpu.layout import TileShape
from sluice.equations.specs import Sizes
from sluice.run import reference
from sluice.run.gpu import fused
from sluice.run.gpu.tiles import Tiling

TILING = Tiling(TileShape(2, 4, 16), 4, True)


@pytest.mark.parametrize(
    "name", thin_out(["lstm", "gru-reset-before", "layer-norm-lstm", "slstm", "projected"], 3)
)
@in_interpreter
def test_programs_wait_for_each_other(name: str) -> None:
    # Two tiles of units, of each head too, and for one cell two of sequences.
    sizes = Sizes(input=3, hidden=12 if name == "slstm" else 6, projection=6)
    batch = 3 if name == "lstm" else 2
    job = draw_job(name, sizes, 3, batch, seed=3, lengths=True, resets=True)
    expected = run_with_gradients(reference.run, job)
    with run_in_processes():
        found = run_with_gradients(partial(fused.run, tiling=TILING), job)
    assert not find_faults(found, expected, 1e-10)
