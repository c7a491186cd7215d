"""The full product of what the kernels are tested for: `make test-all`. (`make test` runs a part.)

    python tests/matrix.py             all instruction sets, each in a process of its own
    python tests/matrix.py --isa v3    one, its figures as JSON

Every cell, direction, marks, number of steps, size and precision against the reference in float64,
in values and every gradient, with memory poisoned. The outcome is saved in tests/results/matrix.md.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from torch import Tensor

from cell_list import CELLS
from run.cases import cast, draw, run_with_gradients
from sluice import doctor
from sluice.equations.specs import Sizes
from sluice.run import reference
from sluice.run.kernels import extension, fused
from sluice.run.spec import RunSpec

RESULTS = Path(__file__).parent / "results" / "matrix.md"
HIDDEN = (1, 3, 15, 17, 63, 500)
MARKS: list[dict[str, Any]] = [{}, {"lengths": True}, {"resets": True}]
MARKS.append({"lengths": True, "resets": True})
STEPS = (1, 9)
FLOOR = 2e-6
"""float32 may be three times as far off as the reference in float32, or as this: in the mean over
the jobs of a cell and size, as of two roundings of one job either may be many times the better."""
ROUNDED = {"bfloat16 values": 1e-2, "bfloat16 gradients": 4e-2, "int8 values": 2e-2}
"""The root mean square of the error over that of the tensors, all jobs of a cell and size."""


def jobs() -> Iterator[tuple[str, RunSpec]]:
    """Each combination and its name; parameters are scaled as layers initialise them."""
    ways = itertools.product(CELLS, HIDDEN, STEPS, MARKS, (False, True))
    for seed, (name, hidden, steps, marks, reverse) in enumerate(ways):
        graph = CELLS[name]().graph
        heads = max(stack.heads for stack in graph.stacks)
        hidden = -(-hidden // heads) * heads  # whole heads
        sizes = Sizes(min(hidden, 63), hidden, (hidden + 1) // 2)
        batch = 1 if hidden > 63 else 3
        job = draw(graph, sizes, steps, batch, seed=seed, reverse=reverse, **marks)
        yield f"{name} {hidden} {steps} {'+'.join(marks)} {'reverse' * reverse}", job


def errors(found: list[Tensor], exact: list[Tensor]) -> list[float]:
    """The largest difference over the largest value of each tensor.

    Inputs and upstream gradients are of size one: a tensor of values below a tenth, such as a
    gradient that is zero but for rounding, is held to what a tenth would be.
    """
    pairs = [(f.double(), e) for f, e in zip(found, exact, strict=True) if e.numel()]
    return [((f - e).abs().max() / e.abs().max().clamp(min=0.1)).item() for f, e in pairs]


def sensitive(group: str) -> bool:
    """Whether rounding an operand moves the exact result itself by much more than it was rounded.

    It does where a derivative jumps (relu, the maximum of an sLSTM) and where a norm spans three
    units.
    """
    name, hidden = group.split()
    return "relu" in name or "slstm" in name or ("norm" in name and hidden == "3")


class Outcome:
    """The outcome on one instruction set: counts, largest errors, and values outside the bounds."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = defaultdict(int)
        self.worst: dict[str, float] = defaultdict(float)
        self.failures: list[str] = []
        self._means: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self._squares: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])

    def add(self, name: str, job: RunSpec) -> None:
        """Run one job in every precision."""
        exact, narrow = run_with_gradients(reference.run, job), cast(job, torch.float32)
        group, values = " ".join(name.split()[:2]), 1 + len(job.states)
        wide = max(errors(run_with_gradients(fused.run, job), exact))
        self._note("float64", name, wide, wide < 1e-9)
        ours, plain = (
            max(errors(run_with_gradients(run, narrow), exact))
            for run in (fused.run, reference.run)
        )
        self._means[group].append((ours, plain))
        self.worst["float32"] = max(self.worst["float32"], ours)
        rounded = run_with_gradients(partial(fused.run, precision="bfloat16"), narrow)
        self._gather("bfloat16 values", group, rounded[:values], exact[:values])
        self._gather("bfloat16 gradients", group, rounded[values:], exact[values:])
        with torch.no_grad():
            y, last = fused.run(narrow, precision="int8")
        self._gather("int8 values", group, [y, *last], exact[:values])
        for kind in ("float64", "float32", *ROUNDED):
            self.counts[kind] += 1

    def _gather(self, kind: str, group: str, found: list[Tensor], exact: list[Tensor]) -> None:
        sums = self._squares[kind, group]
        for f, e in zip(found, exact, strict=True):
            sums[0] += (f.double() - e).pow(2).sum().item()
            sums[1] += e.pow(2).sum().item()

    def _note(self, kind: str, name: str, largest: float, within: bool) -> None:
        self.worst[kind] = max(self.worst[kind], largest)
        if not within:
            self.failures.append(f"{kind}: {name}, {largest:.1e}")

    def close(self) -> dict[str, Any]:
        """All of it as plain data, judged for each cell and size where not for each job."""
        for group, pairs in self._means.items():
            ours, plain = (mean(column) for column in zip(*pairs, strict=True))
            self._note("float32", group, ours, ours <= 3 * max(plain, FLOOR))
        for (kind, group), (error, size) in self._squares.items():
            off = (error / size) ** 0.5
            self._note(kind, group, off, off < ROUNDED[kind] * (5 if sensitive(group) else 1))
        return dict(counts=self.counts, worst=self.worst, failures=self.failures)


def one_isa(only: str) -> dict[str, Any]:
    """The outcome on this process's instruction set."""
    os.environ["SLUICE_POISON"] = "1"
    torch.set_num_threads(1)
    outcome = Outcome()
    for name, job in jobs():
        if only in name:
            outcome.add(name, job)
    return outcome.close()


def every_isa() -> dict[str, Any]:
    """`one_isa` for each that this processor has."""
    found = {}
    for isa in extension.load_extension().supported():
        environment = {**os.environ, "SLUICE_ISA": isa}
        command = [sys.executable, __file__, "--isa", isa]
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
        found[isa] = json.loads(done.stdout)
        sys.stdout.write("\n".join([f"{isa}:", *found[isa]["failures"], ""]))
    return found


def keep(found: dict[str, Any]) -> None:
    """Write the outcome and a description of the machine."""
    lines = ["# Every cell, size, direction, mark and precision against float64", ""]
    lines += ["| instruction set | precision | combinations | outside the bounds | largest error |"]
    lines += ["|---|---|---:|---:|---:|"]
    for isa, one in found.items():
        for precision, count in one["counts"].items():
            outside = sum(failure.startswith(precision) for failure in one["failures"])
            largest = one["worst"][precision]
            lines += [f"| {isa} | {precision} | {count} | {outside} | {largest:.1e} |"]
    lines += ["", "Bounds and measures: `tests/matrix.py`.", "", f"Run on {date.today()}:", ""]
    lines += [f"- {name}: {value}" for name, value in doctor.describe_machine().items()]
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--isa", help="this one alone, as JSON; SLUICE_ISA names it too")
    parser.add_argument("--only", default="", help="combinations whose name has this in it")
    arguments = parser.parse_args()
    if arguments.isa:
        json.dump(one_isa(arguments.only), sys.stdout)
        return
    found = every_isa()
    keep(found)
    sys.exit(any(one["failures"] for one in found.values()))


if __name__ == "__main__":
    main()
