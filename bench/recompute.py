"""Training with `recompute=` beside training without: the time of a step, the peak of the memory.

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
from paired import Report, paired

import sluice

KINDS = {"lstm": sluice.nn.LSTM, "gru": sluice.nn.GRU}
TIMED = (1024, 16, 128, 32)
LONG = (100_000, 1, 64, 316)


def step(cell: str, recompute: int | None, steps: int, batch: int, size: int) -> Callable[[], None]:
    """Forward and back, to be called again and again."""
    layer = KINDS[cell](size, size, recompute=recompute)
    x, upstream = (torch.randn(steps, batch, size, requires_grad=k == 0) for k in range(2))

    def once() -> None:
        layer.zero_grad()
        x.grad = None
        layer(x)[0].backward(upstream)

    return once


def peak() -> int:
    """The most memory that this process has held, in MiB."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s*(\d+)", status)[1]) >> 10


def grown(cell: str, recompute: int | None) -> int:
    """By how many MiB one training step raises the peak, beyond input and upstream gradient."""
    steps, batch, size, _ = LONG
    step(cell, recompute, 1000, batch, size)()
    once, before = step(cell, recompute, steps, batch, size), peak()
    once()
    return peak() - before


def apart(cell: str, recompute: int | None) -> str:
    """`grown` in a process of its own."""
    command = [sys.executable, __file__, "--grown", cell, str(recompute or 0)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    torch.set_num_threads(1)  # what is asked is how much more there is to do
    steps, batch, size, every = TIMED
    report = Report(
        "recompute",
        "A training step with and without recompute",
        ["cell", "T×B×H", "k", "whole", "recomputed", "×"],
        [
            f"Milliseconds a step at T = {steps}, MiB of memory at T = {LONG[0]:,}.",
            "One thread. × is recomputed over whole.",
            "Output and gradient of the input are in both; the tape is what differs.",
        ],
    )
    for cell in KINDS:
        found = paired(
            {str(k): step(cell, k, steps, batch, size) for k in (None, every)}, block=0.4
        )
        whole, again = found["None"], found[str(every)]
        shape = f"{steps}×{batch}×{size}"
        times = [f"{whole * 1e3:.1f} ms", f"{again * 1e3:.1f} ms", f"{again / whole:.2f}"]
        report.add(cell, shape, str(every), *times)
    steps, batch, size, every = LONG
    for cell in KINDS:
        whole, again = apart(cell, None), apart(cell, every)
        shape = f"{steps}×{batch}×{size}"
        ratio = f"{int(again) / int(whole):.2f}"
        report.add(cell, shape, str(every), f"{whole} MiB", f"{again} MiB", ratio)
    report.keep()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--grown", nargs=2, metavar=("CELL", "K"), help="print one peak")
    asked = parser.parse_args().grown
    if asked:
        sys.stdout.write(f"{grown(asked[0], int(asked[1]) or None)}\n")
    else:
        main()
