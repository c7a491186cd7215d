"""Calls of few steps, which multiply by the parameters where they lie, beside calls of many."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from cell_list import CELLS
from run.cases import cast, draw, error, run_with_gradients
from sampling import thin_out
from sluice.equations.specs import Sizes
from sluice.run import reference
from sluice.run.kernels import extension, fused
from sluice.run.recomputation import slice_spec

NAMES = ("elman", "lstm", "gru", "gru-reset-before", "layer-norm-lstm", "projected", "rising")
SHAPES = [(1, 1, 1), (2, 3, 40), (17, 16, 2), (5, 63, 33), (64, 100, 4), (130, 129, 17)]


@pytest.fixture(autouse=True)
def poison_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Scratch of the kernels and new tensors of torch's start as NaN."""
    monkeypatch.setenv("SLUICE_POISON", "1")
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """That many threads, even where there is little to do."""
    monkeypatch.setattr(extension, "MULTIPLICATIONS_PER_THREAD", 1)
    extension.set_num_threads(request.param)
    yield request.param
    extension.set_num_threads(torch.get_num_threads())


def check_bits(name: str, dtype: torch.dtype, precision: str | None = None) -> None:
    """One call over all steps gives the bits of calls over one step, and of one over three."""
    for width, hidden, batch in SHAPES:
        sizes = Sizes(width, hidden, max(1, hidden // 2))
        job = draw(CELLS[name]().graph, sizes, 4, batch, dtype=dtype)
        with torch.no_grad():
            expected, last = fused.run(job, precision)
            for lengths in ([1] * 4, [3, 1]):
                parts, states = [], job.states
                for part in job.x.split(lengths):
                    y, states = fused.run(slice_spec(job, slice(0, 0), part, states), precision)
                    parts.append(y)
                assert torch.equal(torch.cat(parts), expected), (width, hidden, batch, lengths)
                assert all(torch.equal(a, b) for a, b in zip(states, last, strict=True))


@pytest.mark.parametrize("name", thin_out(NAMES, 3, 1))
def test_splitting_time_changes_no_bit(name: str, isa: str) -> None:
    assert extension.get_isa() == isa
    for dtype in (torch.float32, torch.float64):
        check_bits(name, dtype)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("name", thin_out(NAMES, 3))
def test_splitting_time_changes_no_bit_with_threads(
    name: str, precision: str, threads: int
) -> None:
    check_bits(name, torch.float32, precision)


def is_close(found: Tensor, expected: Tensor, tolerance: float) -> bool:
    """Relative to the largest number, and absolute below one: a norm of one unit passes nothing."""
    return bool((found - expected).abs().max() <= tolerance * expected.abs().max().clamp(min=1.0))


@pytest.mark.parametrize("steps", thin_out([1, 3], 2, 1))
@pytest.mark.parametrize("name", thin_out(NAMES, 3))
def test_gradients_of_few_steps(name: str, steps: int, threads: int) -> None:
    for seed, (width, hidden, batch) in enumerate(SHAPES):
        sizes = Sizes(width, hidden, max(1, hidden // 2))
        for bias, reverse in ((True, False), (False, True)):
            job = draw(
                CELLS[name]().graph, sizes, steps, batch, seed=seed, bias=bias, reverse=reverse
            )
            expected = run_with_gradients(reference.run, job)
            for found, exact in zip(run_with_gradients(fused.run, job), expected, strict=True):
                assert is_close(found, exact, 1e-9), (width, hidden, batch)
            small = run_with_gradients(fused.run, cast(job, torch.float32))
            for found, exact in zip(small, expected, strict=True):
                assert is_close(found.double(), exact, 1e-4), (width, hidden, batch)


@pytest.mark.parametrize("name", thin_out(NAMES, 3))
def test_gradients_of_few_steps_for_each_instruction_set(name: str, isa: str) -> None:
    assert extension.get_isa() == isa
    test_gradients_of_few_steps(name, 1, 1)


@pytest.mark.parametrize("name", ["lstm", "gru-reset-before"])
def test_gradients_of_sequences_that_end_before_the_last_step(name: str) -> None:
    """No row of the first chunk of steps may have a gradient of weights."""
    job = draw(CELLS[name]().graph, Sizes(5, 17), 1100, 2, lengths=True)
    job.lengths.copy_(torch.tensor([0, 9]))
    found, expected = run_with_gradients(fused.run, job), run_with_gradients(reference.run, job)
    assert all(error(a, b) < 1e-9 for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("steps", [1, 8])
def test_a_layer_that_was_changed_uses_its_new_weights(steps: int) -> None:
    job = draw(CELLS["gru"]().graph, Sizes(20, 30), steps, 2)
    with torch.no_grad():
        before = fused.run(job)[0]
        for parameter in job.parameters:
            parameter.mul_(0.5)
        after = fused.run(job)[0]
        expected = reference.run(job)[0]
    assert not torch.equal(before, after)
    assert error(after, expected) < 1e-12
