"""Random passes for tests, and functions that run and compare them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from sluice.equations.graph import Graph
from sluice.equations.specs import Sizes
from sluice.run.spec import RunSpec

Run = Callable[[RunSpec], tuple[Tensor, tuple[Tensor, ...]]]


def draw(
    graph: Graph,
    sizes: Sizes,
    steps: int,
    batch: int,
    *,
    dtype: torch.dtype = torch.float64,
    lengths: bool = False,
    resets: bool = False,
    reverse: bool = False,
    bias: bool = True,
    seed: int = 0,
) -> RunSpec:
    """A random pass with the given options; everything learnable requires a gradient."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=dtype, generator=generator)

    widths = [sizes.of(state.width) for state in graph.states]
    parameters = [p for p in graph.parameters if bias or not p.is_bias]
    masks = [(1 if m.shared else steps, batch, sizes.of(m.width)) for m in graph.masks]
    counts = torch.randint(0, steps + 1, (batch,), generator=generator)
    begins = torch.rand(steps, batch, generator=generator) < 0.3
    return RunSpec(
        graph,
        sizes,
        normal(steps, batch, sizes.input).requires_grad_(),
        tuple((normal(batch, w).abs() * 0.5 + 0.1).requires_grad_() for w in widths),
        tuple((normal(*p.shape(sizes)) * sizes.hidden**-0.5).requires_grad_() for p in parameters),
        tuple((torch.rand(s, generator=generator) < 0.7).to(dtype) for s in masks),
        counts if lengths else None,
        begins if resets else None,
        tuple((normal(w).abs() * 0.5 + 0.1).requires_grad_() for w in widths) if resets else None,
        reverse,
    )


def leaves(job: RunSpec) -> list[Tensor]:
    """All tensors of ``job`` that require a gradient."""
    return [job.x, *job.states, *job.parameters, *(job.learned_initial_states or ())]


def run_with_gradients(run: Run, job: RunSpec) -> list[Tensor]:
    """Values and every gradient, for random upstream gradients."""
    y, last = run(job)
    generator = torch.Generator().manual_seed(5)
    upstream = [torch.randn(t.shape, generator=generator).to(t) for t in (y, *last)]
    found = torch.autograd.grad([y, *last], leaves(job), upstream, allow_unused=True)
    gradients = [
        torch.zeros_like(t) if g is None else g for g, t in zip(found, leaves(job), strict=True)
    ]
    return [y, *last, *gradients]


def cast(job: RunSpec, dtype: torch.dtype) -> RunSpec:
    """The same pass in another dtype."""

    def as_dtype(tensors: Any) -> Any:
        return tensors and tuple(t.detach().to(dtype).requires_grad_() for t in tensors)

    return replace(
        job,
        x=job.x.detach().to(dtype).requires_grad_(),
        states=as_dtype(job.states),
        parameters=as_dtype(job.parameters),
        masks=tuple(mask.to(dtype) for mask in job.masks),
        learned_initial_states=as_dtype(job.learned_initial_states),
    )


def error(found: Tensor, expected: Tensor) -> float:
    """The largest difference over the largest value."""
    if expected.numel() == 0:
        return 0.0
    difference = (found.double() - expected.double()).abs().max().item()
    return float(difference / max(expected.abs().max().item(), 1e-30))
