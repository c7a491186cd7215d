"""The fused kernels against the reference under autograd, in values and every gradient."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cell_list import CELLS
from run.cases import cast, draw, error, run_with_gradients
from sampling import thin_out
from sluice.equations.specs import Sizes
from sluice.run import reference
from sluice.run.kernels import extension, fused
from sluice.run.spec import RunSpec

ODD = (Sizes(1, 2, 1), Sizes(3, 4, 2), Sizes(17, 34, 15), Sizes(63, 18, 17))
WAYS: list[dict[str, Any]] = [
    {},
    {"reverse": True, "bias": False},
    {"lengths": True},
    {"resets": True, "reverse": True},
    {"lengths": True, "resets": True},
    {"lengths": True, "resets": True, "reverse": True},
]
# Each cell with each set of options and each size, the others spread so that all pairs occur.
MATRIX = [
    (name, options, sizes)
    for k, (name, options) in enumerate(itertools.product(CELLS, WAYS))
    for sizes in (ODD[k % 4], ODD[(k + 1 + k // 4) % 4])
]


@pytest.fixture(autouse=True)
def poison_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_POISON", "1")


@pytest.mark.parametrize("threads", thin_out([1, 2, 3], 3, 2))
@pytest.mark.parametrize("name", thin_out(CELLS, 2))
def test_values_and_gradients_in_float64(name: str, threads: int) -> None:
    extension.set_num_threads(threads)
    try:
        for seed, (_, options, sizes) in enumerate(m for m in MATRIX if m[0] == name):
            job = draw(CELLS[name]().graph, sizes, 5, 1 + seed % 7, seed=seed, **options)
            for found, expected in zip(
                run_with_gradients(fused.run, job),
                run_with_gradients(reference.run, job),
                strict=True,
            ):
                assert error(found, expected) < 1e-9, (options, sizes)
    finally:
        extension.set_num_threads(torch.get_num_threads())


@cache
def run_reference(name: str) -> list[tuple[RunSpec, list[Tensor], list[Tensor]]]:
    """For each of `WAYS`: a job in float32, and what the reference gives in float32 and float64."""
    results = []
    for seed, options in enumerate(WAYS):
        job = draw(CELLS[name]().graph, Sizes(20, 36, 18), 30, 5, seed=seed, **options)
        narrow = cast(job, torch.float32)
        results.append(
            (
                narrow,
                run_with_gradients(reference.run, narrow),
                run_with_gradients(reference.run, job),
            )
        )
    return results


@pytest.mark.parametrize("name", thin_out(CELLS, 4, 1))
def test_float32_is_as_close_as_the_reference(name: str) -> None:
    for options, (job, *expected) in zip(WAYS, run_reference(name), strict=True):
        for found, plain, exact in zip(run_with_gradients(fused.run, job), *expected, strict=True):
            assert error(found, exact) <= 3 * max(error(plain, exact), 2e-6), options


@pytest.mark.parametrize("name", thin_out(CELLS, 6, 1))
def test_gradcheck(name: str) -> None:
    job = draw(CELLS[name]().graph, Sizes(2, 4, 2), 3, 2, resets=True, lengths=True, seed=1)
    tensors = (job.x, *job.states, *job.parameters)
    counts = (1, len(job.states))

    def run(*tensors: torch.Tensor) -> Any:
        x, states, rest = tensors[0], tensors[1 : 1 + counts[1]], tensors[1 + counts[1] :]
        replaced = type(job)(
            job.graph,
            job.sizes,
            x,
            states,
            rest,
            job.masks,
            job.lengths,
            job.resets,
            job.learned_initial_states,
        )
        y, last = fused.run(replaced)
        return (y, *last)

    if "1997" in name:
        return  # its gradient is truncated: not that of the values
    assert torch.autograd.gradcheck(run, tensors, eps=1e-6, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(sorted(CELLS)),
    steps=st.integers(1, 9),
    batch=st.integers(1, 70),
    width=st.integers(1, 40),
    inputs=st.integers(1, 40),
    marks=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    threads=st.integers(1, 4),
)
def test_any_shape(
    name: str,
    steps: int,
    batch: int,
    width: int,
    inputs: int,
    marks: tuple[bool, bool, bool],
    threads: int,
) -> None:
    ways = dict(zip(("lengths", "resets", "reverse"), marks, strict=True))
    job = draw(CELLS[name]().graph, Sizes(inputs, 2 * width, width), steps, batch, **ways)
    extension.set_num_threads(threads)
    try:
        for found, expected in zip(
            run_with_gradients(fused.run, job), run_with_gradients(reference.run, job), strict=True
        ):
            assert error(found, expected) < 1e-8
    finally:
        extension.set_num_threads(torch.get_num_threads())


@pytest.mark.parametrize("name", ["lstm", "gru", "layer-norm-lstm"])
def test_a_thousand_steps_are_within_the_bounds(name: str) -> None:
    job = draw(CELLS[name]().graph, Sizes(24, 40), 1000, 3)
    bound = 40**-0.5
    for parameter in job.parameters:
        if name != "layer-norm-lstm":
            torch.nn.init.uniform_(parameter, -bound, bound)
    exact = run_with_gradients(reference.run, job)
    found = run_with_gradients(fused.run, cast(job, torch.float32))
    values = 1 + len(job.states)
    assert all(error(f, e) < 1e-5 for f, e in zip(found[:values], exact[:values], strict=True))
    assert all(error(f, e) < 1e-4 for f, e in zip(found[values:], exact[values:], strict=True))


@pytest.mark.parametrize("name", ["lstm", "gru", "mgu", "layer-norm-gru"])
def test_values_depend_on_neither_threads_nor_neighbours(name: str) -> None:
    job = draw(CELLS[name]().graph, Sizes(40, 256, 64), 6, 5, dtype=torch.float32)
    alone = [
        type(job)(
            job.graph,
            job.sizes,
            job.x[:, b : b + 1],
            tuple(s[b : b + 1] for s in job.states),
            job.parameters,
        )
        for b in range(5)
    ]
    ys = []
    try:
        for threads in (1, 2, 3):
            extension.set_num_threads(threads)
            ys.append(fused.run(job)[0])
            ys.append(torch.cat([fused.run(one)[0] for one in alone], dim=1))
            with torch.no_grad():
                ys.append(fused.run(job)[0])
    finally:
        extension.set_num_threads(torch.get_num_threads())
    assert all(torch.equal(y, ys[0]) for y in ys)


def test_no_tape_is_kept_where_no_gradient_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    job, keeps_tape = draw(CELLS["lstm"]().graph, Sizes(3, 4), 5, 2), []
    forward = fused.run_forward

    def note(*arguments: Any) -> Any:
        outputs, tape = forward(*arguments)
        keeps_tape.append(tape is not None)
        return outputs, tape

    monkeypatch.setattr(fused, "run_forward", note)
    fused.run(job)
    with torch.no_grad():
        fused.run(job)
    with torch.inference_mode():
        fused.run(job)
    assert keeps_tape == [True, False, False]


def test_gradients_repeat_bitwise() -> None:
    job = draw(CELLS["peephole"]().graph, Sizes(40, 70), 50, 33, dtype=torch.float32)
    first, second = run_with_gradients(fused.run, job), run_with_gradients(fused.run, job)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_inputs_are_not_modified() -> None:
    job = draw(CELLS["gru"]().graph, Sizes(5, 16), 4, 3, lengths=True)
    before = [t.detach().clone() for t in (job.x, *job.states, *job.parameters)]
    run_with_gradients(fused.run, job)
    after = (job.x, *job.states, *job.parameters)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_infinities_and_nan_go_where_the_reference_has_them() -> None:
    job = draw(CELLS["lstm"]().graph, Sizes(4, 20), 6, 4)
    with torch.no_grad():
        job.x[2, 1, 0], job.x[3, 2, 1] = float("nan"), float("inf")
    found, expected = fused.run(job)[0], reference.run(job)[0]
    torch.testing.assert_close(found, expected, equal_nan=True, rtol=1e-9, atol=1e-12)


PARTS = ("lstm", "gru-reset-before", "projected")


@pytest.mark.parametrize(
    "name", thin_out([name for name in CELLS if any(part in name for part in PARTS)], 3, 2)
)
def test_every_available_instruction_set(name: str, isa: str) -> None:
    assert extension.get_isa() == isa
    test_float32_is_as_close_as_the_reference(name)
