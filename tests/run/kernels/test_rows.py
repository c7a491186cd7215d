"""Functions of whole rows: against plain loops of torch, forward and back, on every backend."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

import sluice
from run.cases import cast, draw, error, run_with_gradients
from run.kernels.row_cells import CASES, MatrixMemory, OrderedLSTM, Step, step_reductions
from sluice import Cell, EquationError, Gate, Map, State, tanh
from sluice.equations import Sizes
from sluice.equations.rows import (
    matvec,
    max_units,
    mean_units,
    outer,
    repeat,
    softmax,
    sum_units,
    tile,
    vecmat,
)
from sluice.run import bptt, reference
from sluice.run.gpu.fused import find_obstacle
from sluice.run.kernels import extension, fused
from sluice.run.spec import RunSpec


@pytest.fixture(autouse=True)
def poison_memory(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SLUICE_POISON", "1")
    before = extension.get_num_threads()
    yield
    extension.set_num_threads(before)


def make(name: str, hidden: int, batch: int, **marks: Any) -> RunSpec:
    kind, _, named = CASES[name]
    return draw(kind().graph, Sizes(3, hidden, 0, named), 5, batch, **marks)


def run_plainly(step: Step, job: RunSpec) -> tuple[Tensor, tuple[Tensor, ...]]:
    """A loop of torch operations, without the package."""
    names = [parameter.name for parameter in job.graph.parameters]
    parameters = dict(zip(names, job.parameters, strict=True))
    states, outputs = job.states, []
    for x in job.x:
        states = step(parameters, x, *states)
        outputs.append(states[0])
    return torch.stack(outputs), states


@pytest.mark.parametrize(("hidden", "batch", "threads"), [(4, 3, 1), (132, 1, 2), (20, 5, 2)])
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_those_of_a_plain_loop(
    name: str, hidden: int, batch: int, threads: int
) -> None:
    extension.set_num_threads(threads)
    job = make(name, hidden, batch)
    expected = run_with_gradients(partial(run_plainly, CASES[name][1]), job)
    for run in (reference.run, fused.run):
        found = run_with_gradients(run, job)
        assert max(map(error, found, expected)) < 1e-12


def test_rows_of_zeros_have_gradients() -> None:
    job = make("reductions", 5, 2)
    zeros = tuple(torch.zeros_like(state).requires_grad_() for state in job.states)
    job = replace(job, states=zeros)
    expected = run_with_gradients(partial(run_plainly, step_reductions), job)
    for run in (reference.run, fused.run):
        assert max(map(error, run_with_gradients(run, job), expected)) < 1e-12


def test_equal_maxima_share_the_gradient() -> None:
    class Peak(Cell):
        def step(self, x: Any, h: Any) -> Any:
            return dict(h=0.5 * h + max_units(x * 2.0) * h)

    job = draw(Peak().graph, Sizes(3, 4), 1, 2)
    x = torch.tensor([[[1.0, 2.0, 2.0], [3.0, 3.0, 3.0]]], dtype=torch.float64, requires_grad=True)
    job = replace(job, x=x)

    def step(p: dict[str, Tensor], x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
        return (0.5 * h + (x * 2.0).amax(-1, True) * h,)

    expected = run_with_gradients(partial(run_plainly, step), job)
    for run in (reference.run, fused.run):
        assert max(map(error, run_with_gradients(run, job), expected)) < 1e-14


@pytest.mark.parametrize("name", CASES)
def test_lengths_resets_and_directions(name: str) -> None:
    job = make(name, 12, 4, lengths=True, resets=True, reverse=True)
    found, expected = (run_with_gradients(run, job) for run in (fused.run, reference.run))
    assert max(map(error, found, expected)) < 1e-12


@pytest.mark.parametrize("name", CASES)
def test_the_adjoint_is_the_gradient(name: str) -> None:
    job = make(name, 8, 2, lengths=True)
    expected = run_with_gradients(reference.run, job)
    generator, states = torch.Generator().manual_seed(5), len(job.states)
    upstream = [torch.randn(t.shape, generator=generator).to(t) for t in expected[: 1 + states]]
    with torch.no_grad():
        found = bptt.backward(job, upstream[0], tuple(upstream[1:]))
    for one, other in zip(
        [found.x, *found.states, *found.parameters], expected[1 + states :], strict=True
    ):
        assert error(one, other) < 1e-12


@pytest.mark.parametrize("name", ["reductions", "matrix"])
def test_gradcheck(name: str) -> None:
    job = make(name, 4, 2)

    def run(*tensors: Tensor) -> tuple[Tensor, ...]:
        y, last = fused.run(job.replace_tensors(tensors))
        return (y, *last)

    assert torch.autograd.gradcheck(run, job.tensors)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("name", ["ordered", "reductions", "matrix"])
def test_no_bit_depends_on_threads_or_batch(name: str, precision: str) -> None:
    job = cast(make(name, 132, 5), torch.float32)
    with torch.no_grad():
        outputs, all_rows, one_row = [], slice(None), slice(2, 3)
        for threads, rows in ((1, all_rows), (2, all_rows), (1, one_row), (2, one_row)):
            extension.set_num_threads(threads)
            part = replace(
                job, x=job.x[:, rows].contiguous(), states=tuple(s[rows] for s in job.states)
            )
            outputs.append(fused.run(part, precision)[0])
        exact = reference.run(cast(job, torch.float64))[0]
    assert torch.equal(outputs[0], outputs[1])
    assert torch.equal(outputs[0][:, 2:3], outputs[2])
    assert torch.equal(outputs[2], outputs[3])
    bound = {"float32": 1e-4, "bfloat16": 0.05, "int8": 0.1}[precision]
    assert error(outputs[0], exact) < bound


def test_instruction_sets(isa: str) -> None:
    for name in CASES:
        job = cast(make(name, 36, 3), torch.float32)
        exact = run_with_gradients(reference.run, cast(job, torch.float64))
        assert max(map(error, run_with_gradients(fused.run, job), exact)) < 1e-3


def test_the_kernels_of_gpus_refuse_what_they_lack() -> None:
    for name, kind in CASES.items():
        assert "the GPU's kernels have no" in str(find_obstacle(make(name, 8, 2), "float32")), kind


class OneNumber(Cell):
    """A state of one number a row, and nothing else that GPUs lack."""

    gate = Gate()
    level = State(width=1)

    def step(self, x: Any, h: Any, level: Any) -> Any:
        return dict(h=tanh(self.gate(x, h) + level), level=0.5 * level)


def test_values_of_one_number_are_refused_on_gpus() -> None:
    job = draw(OneNumber().graph, Sizes(3, 8), 2, 2)
    assert find_obstacle(job, "float32") == "the GPU's kernels have no values of one number a row"
    found, expected = (run_with_gradients(run, job) for run in (fused.run, reference.run))
    assert max(map(error, found, expected)) < 1e-12


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda h: sum_units(2.0), "applied to x, a state, or a value"),
        (lambda h: softmax(h > 0.0) * h, "comparison"),
        (lambda h: repeat(h), "a number of times, or like="),
        (lambda h: matvec(h, repeat(h, 2)), "no multiple of"),
    ],
)
def test_what_is_no_row_is_refused(write: Any, message: str) -> None:
    class Odd(Cell):
        def step(self, x: Any, h: Any) -> Any:
            return dict(h=write(h))

    with pytest.raises(EquationError, match=message):
        Odd().graph  # noqa: B018


def test_sizes_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="needs a multiple of 4 units, got 10"):
        sluice.nn.Recurrent(OrderedLSTM, 3, 10)
    with pytest.raises(ValueError, match="needs a multiple of 2 units, got 25"):
        sluice.nn.Recurrent(MatrixMemory, 3, 8, sizes=dict(units=5))

    class Odd(Cell):
        few = Map(width=3)

        def step(self, x: Any, h: Any) -> Any:
            return dict(h=tanh(repeat(self.few(h), like=h)))

    with pytest.raises(ValueError, match="8 units are no multiple of 3"):
        sluice.nn.Recurrent(Odd, 3, 8)


def test_functions_of_rows_compute_on_tensors() -> None:
    a, b = torch.randn(2, 5), torch.randn(2, 3)
    assert torch.equal(outer(a, b), torch.einsum("bi,bj->bij", a, b).flatten(1))
    matrix = outer(a, b)
    torch.testing.assert_close(matvec(matrix, b), a * (b * b).sum(-1, keepdim=True))
    torch.testing.assert_close(vecmat(a, matrix), b * (a * a).sum(-1, keepdim=True))
    assert torch.equal(tile(b, 2), b.tile(1, 2))
    c = torch.randn(2, 8)
    torch.testing.assert_close(softmax(c, heads=2), c.unflatten(-1, (2, 4)).softmax(-1).flatten(1))
    torch.testing.assert_close(mean_units(c, heads=4), c.unflatten(-1, (4, 2)).mean(-1))
