"""Memory layouts: strided, aliased, empty, too large, frozen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from cell_list import CELLS
from run.cases import draw, error, run_with_gradients
from sluice.equations.specs import Sizes
from sluice.run import reference
from sluice.run.kernels import fused
from sluice.run.spec import RunSpec

SIZES = Sizes(3, 4, 2)


@pytest.fixture(autouse=True)
def poison_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_POISON", "1")


def same(job: RunSpec) -> None:
    for found, expected in zip(
        run_with_gradients(fused.run, job), run_with_gradients(reference.run, job), strict=True
    ):
        assert error(found, expected) < 1e-9


def make_strided(tensor: Tensor) -> Tensor:
    """The same values, every second place of memory in reverse order of dimensions."""
    turned = tensor.detach().permute(*reversed(range(tensor.dim()))).repeat_interleave(2, 0)
    return turned[::2].permute(*reversed(range(tensor.dim()))).requires_grad_()


@pytest.mark.parametrize("name", ["lstm", "projected", "zoneout-dropout-peephole"])
def test_strided_tensors(name: str) -> None:
    job = draw(CELLS[name]().graph, SIZES, 5, 3, lengths=True, resets=True)
    job = replace(job, masks=tuple(make_strided(mask).detach() for mask in job.masks))
    job_strided = job.replace_tensors([make_strided(t) for t in job.tensors])
    assert not job_strided.x.is_contiguous() and not job_strided.parameters[0].is_contiguous()
    assert job.resets is not None
    same(replace(job_strided, resets=job.resets.T.contiguous().T))


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_expanded_tensors(name: str) -> None:
    job = draw(CELLS[name]().graph, SIZES, 5, 3)
    x = job.x[:1, :1].detach().expand(5, 3, -1).requires_grad_()
    states = [t[:1].detach().expand(3, -1).requires_grad_() for t in job.states]
    same(job.replace_tensors([x, *states, *job.shared_tensors]))


def test_expanded_and_strided_upstream_gradients() -> None:
    job = draw(CELLS["lstm"]().graph, SIZES, 5, 3)
    upstream = [
        torch.randn(1, 3, 1, dtype=torch.float64).expand(5, 3, 4),
        torch.randn(4, 3, dtype=torch.float64).T,
        torch.randn((), dtype=torch.float64).expand(3, 4),
    ]

    def gradients(run: Any) -> tuple[Tensor, ...]:
        y, last = run(job)
        return torch.autograd.grad([y, *last], job.tensors, upstream)

    for found, expected in zip(gradients(fused.run), gradients(reference.run), strict=True):
        assert error(found, expected) < 1e-9


def test_input_and_state_share_memory() -> None:
    job = draw(CELLS["lstm"]().graph, Sizes(4, 4), 5, 3)
    memory = torch.randn(5, 3, 4, dtype=torch.float64)
    x = memory.requires_grad_()

    def gradients(run: Any) -> list[Tensor]:
        y, last = run(job.replace_tensors([x, x[2], x[0], *job.parameters]))
        loss = y.sin().sum() + sum(s.cos().sum() for s in last)
        return [y, *last, *torch.autograd.grad(loss, [x, *job.parameters])]

    for found, expected in zip(gradients(fused.run), gradients(reference.run), strict=True):
        assert error(found, expected) < 1e-9


@pytest.mark.parametrize("reverse", [False, True])
def test_one_step_and_lengths_of_zero(reverse: bool) -> None:
    graph = CELLS["gru"]().graph
    same(draw(graph, SIZES, 1, 3, resets=True, reverse=reverse))
    job = draw(graph, SIZES, 4, 3, reverse=reverse)
    for lengths in ([0, 0, 0], [0, 4, 0]):
        same(replace(job, lengths=torch.tensor(lengths)))


def test_an_empty_pass_equals_the_reference() -> None:
    graph = CELLS["lstm"]().graph
    assert not fused.supports(draw(graph, SIZES, 4, 0))
    assert not fused.supports(draw(graph, Sizes(0, 4), 4, 2))


def test_sizes_beyond_memory_are_refused() -> None:
    job = draw(CELLS["gru"]().graph, Sizes(1, 64), 1, 1, dtype=torch.float32)
    row = torch.zeros(1, 1, 1).requires_grad_()
    for steps in (1 << 40, 1 << 57):
        x = row.detach().expand(steps, 1, 1).requires_grad_()
        with pytest.raises((MemoryError, RuntimeError)):
            fused.run(job.replace_tensors([x, *job.states, *job.shared_tensors]))


@pytest.mark.parametrize("wanted", ["x", "states", "parameters", "learned_initial_states"])
def test_gradients_of_some_tensors(wanted: str) -> None:
    full = draw(CELLS["lstm"]().graph, SIZES, 5, 3, resets=True, lengths=True)
    trainable = {id(t) for t in ((full.x,) if wanted == "x" else getattr(full, wanted))}
    job = full.replace_tensors(
        [t.detach().requires_grad_(id(t) in trainable) for t in full.tensors]
    )
    leaves = [t for t in job.tensors if t.requires_grad]

    def gradients(run: Any) -> tuple[Tensor, ...]:
        y, last = run(job)
        return torch.autograd.grad(y.sin().sum() + last[1].sum(), leaves)

    for found, expected in zip(gradients(fused.run), gradients(reference.run), strict=True):
        assert error(found, expected) < 1e-9


def test_gradients_of_gradients_with_marks_and_tied_weights() -> None:
    full = draw(CELLS["elman"]().graph, Sizes(4, 4), 5, 3, lengths=True, resets=True)
    tied = torch.randn(4, 4, dtype=torch.float64, requires_grad=True)
    names = [p.name for p in full.graph.parameters]
    own = [tied if p.dim() == 2 else p for p in full.parameters]
    assert sum(name.startswith("weight") for name in names) == 2
    job = replace(full, parameters=tuple(own))

    def twice(run: Any) -> list[Tensor]:
        y, last = run(job)
        loss = y.tanh().sum() + last[0].pow(2).sum()
        first = torch.autograd.grad(loss, [job.x, tied], create_graph=True)
        return [*first, *torch.autograd.grad(sum(g.pow(2).sum() for g in first), [job.x, tied])]

    for found, expected in zip(twice(fused.run), twice(reference.run), strict=True):
        assert error(found, expected) < 1e-9
