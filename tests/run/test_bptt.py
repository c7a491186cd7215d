"""The adjoint graph over time, against autograd through the reference's loop."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cell_list import CELLS, SIZES
from sluice.run import bptt, reference
from sluice.run.spec import RunSpec

T, B = 5, 3


def make_pass(name: str, *, marks: bool, reverse: bool) -> RunSpec:
    graph, d = CELLS[name]().graph, torch.float64
    generator = torch.Generator().manual_seed(len(name) + 2 * marks + reverse)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=d, generator=generator)

    widths = [SIZES.of(state.width) for state in graph.states]
    masks = [(1 if m.shared else T, B, SIZES.of(m.width)) for m in graph.masks]
    resets = torch.rand(T, B, generator=generator) < 0.4
    return RunSpec(
        graph,
        SIZES,
        normal(T, B, SIZES.input).requires_grad_(),
        tuple(normal(B, width).abs().requires_grad_() for width in widths),
        tuple((normal(*p.shape(SIZES)) * 0.5).requires_grad_() for p in graph.parameters),
        tuple(torch.rand(shape, dtype=d, generator=generator) for shape in masks),
        torch.tensor([T, 0, 3]) if marks else None,
        resets if marks else None,
        tuple(normal(width).abs().requires_grad_() for width in widths) if marks else None,
        reverse,
    )


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("marks", [False, True], ids=["plain", "lengths-resets"])
@pytest.mark.parametrize("name", CELLS)
def test_adjoint_is_autograds(name: str, marks: bool, reverse: bool) -> None:
    job = make_pass(name, marks=marks, reverse=reverse)
    y, last = reference.run(job)
    upstream = [torch.randn_like(tensor) for tensor in (y, *last)]
    inputs = (job.x, *job.states, *job.parameters, *(job.learned_initial_states or ()))
    expected = torch.autograd.grad((y, *last), inputs, upstream, allow_unused=True)
    with torch.no_grad():
        found = bptt.backward(job, upstream[0], tuple(upstream[1:]))
    restart = found.learned_initial_states if marks else ()
    actual = (found.x, *found.states, *found.parameters, *restart)
    assert len(actual) == len(expected)
    for mine, theirs in zip(actual, expected, strict=True):
        want = torch.zeros_like(mine) if theirs is None else theirs
        torch.testing.assert_close(mine, want, rtol=1e-9, atol=1e-11)


def test_poisoned_padding_reaches_no_gradient() -> None:
    job = make_pass("lstm", marks=True, reverse=False)
    assert job.valid_mask is not None
    clean = reference.run(job)[0]
    with torch.no_grad():
        job.x[~job.valid_mask.squeeze(-1)] = float("nan")
    poisoned = make_pass("lstm", marks=True, reverse=False)
    with torch.no_grad():
        poisoned.x.copy_(job.x)
    y, _ = reference.run(poisoned)
    torch.testing.assert_close(y, clean, rtol=0, atol=0)
    gradients = torch.autograd.grad(y.sum(), (poisoned.x, *poisoned.parameters))
    assert all(g.isfinite().all() for g in gradients)
