"""What autograd asks of GPU kernels: segments, gradients of gradients, gradients left out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from run.cases import cast, leaves, run_with_gradients
from run.gpu.comparison import find_faults, find_rounding_faults
from run.gpu.interpreter import in_interpreter
from run.gpu.jobs import MARKS, draw_job
from run.gpu.programs import run_in_order
from run.rounded_reference import Rounding
from run.rounded_reference import run as run_rounded
from sampling import thin_out
from sluice.codegen.gpu.layout import TileShape
from sluice.equations.specs import Sizes
from sluice.run import recomputation, reference
from sluice.run.gpu import fused
from sluice.run.gpu.tiles import Tiling
from sluice.run.spec import RunSpec

SIZES = Sizes(input=3, hidden=6, projection=2)
TILING = Tiling(TileShape(4, 8, 16), 4, False)
run = partial(fused.run, tiling=TILING)


def draw_small(name: str, steps: int = 3, **marks: Any) -> RunSpec:
    return draw_job(name, SIZES, steps, 3, seed=1, **marks)


@pytest.mark.parametrize("name", thin_out(["lstm", "layer-norm-gru"], 2))
@in_interpreter
def test_recomputed_segments_in_the_tiling_that_is_chosen(name: str) -> None:
    # Two programs a tile: the chosen one has 16 units.
    sizes = Sizes(input=3, hidden=20, projection=2)
    job = draw_job(name, sizes, 5, 3, seed=1, **MARKS)
    expected = run_with_gradients(reference.run, job)

    def recompute(spec: RunSpec) -> Any:
        return recomputation.run_with_recompute(spec, 2, fused.run)

    with run_in_order(backwards=False):
        found = run_with_gradients(recompute, job)
    assert not find_faults(found, expected, 1e-10)


@pytest.mark.parametrize("name", thin_out(["gru", "peephole"], 2, 1))
@in_interpreter
def test_gradients_of_gradients(name: str) -> None:
    job = draw_small(name, lengths=True)
    found = []
    for one in (run, reference.run):
        y, last = one(job)
        loss = y.sin().sum() + sum(state.cos().sum() for state in last)
        first = torch.autograd.grad(loss, leaves(job), create_graph=True)
        penalty = sum(gradient.square().sum() for gradient in first)
        found.append([*first, *torch.autograd.grad(penalty, leaves(job))])
    assert all(tensor.any() for tensor in found[1])
    assert not find_faults(*found, 1e-10)


@in_interpreter
def test_gradcheck() -> None:
    job = draw_job("lstm", Sizes(2, 2, 2), 2, 2, seed=2, lengths=True, resets=True)

    def outputs(*tensors: Tensor) -> tuple[Tensor, ...]:
        y, last = run(job.replace_tensors(tensors))
        return (y, *last)

    torch.manual_seed(0)
    assert torch.autograd.gradcheck(outputs, job.tensors, fast_mode=True)


@pytest.mark.parametrize("name", thin_out(["lstm", "layer-norm-elman"], 2, 1))
@in_interpreter
def test_outputs_without_a_gradient(name: str) -> None:
    job = draw_small(name, **MARKS)
    for chosen in ([0], [1], list(range(len(job.states) + 1))[1:]):
        found = []
        for one in (run, reference.run):
            y, last = one(job)
            loss = sum((n + 1) * [y, *last][n].sum() for n in chosen)
            found.append(torch.autograd.grad(loss, leaves(job), allow_unused=True))
        pairs = zip(found[1], leaves(job), strict=True)
        expected = [torch.zeros_like(t) if g is None else g for g, t in pairs]
        assert not find_faults(found[0], expected, 1e-10), chosen


@in_interpreter
def test_a_second_backward_pass_gives_the_same() -> None:
    job = draw_small("layer-norm-lstm", lengths=True)
    y, last = run(job)
    upstream = [torch.linspace(-1, 2, t.numel()).view_as(t).double() for t in (y, *last)]
    first, second = (
        torch.autograd.grad([y, *last], leaves(job), upstream, retain_graph=True) for _ in range(2)
    )
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert all(tensor.any() for tensor in first)


@pytest.mark.parametrize("name", thin_out(["gru-reset-before", "layer-norm-lstm"], 2))
@in_interpreter
def test_without_gradients_nothing_is_kept_and_values_are_the_same(name: str) -> None:
    job = draw_small(name, **MARKS)
    y, last = run(job)
    frozen = replace(job, **{field: _detach(getattr(job, field)) for field in _LEARNED})
    found_y, found_last = run(frozen)
    assert not found_y.requires_grad
    assert torch.equal(y, found_y)
    assert all(torch.equal(a, b) for a, b in zip(last, found_last, strict=True))


_LEARNED = ("x", "states", "parameters", "learned_initial_states")


def _detach(value: Any) -> Any:
    return value.detach() if isinstance(value, Tensor) else tuple(t.detach() for t in value)


@in_interpreter
def test_gradients_of_the_input_alone_and_of_all_but_the_input() -> None:
    job = draw_small("lstm")
    frozen = replace(job, states=_detach(job.states), parameters=_detach(job.parameters))
    expected = torch.autograd.grad(reference.run(job)[0].square().sum(), leaves(job))
    of_x = torch.autograd.grad(run(frozen)[0].square().sum(), job.x)
    assert not find_faults(of_x, expected[:1], 1e-10)
    rest = leaves(job)[1:]
    found = torch.autograd.grad(run(replace(job, x=job.x.detach()))[0].square().sum(), rest)
    assert not find_faults(found, expected[1:], 1e-10)


@pytest.mark.parametrize("name", ["lstm", "gru"])
@in_interpreter
def test_a_narrow_input_beside_float32_states(name: str) -> None:
    job = draw_small(name, **MARKS)
    single = cast(job, torch.float32)
    narrow = replace(single, x=single.x.detach().half().requires_grad_())
    found = run_with_gradients(partial(run, precision="float16"), narrow)
    half, single_type = torch.float16, torch.float32
    expected = [half, *[single_type] * len(job.states), half]
    assert [tensor.dtype for tensor in found[: len(expected)]] == expected
    rounding = Rounding(half, is_input_narrow=True, are_weight_gradients_narrow=True)
    rounded = run_with_gradients(partial(run_rounded, rounding=rounding), job)
    assert not find_rounding_faults(found, rounded)
