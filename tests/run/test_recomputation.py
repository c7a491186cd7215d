"""Passes with recompute against passes without: values, every gradient, memory."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cell_list import CELLS, SIZES
from run.cases import draw, error, run_with_gradients
from sampling import thin_out
from sluice.run import recomputation, reference
from sluice.run.kernels import fused
from sluice.run.spec import RunSpec

STEPS = 7
WAYS: list[dict[str, Any]] = [
    {},
    {"reverse": True},
    {"lengths": True, "bias": False},
    {"lengths": True, "reverse": True},
    {"resets": True},
    {"resets": True, "reverse": True},
    {"lengths": True, "resets": True},
    {"lengths": True, "resets": True, "reverse": True},
]


@pytest.fixture(autouse=True)
def poison_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_POISON", "1")


def run_fused(steps: int) -> Any:
    return lambda job: recomputation.run_with_recompute(job, steps, fused.run, fused.make_runner)


def run_reference(steps: int) -> Any:
    return lambda job: recomputation.run_with_recompute(job, steps, reference.run)


@pytest.mark.parametrize("name", thin_out(CELLS, 6))
@pytest.mark.parametrize("backend", [run_fused, run_reference])
def test_values_and_gradients_equal_those_without_recompute(name: str, backend: Any) -> None:
    for seed, options in enumerate(WAYS):
        job = draw(CELLS[name]().graph, SIZES, STEPS, 5, seed=seed, **options)
        expected = run_with_gradients(reference.run, job)
        for steps in (1, 2, 3, STEPS - 1, STEPS, STEPS + 1) if name == "lstm" else (1, 3):
            found = run_with_gradients(backend(steps), job)
            for one, other in zip(found, expected, strict=True):
                assert error(one, other) < 1e-9, (options, steps)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("backend", [run_fused, run_reference])
def test_resets_at_and_next_to_every_chunk_boundary(backend: Any, reverse: bool) -> None:
    drawn = draw(CELLS["gru"]().graph, SIZES, 6, 7, resets=True, reverse=reverse)
    at = torch.arange(6)[:, None] == torch.arange(7)  # sequence b restarts at step b alone
    for lengths in (None, torch.tensor([6, 2, 2, 4, 4, 6, 6])):
        job = replace(drawn, resets=at, lengths=lengths)
        expected = run_with_gradients(reference.run, job)
        for steps in (1, 2, 3, 4):
            found = run_with_gradients(backend(steps), job)
            assert all(error(a, b) < 1e-9 for a, b in zip(found, expected, strict=True)), steps


@pytest.mark.parametrize("wanted", ["x", "states", "parameters", "learned_initial_states"])
@pytest.mark.parametrize("backend", [run_fused, run_reference])
def test_gradients_of_some_tensors(backend: Any, wanted: str) -> None:
    full = draw(CELLS["mgu"]().graph, SIZES, STEPS, 3, resets=True)
    trainable = {id(t) for t in ((full.x,) if wanted == "x" else getattr(full, wanted))}
    job = full.replace_tensors(
        [t.detach().requires_grad_(id(t) in trainable) for t in full.tensors]
    )
    leaves = [t for t in job.tensors if t.requires_grad]
    for upstream in (0, 1):  # of the output alone, of the last state alone

        def gradient(run: Any, upstream: int = upstream) -> tuple[Tensor, ...]:
            y, last = run(job)
            return torch.autograd.grad([y, *last][upstream].sin().sum(), leaves)

        for one, other in zip(gradient(backend(3)), gradient(reference.run), strict=True):
            assert error(one, other) < 1e-9


@pytest.mark.parametrize("backend", [run_fused, run_reference])
def test_gradients_of_gradients_and_tied_tensors(backend: Any) -> None:
    full = draw(CELLS["elman"]().graph, SIZES, 5, 4, lengths=True)
    tied = torch.randn(4, 4, dtype=torch.float64, requires_grad=True)  # batch = hidden: one tensor

    def twice(run: Any) -> list[Tensor]:
        names = [p.name for p in full.graph.parameters]
        own = [tied if n == "weight_hh" else p for n, p in zip(names, full.parameters, strict=True)]
        y, _ = run(full.replace_tensors([full.x, tied, *own]))
        wanted = [full.x, tied]
        first = torch.autograd.grad(y.tanh().sum(), wanted, create_graph=True)
        return [*first, *torch.autograd.grad(sum(g.pow(2).sum() for g in first), wanted)]

    for one, other in zip(twice(backend(2)), twice(reference.run), strict=True):
        assert error(one, other) < 1e-9


def test_no_chunk_runs_twice_without_need() -> None:
    calls: list[int] = []

    def count(job: RunSpec) -> Any:
        calls.append(job.x.shape[0])
        return reference.run(job)

    job = draw(CELLS["gru"]().graph, SIZES, STEPS, 2)
    y, _ = recomputation.run_with_recompute(job, 3, count)
    assert calls == [3, 3, 1]
    y.sum().backward()
    assert calls == [3, 3, 1, 1, 3, 3]
    with torch.no_grad():
        recomputation.run_with_recompute(job, 3, count)
    recomputation.run_with_recompute(
        job.replace_tensors([t.detach() for t in job.tensors]), 3, count
    )
    recomputation.run_with_recompute(job, STEPS, count)
    recomputation.run_with_recompute(job, None, count)
    assert calls[6:] == [STEPS] * 4


MEMORY = """
import re, sys, torch, sluice
from pathlib import Path
def peak():
    return int(re.search(r"VmHWM:\\s*([0-9]+)", Path("/proc/self/status").read_text())[1])
torch.set_num_threads(1)
layer = sluice.nn.LSTM(8, 64, recompute=int(sys.argv[1]) or None)
x = torch.randn(20_000, 4, 8)
layer(x[:300])[0].sum().backward()      # what is loaded and compiled at first use
before = peak()
layer(x)[0].sum().backward()
print(peak() - before)
"""


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_memory_is_bounded() -> None:
    def measure_growth(recompute: int) -> int:
        command = [sys.executable, "-c", MEMORY, str(recompute)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
        return int(done.stdout)

    # The tape holds five values for each of the output; the output and its gradient are kept
    # by both.
    whole, bounded = measure_growth(0), measure_growth(150)
    assert bounded < whole / 2, (bounded, whole)
