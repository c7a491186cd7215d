"""What a second process brings: to a search of settings, and to one training under torchrun.

    python bench/search.py [STEPS [TRIALS]]

Whole commands, everything but the size at its default, one after the other in one run. The
text is the first 200,000 characters of this documentation. All trials have one size, so that each
does the same work; the rate is searched. With two processes each has one thread, and one process
is measured with one thread and with two. Seconds are those of the whole command, importing torch
and reading included.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from paired import Report

SIZE = ("--hidden", "128")
"""So that all of it takes less than five minutes of two processors."""
ROOT = Path(__file__).parents[1]
LENGTH = 200_000
SLUICE = (sys.executable, "-m", "sluice")
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")


def write_text(folder: Path) -> Path:
    path = folder / "book.txt"
    pages = sorted((ROOT / "docs").glob("*.md"))
    path.write_text("\n".join(page.read_text() for page in pages)[:LENGTH])
    return path


def measure(command: list[str], folder: Path, threads: int) -> float:
    """The seconds of a command."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main(steps: int = 60, trials: int = 8) -> None:
    report = Report(
        "search",
        "A second process: seconds of whole commands, and their ratio to one process, one thread",
        ["job", "processes", "threads of each", "seconds", "times as fast"],
        [
            f"`sluice search book.txt --tune learning-rate=0.001..0.01:log --trials {trials} "
            f"--no-prune --steps {steps} {' '.join(SIZE)}`, and `sluice train book.txt "
            f"--steps {steps * trials} {' '.join(SIZE)}` "
            "alone and under `torchrun --nproc-per-node=2`, which shares out each batch. Two "
            "processors: twice is the limit. A search shares nothing but its journal; a training "
            "under torchrun adds the gradients of both processes at each step.",
        ],
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = str(write_text(folder))
        base = 0.0
        for processes, threads in ((1, 1), (1, 2), (2, 1)):
            command = [
                *SLUICE, "search", text, "--tune", "learning-rate=0.001..0.01:log",
                "--trials", str(trials), "--no-prune", "--steps", str(steps), *SIZE,
                "--processes", str(processes), "--threads", str(threads),
                "--out", f"search-{processes}-{threads}",
            ]  # fmt: skip
            seconds = measure(command, folder, threads)
            base = base or seconds
            report.add(
                f"search of {trials} trials", f"{processes}", f"{threads}", f"{seconds:.1f}",
                f"{base / seconds:.2f}",
            )  # fmt: skip
        base = 0.0
        for processes, threads in ((1, 1), (1, 2), (2, 1)):
            start = SLUICE if processes == 1 else (*TORCHRUN, "-m", "sluice")
            command = [
                *start, "train", text, "--steps", str(steps * trials), *SIZE,
                "--threads", str(threads), "--out", f"train-{processes}-{threads}",
            ]  # fmt: skip
            seconds = measure(command, folder, threads)
            base = base or seconds
            report.add(
                "one training", f"{processes}", f"{threads}", f"{seconds:.1f}",
                f"{base / seconds:.2f}",
            )  # fmt: skip
    report.keep()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
