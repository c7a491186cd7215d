"""Training with and without `recompute=`: time of a step and peak memory.

    python bench/recompute.py

Steps are timed in turns in one process; each peak is that of a process of its own, less what it
held before its first long step.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from paired import Report, measure_paired

import sluice

KINDS = {"lstm": sluice.nn.LSTM, "gru": sluice.nn.GRU}
TIMED = (1024, 16, 128, 32)
LONG = (100_000, 1, 64, 316)


def step(cell: str, recompute: int | None, steps: int, batch: int, size: int) -> Callable[[], None]:
    """A function that runs a forward and a backward pass."""
    layer = KINDS[cell](size, size, recompute=recompute)
    x, upstream = (torch.randn(steps, batch, size, requires_grad=k == 0) for k in range(2))

    def once() -> None:
        layer.zero_grad()
        x.grad = None
        layer(x)[0].backward(upstream)

    return once


def peak() -> int:
    """The peak memory of this process, in MiB."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s*(\d+)", status)[1]) >> 10


def measure_growth(cell: str, recompute: int | None) -> int:
    """How many MiB one training step adds to the peak, beyond input and upstream gradient."""
    steps, batch, size, _ = LONG
    step(cell, recompute, 1000, batch, size)()
    once, before = step(cell, recompute, steps, batch, size), peak()
    once()
    return peak() - before


def measure_in_process(cell: str, recompute: int | None) -> str:
    """`measure_growth` in a process of its own."""
    command = [sys.executable, __file__, "--measure", cell, str(recompute or 0)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    torch.set_num_threads(1)  # the question is the amount of extra work
    steps, batch, size, every = TIMED
    report = Report(
        "recompute",
        "A training step with and without recompute",
        ["cell", "T×B×H", "k", "whole", "recomputed", "×"],
        [
            f"Milliseconds a step at T = {steps}, MiB of memory at T = {LONG[0]:,}.",
            "One thread. × is the ratio of recomputed to whole.",
            "Both hold the output and the gradient of the input; only the tape differs.",
        ],
    )
    for cell in KINDS:
        found = measure_paired(
            {str(k): step(cell, k, steps, batch, size) for k in (None, every)}, block=0.4
        )
        whole, again = found["None"], found[str(every)]
        shape = f"{steps}×{batch}×{size}"
        times = [f"{whole * 1e3:.1f} ms", f"{again * 1e3:.1f} ms", f"{again / whole:.2f}"]
        report.add(cell, shape, str(every), *times)
    steps, batch, size, every = LONG
    for cell in KINDS:
        whole, again = measure_in_process(cell, None), measure_in_process(cell, every)
        shape = f"{steps}×{batch}×{size}"
        ratio = f"{int(again) / int(whole):.2f}"
        report.add(cell, shape, str(every), f"{whole} MiB", f"{again} MiB", ratio)
    report.keep()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--measure", nargs=2, metavar=("CELL", "K"), help="print one peak")
    arguments = parser.parse_args().measure
    if arguments:
        sys.stdout.write(f"{measure_growth(arguments[0], int(arguments[1]) or None)}\n")
    else:
        main()
