"""Checks of the kernels on a GPU: every cell against the reference, and the same bits again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import torch
from gpu_pool import Job, describe_error, emit
from own_cells import Surge
from torch import Tensor

from cell_list import CELLS
from run.cases import cast, draw, error, run_with_gradients
from sluice.codegen.gpu.layout import TileShape
from sluice.equations.graph import Graph
from sluice.equations.specs import Sizes
from sluice.run import reference
from sluice.run.gpu import fused
from sluice.run.gpu.tiles import Tiling
from sluice.run.spec import RunSpec

CELLS_HERE = {**CELLS, "own": Surge}
FIRST = ("lstm", "gru", "own", "layer-norm-lstm", "peephole", "gru-reset-before", "projected")
MARKS = {
    "none": {},
    "marks": {"lengths": True, "resets": True},
    "reverse": {"lengths": True, "resets": True, "reverse": True},
}
LONG = [(n, p) for n in ("lstm", "gru", "layer-norm-lstm") for p in ("bfloat16", "float32")]
VALUES = {"bfloat16": 1e-2, "float16": 1e-2}
GRADIENTS = {"bfloat16": 4e-2, "float16": 4e-2}
NARROW = {"bfloat16": torch.bfloat16, "float16": torch.float16}
FLOOR, DOUBLE = 2e-6, 1e-9


@dataclass(frozen=True)
class Case:
    """One way to run a cell: sizes, types, tiling."""

    name: str
    is_large: bool = False
    precision: str = "float32"
    tiling: Tiling | None = None
    is_narrow_input: bool = False


@dataclass(frozen=True)
class Scale:
    """Sizes of the small and the large pass, and the device."""

    device: str
    small: tuple[Sizes, int]
    large: tuple[Sizes, int]
    steps: int
    tile: TileShape


GPU = Scale("cuda", (Sizes(24, 96, 32), 5), (Sizes(40, 160, 48), 70), 7, TileShape(16, 16, 64))
# The interpreter runs one program after another: none may wait for another one.
DRY = Scale("cpu", (Sizes(5, 8, 6), 3), (Sizes(7, 8, 4), 18), 3, TileShape(16, 16, 16))


def list_jobs(is_dry: bool) -> list[Job]:
    """All jobs, the most telling first."""
    if is_dry:
        return [Job(("cell", name, "reverse")) for name in ("lstm", "own")] + [
            Job(("cell", "layer-norm-gru", "none"), 200)
        ]
    names = [*FIRST, *(name for name in CELLS_HERE if name not in FIRST)]
    every = {marks: [Job(("cell", name, marks), 150) for name in names] for marks in MARKS}
    long = [Job(("long", name, precision, "256")) for name, precision in LONG]
    long.append(Job(("long", "lstm", "bfloat16", "1024")))
    from gpu_layers import CHECKS

    layers = [Job(("layer", name)) for name in CHECKS]
    return every["none"][:7] + layers + long + every["none"][7:] + every["reverse"] + every["marks"]


def list_cases(marks: str, scale: Scale) -> list[Case]:
    """The ways that a cell is run with these marks; each takes two kernels."""
    small = [Tiling(scale.tile, 4, is_resident) for is_resident in (True, False)]
    split = Tiling(replace(scale.tile, splits=4), 4, True)
    plain = [Case("f32"), Case("f32 large", is_large=True)]
    bf16 = Case("bf16 large", is_large=True, precision="bfloat16", is_narrow_input=marks == "none")
    double = Case("f64", precision="float64")
    if scale.device == "cpu":
        return [
            *plain,
            Case("f32 tiles", tiling=small[0]),
            Case("f32 splits", tiling=split),
            double,
        ]
    if marks == "none":
        return [
            *plain,
            bf16,
            Case("f32 tiles resident", tiling=small[0]),
            Case("f32 tiles", tiling=small[1]),
            Case("f16", precision="float16"),
            Case("bf16 splits", precision="bfloat16", tiling=split),
            double,
        ]
    if marks == "marks":
        return [*plain, bf16, Case("f32 tiles resident", tiling=small[0])]
    return [*plain, bf16, Case("f32 splits", tiling=split), double]


def move(job: RunSpec, device: str) -> RunSpec:
    """The same pass on another device."""

    def there(tensors: Any) -> Any:
        return tensors and tuple(t.detach().to(device).requires_grad_() for t in tensors)

    return replace(
        job,
        x=job.x.detach().to(device).requires_grad_(),
        states=there(job.states),
        parameters=there(job.parameters),
        masks=tuple(mask.to(device) for mask in job.masks),
        lengths=None if job.lengths is None else job.lengths.to(device),
        resets=None if job.resets is None else job.resets.to(device),
        learned_initial_states=there(job.learned_initial_states),
    )


def name_tensors(job: RunSpec) -> list[str]:
    """What `run_with_gradients` returns, by name; gradients begin with a d."""
    states = [state.name for state in job.graph.states]
    parameters = [p.name for p in job.graph.parameters][: len(job.parameters)]
    names = ["y", *states, "d x", *(f"d {s}" for s in states), *(f"d {p}" for p in parameters)]
    return names + [f"d initial {s}" for s in states if job.learned_initial_states]


def distance(found: Tensor, expected: Tensor) -> float:
    """The error relative to the largest value; of what is zero, the largest that was found."""
    if not torch.isfinite(found).all():
        return float("inf")
    if expected.numel() and expected.abs().max() < 1e-9:
        return float(found.double().abs().max())
    return error(found.detach().cpu(), expected.detach().cpu())


def is_same(first: list[Tensor], second: list[Tensor]) -> bool:
    """Whether two runs gave the same bits."""
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


class CellChecks:
    """The passes of one cell with the same marks."""

    def __init__(self, graph: Graph, marks: str, scale: Scale) -> None:
        self.graph, self.marks, self.scale = graph, marks, scale
        self.default: list[Tensor] | None = None

    @lru_cache(maxsize=8)  # noqa: B019
    def draw(self, is_large: bool, is_narrow_input: bool) -> tuple[RunSpec, list[Tensor]]:
        """A pass in float64, and what the reference finds."""
        sizes, batch = self.scale.large if is_large else self.scale.small
        job = draw(self.graph, sizes, self.scale.steps, batch, seed=3, **MARKS[self.marks])
        if is_narrow_input:
            x = job.x.detach().to(torch.bfloat16).double()
            job = replace(job, x=x.requires_grad_())
        return job, run_with_gradients(reference.run, job)

    def limits(self, case: Case, job: RunSpec, exact: list[Tensor]) -> list[tuple[float, float]]:
        """How far off each tensor may be: strictly, and as far as torch is in that type."""
        names = name_tensors(job)
        if case.precision == "float64":
            return [(DOUBLE, DOUBLE)] * len(names)
        if case.precision == "float32":
            single = run_with_gradients(reference.run, cast(job, torch.float32))
            bounds = [3 * max(distance(s, e), FLOOR) for s, e in zip(single, exact, strict=True)]
            return [(bound, bound) for bound in bounds]
        moved = run_with_gradients(reference.run, cast(job, NARROW[case.precision]))
        found = []
        for name, m, e in zip(names, moved, exact, strict=True):
            bound = (GRADIENTS if name.startswith("d ") else VALUES)[case.precision]
            found.append((bound, max(bound, distance(m, e))))
        return found

    def run(self, case: Case) -> None:
        """Run one case twice and say how it went."""
        job, exact = self.draw(case.is_large, case.is_narrow_input)
        limits = self.limits(case, job, exact)
        dtype = torch.float64 if case.precision == "float64" else torch.float32
        here = move(cast(job, dtype), self.scale.device)
        if case.is_narrow_input:
            here = replace(here, x=here.x.detach().to(torch.bfloat16).requires_grad_())
        run = partial(fused.run, precision=case.precision, tiling=case.tiling)
        with poisoned_memory():
            found = run_with_gradients(run, here)
        again = run_with_gradients(run, here)
        extra = {}
        if case.name == "f32":
            self.default = found
        elif case.tiling is not None and self.default is not None:
            extra["bits"] = "same" if is_same(found, self.default) else "differ"
        judge(case.name, name_tensors(job), found, exact, limits, is_same(found, again), **extra)


def judge(
    what: str,
    names: list[str],
    found: list[Tensor],
    exact: list[Tensor],
    limits: list[tuple[float, float]],
    repeats: bool,
    **more: Any,
) -> None:
    """Emit whether all tensors are within their limits, and which is the furthest off."""
    errors = [distance(f, e) for f, e in zip(found, exact, strict=True)]
    ratios = [e / strict for e, (strict, _) in zip(errors, limits, strict=True)]
    ratio, error_, name = max(zip(ratios, errors, names, strict=True))
    is_within = all(e <= loose for e, (_, loose) in zip(errors, limits, strict=True))
    status = "WRONG" if not (is_within and repeats) else "ok" if ratio <= 1 else "loose"
    detail = f"{name} {error_:.1e}, {ratio:.2f} of limit"
    if status != "ok":
        over = [n for n, r in zip(names, ratios, strict=True) if r > 1]
        detail += f"; {len(over)}/{len(names)} over: {','.join(over[:6])}"
    if not repeats:
        detail = "DOES NOT REPEAT; " + detail
    if "bits" in more:
        detail += f"; bits {more['bits']}"
    emit(status, what, detail, ratio=ratio if ratio < 1e9 else 1e9, **more)


@contextmanager
def poisoned_memory() -> Iterator[None]:
    """Memory that kernels fill is NaN before."""
    os.environ["SLUICE_POISON"] = "1"
    try:
        yield
    finally:
        del os.environ["SLUICE_POISON"]


def attempt(what: str, run: Callable[[], None]) -> None:
    """Run a check; what it raises is a result. After a fault of the device nothing else can run."""
    try:
        run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
    except Exception as problem:
        emit("FAIL", what, describe_error(problem))
        if any(word in str(problem) for word in ("CUDA error", "device-side", "illegal")):
            raise SystemExit(3) from problem


def check_cell(name: str, marks: str, is_dry: bool) -> None:
    """All cases of a cell with some marks."""
    scale = DRY if is_dry else GPU
    checks = CellChecks(CELLS_HERE[name]().graph, marks, scale)
    for case in list_cases(marks, scale):
        attempt(case.name, partial(checks.run, case))


def check_long(name: str, precision: str, hidden: str) -> None:
    """Many steps and programs, five times: a race shows in the bits."""

    def run() -> None:
        size = int(hidden)
        graph = CELLS_HERE[name]().graph
        job = move(draw(graph, Sizes(64, size), 300, 16, dtype=torch.float32, seed=4), "cuda")
        found = [run_with_gradients(partial(fused.run, precision=precision), job) for _ in range(5)]
        repeats = all(is_same(found[0], other) for other in found[1:])
        exact = run_with_gradients(reference.run, cast(job, torch.float64))
        if precision == "float32":
            moved = run_with_gradients(reference.run, job)
        else:
            moved = run_with_gradients(reference.run, cast(job, NARROW[precision]))
        floor = FLOOR if precision == "float32" else VALUES[precision]
        bounds = [3 * max(distance(m, e), floor) for m, e in zip(moved, exact, strict=True)]
        limits = [(bound, bound) for bound in bounds]
        judge("300 steps x5", name_tensors(job), found[0], exact, limits, repeats)

    attempt("300 steps x5", run)
