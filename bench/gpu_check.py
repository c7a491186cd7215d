"""Checks of the kernels on a GPU: every cell against the reference, and the same bits again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import torch
from gpu_pool import describe_error, emit
from own_cells import Surge
from torch import Tensor

from cell_list import CELLS
from run.cases import cast, draw, run_with_gradients
from run.rounded_reference import Rounding, measure
from run.rounded_reference import run as run_rounded
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
NARROW = {"bfloat16": torch.bfloat16, "float16": torch.float16}
FLOOR, DOUBLE = 2e-6, 1e-9
JUMPS = {
    "elman-relu": ("d ", "the derivative of relu jumps"),
    "slstm": ("d ", "the derivative of a maximum jumps"),
    "slstm-exponential": ("d ", "the derivative of a maximum jumps"),
    "rising": ("", "the state itself jumps where g passes h"),
}
"""Cells where a last digit can decide on which side of a border a number lies: how the names of
the tensors begin of which single numbers may then be far off, all together not; and why."""


@dataclass(frozen=True)
class Case:
    """One way to run a cell: sizes, types, tiling."""

    name: str
    is_large: bool = False
    precision: str = "float32"
    tiling: Tiling | None = None
    is_narrow_input: bool = False


@dataclass(frozen=True)
class Limit:
    """How far off a tensor may be: its furthest number, and the root mean square of all."""

    furthest: float
    mean: float = float("inf")

    def divide(self, found: Tensor, exact: Tensor) -> tuple[float, str]:
        """The share of the limit that a tensor takes, and its distances as text."""
        mean, furthest = measure(found, exact)
        return max(mean / self.mean, furthest / self.furthest), f"{mean:.1e}/{furthest:.1e}"


def list_narrow_limits(cell: str, names: list[str]) -> list[Limit]:
    """Limits against `run_rounded`: a sum's last digit now and then rounds to another number."""
    start = JUMPS[cell][0] if cell in JUMPS else "nothing"
    limits = []
    for name in names:
        mean, furthest = (5e-3, 4e-2) if name.startswith("d ") else (2e-3, 1e-2)
        limits.append(Limit(float("inf") if name.startswith(start) else furthest, mean))
    return limits


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
            Case("f16 large", is_large=True, precision="float16", is_narrow_input=True),
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


def is_same(first: list[Tensor], second: list[Tensor]) -> bool:
    """Whether two runs gave the same bits."""
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


class CellChecks:
    """The passes of one cell with the same marks."""

    def __init__(self, name: str, marks: str, scale: Scale) -> None:
        self.name, self.marks, self.scale = name, marks, scale
        self.graph: Graph = CELLS_HERE[name]().graph
        self.default: list[Tensor] | None = None

    @lru_cache(maxsize=8)  # noqa: B019
    def draw(self, is_large: bool) -> RunSpec:
        """A pass in float64."""
        sizes, batch = self.scale.large if is_large else self.scale.small
        return draw(self.graph, sizes, self.scale.steps, batch, seed=3, **MARKS[self.marks])

    @lru_cache(maxsize=8)  # noqa: B019
    def compute_exact(self, is_large: bool) -> list[Tensor]:
        """What the reference finds in float64."""
        return run_with_gradients(reference.run, self.draw(is_large))

    def expect(self, case: Case) -> tuple[list[Tensor], list[Limit]]:
        """What a case must find, and how closely."""
        job = self.draw(case.is_large)
        if case.precision in NARROW:
            rounding = Rounding(
                NARROW[case.precision],
                is_input_narrow=case.is_narrow_input,
                are_weight_gradients_narrow=self.scale.device == "cpu",
            )
            rounded = run_with_gradients(partial(run_rounded, rounding=rounding), job)
            return rounded, list_narrow_limits(self.name, name_tensors(job))
        exact = self.compute_exact(case.is_large)
        if case.precision == "float64":
            return exact, [Limit(DOUBLE)] * len(exact)
        return exact, list_single_limits(job, exact)

    def run(self, case: Case) -> None:
        """Run one case twice and say how it went."""
        job = self.draw(case.is_large)
        expected, limits = self.expect(case)
        dtype = torch.float64 if case.precision == "float64" else torch.float32
        here = move(cast(job, dtype), self.scale.device)
        if case.is_narrow_input:
            narrow = NARROW[case.precision]
            here = replace(here, x=here.x.detach().to(narrow).requires_grad_())
        run = partial(fused.run, precision=case.precision, tiling=case.tiling)
        with poisoned_memory():
            found = run_with_gradients(run, here)
        again = run_with_gradients(run, here)
        extra = {}
        if case.name == "f32":
            self.default = found
        elif case.tiling is not None and self.default is not None:
            extra["bits"] = "same" if is_same(found, self.default) else "differ"
        judge(case.name, name_tensors(job), found, expected, limits, is_same(found, again), **extra)


def list_single_limits(job: RunSpec, exact: list[Tensor]) -> list[Limit]:
    """Three times as far as the reference itself is in float32."""
    single = run_with_gradients(reference.run, cast(job, torch.float32))
    pairs = zip(single, exact, strict=True)
    return [Limit(3 * max(measure(s, e)[1], FLOOR)) for s, e in pairs]


def judge(
    what: str,
    names: list[str],
    found: list[Tensor],
    expected: list[Tensor],
    limits: list[Limit],
    repeats: bool,
    **more: Any,
) -> None:
    """Emit whether all tensors are within their limits, and which is the furthest off."""
    triples = zip(found, expected, limits, strict=True)
    shares = [limit.divide(f, e) for f, e, limit in triples]
    (ratio, far), name = max(zip(shares, names, strict=True))
    status = "ok" if ratio <= 1 and repeats else "WRONG"
    detail = f"{name} {far}, {ratio:.2f} of limit"
    if status != "ok":
        over = [n for n, (share, _) in zip(names, shares, strict=True) if share > 1]
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
    checks = CellChecks(name, marks, scale)
    for case in list_cases(marks, scale):
        attempt(case.name, partial(checks.run, case))


def check_long(name: str, precision: str, hidden: str) -> None:
    """Many steps and programs, five times: a race shows in the bits."""

    def run() -> None:
        size = int(hidden)
        graph = CELLS_HERE[name]().graph
        job = draw(graph, Sizes(64, size), 300, 16, dtype=torch.float32, seed=4)
        here = move(job, "cuda")
        double = cast(here, torch.float64)  # as torch multiplies it there: in seconds
        found = [
            run_with_gradients(partial(fused.run, precision=precision), here) for _ in range(5)
        ]
        repeats = all(is_same(found[0], other) for other in found[1:])
        if precision == "float32":
            expected = run_with_gradients(reference.run, double)
            limits = list_single_limits(here, expected)
        else:
            rounding = Rounding(NARROW[precision])
            expected = run_with_gradients(partial(run_rounded, rounding=rounding), double)
            limits = list_narrow_limits(name, name_tensors(job))
        judge("300 steps x5", name_tensors(job), found[0], expected, limits, repeats)

    attempt("300 steps x5", run)
