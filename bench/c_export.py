"""One step of an LSTM that `sluice.export.c` wrote, by the compilers of this machine.

    python bench/c_export.py

Each program runs forty steps, thousands of times; the least time counts, as other programs on the
machine only add to it. RTNeural's figures are its own, of another machine: `LSTM` of its
compile-time API with xsimd, 10 s of samples at 48 kHz on an Intel Core i7-8700B of 2018
(`results/bench_xsimd.txt` of jatinchowdhury18/RTNeural-compare): 332 ns for 16 to 16, 3,304 ns for
64 to 64.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import torch
from paired import Report

import sluice
from sluice.export.to_c.program import ProgramWriter

CASES = (((1, 16), False), ((16, 16), False), ((64, 64), False), ((64, 64), True))
OPTIONS = (
    "gcc -O2 -ftree-vectorize",
    "gcc -O3",
    "gcc -O2 -ftree-vectorize -march=x86-64-v3",
    "clang -O2",
    "clang -O2 -march=x86-64-v3",
)
RTNEURAL = {(16, 16): "332", (64, 64): "3,304"}
DRIVER = """\
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <time.h>
#include "net.h"
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}
int main(void)
{
    static net_state state;
    static float x[1024], y[NET_OUTPUT_SIZE];
    double best = 1e18, start, spent;
    int i, k;
    for (i = 0; i < 1024; i++) x[i] = (float)(i % 17) / 17.0f - 0.5f;
    net_reset(&state);
    for (k = 0; k < 3000; k++) {
        start = now();
        for (i = 0; i < 40; i++) net_step(&state, x + i, y);
        spent = (now() - start) / 40.0;
        best = spent < best ? spent : best;
    }
    printf("%f\\n", best);
    return 0;
}
"""


def measure(size: tuple[int, int], options: str, int8: bool) -> str:
    """The nanoseconds of a step."""
    if shutil.which(options.split()[0]) is None:
        return "-"
    torch.manual_seed(0)
    program = ProgramWriter(sluice.nn.LSTM(*size), "net", int8).write()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "net.h").write_text(program.header)
        (folder / "net.c").write_text(program.body)
        (folder / "driver.c").write_text(DRIVER)
        command = [*options.split(), "-std=c99", "-ffp-contract=off", "net.c", "driver.c", "-lm"]
        subprocess.run([*command, "-o", "driver"], cwd=folder, check=True)
        said = subprocess.run([folder / "driver"], capture_output=True, text=True, check=True)
    return f"{float(said.stdout):,.0f}"


def main() -> None:
    """Measure and keep the table."""
    columns = ["LSTM", "weights", *OPTIONS, "RTNeural, its own machine"]
    note = (
        "The least time of a step of an LSTM, input → units. "
        "`bench/c_export.py` says how, and where RTNeural's figures are from."
    )
    report = Report("c_export", "Steps of an exported C program: ns, batch 1", columns, [note])
    for size, int8 in CASES:
        times = [measure(size, options, int8) for options in OPTIONS]
        theirs = RTNEURAL.get(size, "-") if not int8 else "-"
        report.add(f"{size[0]} → {size[1]}", "int8" if int8 else "float32", *times, theirs)
    report.keep()


if __name__ == "__main__":
    main()
