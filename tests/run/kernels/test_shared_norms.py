"""Norms where threads divide the units: each of them needs sums over all units."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

import sluice
from cell_list import CELLS
from run.cases import cast, draw, run_with_gradients
from sampling import thin_out
from sluice.cells import Cell, Gate, Map, Norm
from sluice.equations.specs import Sizes
from sluice.run import reference
from sluice.run.kernels import extension, fused
from sluice.run.spec import RunSpec


class NormOfInput(Cell):
    """Norms of the input alone, of a map of a normed input, and of the state beside the input's."""

    first, second, third = Norm(), Norm(), Norm()
    map = Map()
    gate = Gate()

    def step(self, x: Any, h: Any, c: Any) -> dict[str, Any]:
        inner = self.second(self.map(self.first(x)))
        c = 0.5 * c + self.third(inner + h)
        return {"h": sluice.tanh(self.gate(x, h) + c), "c": c, "inner": inner}


NORMED = {name: make for name, make in CELLS.items() if "norm" in name} | {"own": NormOfInput}


@pytest.fixture(params=[2, 3])
def threads(request: pytest.FixtureRequest) -> Any:
    before = extension.get_num_threads()
    yield request.param
    extension.set_num_threads(before)


def run_on(job: RunSpec, threads: int, precision: str | None = None) -> list[Tensor]:
    """Output, last states and, except in int8, all gradients on so many threads."""
    extension.set_num_threads(threads)
    if precision != "int8":
        return run_with_gradients(partial(fused.run, precision=precision), job)
    with torch.no_grad():
        y, last = fused.run(job, precision)
    return [y, *last]


@pytest.mark.parametrize("batch", thin_out([1, 2, 3], 3, 2))
@pytest.mark.parametrize("name", thin_out(NORMED, 3, 1))
def test_outputs_and_gradients_are_those_of_the_reference(
    name: str, batch: int, threads: int
) -> None:
    marks = {"lengths": batch == 3, "resets": batch > 1, "reverse": batch == 2}
    job = draw(NORMED[name]().graph, Sizes(37, 131, 131), 21, batch, **marks)
    found, expected = run_on(job, threads), run_with_gradients(reference.run, job)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("batch", thin_out([1, 3], 2, 1))
@pytest.mark.parametrize("name", thin_out(NORMED, 3))
def test_no_bit_depends_on_the_number_of_threads(
    name: str, batch: int, precision: str, threads: int
) -> None:
    marks = {"lengths": batch == 3, "resets": batch > 1}
    job = cast(draw(NORMED[name]().graph, Sizes(24, 210, 210), 101, batch, **marks), torch.float32)
    alone, shared = (run_on(job, count, precision) for count in (1, threads))
    assert all(map(torch.equal, alone, shared))
    assert all(map(torch.equal, shared, run_on(job, threads, precision)))


@pytest.mark.parametrize("name", NORMED)
def test_outputs_do_not_depend_on_the_batch(name: str, threads: int) -> None:
    job = cast(draw(NORMED[name]().graph, Sizes(24, 210, 210), 33, 9), torch.float32)
    whole = run_on(job, threads)[0]
    one = replace(
        job,
        x=job.x[:, 4:5],
        states=tuple(state[4:5] for state in job.states),
        masks=tuple(mask[:, 4:5] for mask in job.masks),
    )
    assert torch.equal(run_on(one, threads)[0], whole[:, 4:5])


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("name", NORMED)
@torch.no_grad()
def test_a_shared_step_of_a_stream_is_that_of_a_layer(
    name: str, precision: str, threads: int
) -> None:
    layer = sluice.nn.Recurrent(NORMED[name](), 48, 260, num_layers=2).eval()
    layer.precision = precision
    x = torch.randn(9, 1, 48)
    extension.set_num_threads(1)
    expected = layer(x)[0]
    extension.set_num_threads(threads)
    stream = layer.stream(batch_size=1)
    for _ in range(3):  # the other threads take part where steps follow each other closely
        stream = layer.stream(batch_size=1)
        assert all(torch.equal(stream(x[t]), expected[t]) for t in range(9))
