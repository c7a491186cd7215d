"""How near each row of `layers.py` comes to the processor's limit, and what takes the rest.

    python bench/limits.py rows [lstm gru elman layer-norm] [--shapes 256x16x128 …]

A row's limit is the time of its multiply-adds at the peak rate or, where that is longer, of reading
the recurrent weights at every step from the cache that holds them. Every other part is measured
alone: bodies on data in the first cache, packing, meetings of two threads, a call of one step.
"""

from __future__ import annotations

import argparse
import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from timeit import timeit
from typing import Any

import torch
from layers import CELLS, SHAPES, infer, train
from limits import bandwidth, measure_meeting, peak
from paired import Report

from sluice.codegen.body import lanes_per_block
from sluice.codegen.jit import compile_bodies
from sluice.codegen.lower import lower_graph
from sluice.codegen.program import Program, collect_bodies
from sluice.equations.specs import Sizes
from sluice.run.kernels.compiled_cell import compile_cell, pack_weights
from sluice.run.kernels.extension import get_isa

LANES, ROWS, BLOCKS = lanes_per_block(32), 8, 8
COLUMNS = ["cell", "T×B×H", "", "GFLOP/s", "limit", "% of the limit", "products", "bodies"]
COLUMNS += ["packing", "meetings", "call", "rest"]
NOTES = [
    "Times are those of the fastest of nine blocks. The last columns are shares of the time in %: "
    "products at their limit, everything else as it takes alone; the rest is what they do not "
    "explain.",
]


@dataclass(frozen=True)
class Machine:
    """What two threads of this processor do at best: operations and bytes a second, seconds."""

    flops: float
    bytes_from_cache: float
    meeting: float


def measure_rows(arguments: list[str]) -> None:
    """Measure the rows, print the table and save it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cells", nargs="*", default=["lstm", "gru", "elman", "layer-norm"])
    parser.add_argument("--shapes", nargs="*", default=list(SHAPES))
    parser.add_argument("--name", default="limits")
    wanted = parser.parse_args(arguments)
    machine = Machine(peak() or 0.0, 2 * bandwidth(1 << 18), measure_meeting())
    note = (
        f"Limits of two threads: {machine.flops / 1e9:.0f} GFLOP/s, "
        f"{machine.bytes_from_cache / 1e9:.0f} GB/s from 256 KB each, "
        f"a meeting takes {machine.meeting * 1e9:.0f} ns."
    )
    report = Report(wanted.name, "Layers and the processor's limits", COLUMNS, [*NOTES, note])
    for cell in wanted.cells:
        for shape in wanted.shapes:
            add_rows(report, machine, cell, *map(int, shape.split("x")))
    report.keep()


def add_rows(report: Report, machine: Machine, name: str, time: int, batch: int, size: int) -> None:
    """The rows of a cell at a shape: inference and training."""
    subject = CELLS[name]
    layer: Any = subject.make_layer(size, size)
    x, upstream = torch.randn(time, batch, size), torch.randn(time, batch, size)
    graph, parameters = layer.cell.graph, [p.detach() for p in layer.parameters()]
    compiled = compile_cell(graph, Sizes(size, size, size), True, torch.float32)
    program = lower_graph(graph, True)
    bodies = measure_bodies(program)
    steps = {way: count_work(program, size, bodies, way) for way in ("inference", "training")}
    for way, run, passes in (("inference", infer, 1), ("training", train, 3)):
        functions: dict[str, Callable[[], object]] = {
            "whole": run(layer, x, upstream),
            "call": run(layer, x[:1, :1], upstream[:1, :1]),
            "packing": partial(pack_weights, compiled, parameters, "float32", passes > 1),
        }
        seconds = measure_shortest(functions)
        flops = passes * 2 * time * batch * 2 * size * subject.gates * size
        weights = 4 * (1 if passes == 1 else 2) * subject.gates * size * size
        read = time * weights / machine.bytes_from_cache if batch == 1 else 0.0
        at_peak = flops / machine.flops
        if batch == 1:  # the step's products read weights; the others run at the peak
            share = 1 / 2 if passes == 1 else 1 / 3
            at_peak = at_peak * (1 - share) + max(read, at_peak * share)
        work, phases = steps[way]
        parts = {
            "products": at_peak,
            "bodies": time * batch * work / 2,
            "packing": seconds["packing"],
            "meetings": time * phases * machine.meeting if batch == 1 else 0.0,
            "call": seconds["call"],
        }
        whole = seconds["whole"]
        shares = [100 * part / whole for part in parts.values()]
        report.add(
            name, f"{time}×{batch}×{size}", way, f"{flops / whole / 1e9:.0f}",
            f"{flops / at_peak / 1e9:.0f}", f"{100 * at_peak / whole:.0f}",
            *(f"{share:.0f}" for share in shares), f"{100 - sum(shares):.0f}",
        )  # fmt: skip


def measure_shortest(
    functions: dict[str, Callable[[], object]], rounds: int = 9, block: float = 0.02
) -> dict[str, float]:
    """The seconds a call of each function's fastest block: what it takes undisturbed."""
    found = dict.fromkeys(functions, float("inf"))
    counts = {}
    for name, function in functions.items():
        function()
        counts[name] = max(1, round(block / timeit(function, number=1)))
    for _ in range(rounds):
        for name, function in functions.items():
            function()
            found[name] = min(found[name], timeit(function, number=counts[name]) / counts[name])
    return found


def count_work(
    program: Program, size: int, bodies: dict[str, float], way: str
) -> tuple[float, int]:
    """Seconds of all bodies for a step of one sequence, and how many phases a step has."""
    parts = {"hoisted": program.hoisted, "forward": program.forward}
    if way == "training":
        parts["backward"] = program.backward
    names = [name for name in bodies if name.partition("_")[0] in parts]
    blocks = -(-size // LANES)
    phases = sum(len(phases) for part, phases in parts.items() if part != "hoisted")
    return blocks * sum(bodies[name] for name in names), phases


def measure_bodies(program: Program) -> dict[str, float]:
    """Seconds that each body takes for a block of 16 units, its data in the first cache."""
    bodies = collect_bodies(program)
    compiled = compile_bodies(bodies, 32, get_isa())
    parts = {"hoisted": program.hoisted, "forward": program.forward, "backward": program.backward}
    functions, kept = {}, []
    for name in bodies:
        part, _, number = name.partition("_")
        slots: list[int] = []
        for index in parts[part][int(number)].buffers:
            buffer = program.buffers[index]
            row = buffer.items * LANES
            memory = torch.rand(BLOCKS * (ROWS if buffer.scope != "const" else 1) * row) / 2
            kept.append(memory)
            scalar = buffer.role in ("statistics", "hoisted statistics", "row means")
            slots += [memory.data_ptr(), 0 if buffer.scope == "const" else BLOCKS * row]
            slots.append(0 if scalar or buffer.role == "row sums" else row)
        function = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)(
            compiled.addresses[name]
        )
        functions[name] = partial(function, ROWS, BLOCKS, (ctypes.c_int64 * len(slots))(*slots))
    seconds = measure_shortest(functions)
    del kept, compiled
    return {name: value / (ROWS * BLOCKS) for name, value in seconds.items()}
