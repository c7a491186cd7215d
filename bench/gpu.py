"""The kernels on a GPU: whether they are right, and how fast they are.

    PYTHONPATH=src:tests python bench/gpu.py check [--budget 240] [--processes 12]
    PYTHONPATH=src:tests python bench/gpu.py speed [--budget 270] [--write bench/results/gpu.md]
    TRITON_INTERPRET=1 PYTHONPATH=src:tests python bench/gpu.py check --dry
    python bench/gpu.py render speed.json --write bench/results/gpu.md

Nothing has to be installed but what `pyproject.toml` requires, and Triton. Results go to the folder
``$OUT``. ``--dry`` runs a few checks in Triton's interpreter. ``job`` is how this script calls
itself: each job in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

import gpu_table
from gpu_pool import BAD, Board, Job, run_jobs

os.environ.setdefault("TRITON_CACHE_DIR", "/tmp/sluice-triton")


def main() -> int:
    """Run a part."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("part", choices=["check", "speed", "render", "job"])
    arguments.add_argument("words", nargs="*")
    arguments.add_argument("--dry", action="store_true", default=is_dry())
    arguments.add_argument("--budget", type=float)
    arguments.add_argument("--processes", type=int, default=12)
    arguments.add_argument("--only", help="only jobs whose name has this in it")
    arguments.add_argument("--compiling", type=float, default=100, help="seconds to compile")
    arguments.add_argument("--write", help="where the table of speed goes")
    wanted = arguments.parse_args()
    if wanted.part == "job":
        run_job(wanted.words)
        sys.stdout.flush()
        os._exit(0)  # threads that torch leaves behind must not spoil what was found
    if wanted.part == "render":
        gpu_table.write(Path(wanted.words[0]), Path(wanted.write))
        return 0
    return speed(wanted) if wanted.part == "speed" else check(wanted)


def is_dry() -> bool:
    """Whether Triton only interprets."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def run_job(words: list[str]) -> None:
    """One job, in this process."""
    import torch

    torch.set_num_threads(1)
    kind, *rest = words
    import gpu_check
    import gpu_layers
    import gpu_speed
    import gpu_timing

    jobs: dict[str, Callable[..., None]] = {
        "machine": describe_machine,
        "cell": lambda name, marks: gpu_check.check_cell(name, marks, is_dry()),
        "long": gpu_check.check_long,
        "layer": gpu_layers.check,
        "ceilings": gpu_timing.measure_ceilings,
        "compile": gpu_speed.compile_some,
        "time": lambda *items: gpu_speed.measure(list(items)),
    }
    jobs[kind](*rest)


def describe_machine() -> None:
    """The machine, and whether a kernel starts at all."""
    import torch
    import triton
    from gpu_pool import emit

    from sluice.codegen.gpu.operations import PRELUDE
    from sluice.run.gpu import kernels

    cudnn = torch.backends.cudnn.version()
    emit(
        "note", "versions", f"torch {torch.__version__}, Triton {triton.__version__}, cuDNN {cudnn}"
    )
    if is_dry():
        return
    found = torch.cuda.get_device_properties(0)
    sizes = (
        f"{found.multi_processor_count} processors, {found.shared_memory_per_block_optin >> 10} KB"
    )
    emit("note", "card", f"{found.name}, {sizes} shared, {found.total_memory >> 30} GB")
    source = (
        PRELUDE + "\n\n@triton.jit\ndef kernel(c, n):\n    _arrive(c)\n    _wait(c, n, n > 0)\n"
    )
    counter = torch.zeros(1, dtype=torch.int32, device="cuda")
    kernels._load_function(source)[(4,)](counter, 4, num_warps=4, launch_cooperative_grid=True)
    emit("ok" if counter.item() == 4 else "WRONG", "four programs meet")


def start_board(part: str, budget: float) -> Board | None:
    """A board, once a kernel has started; None where none does."""
    board = Board(part, budget)
    run_jobs(board, [Job(("machine",), 60)], 1, is_shown=True)
    if any(row["status"] in BAD for row in board.rows):
        board.say("no kernel starts: nothing else is tried")
        board.finish()
        return None
    return board


def list_jobs(is_dry: bool) -> list[Job]:
    """All jobs, the most telling first."""
    from gpu_check import CELLS_HERE, FIRST, LONG, MARKS
    from gpu_layers import CHECKS

    if is_dry:
        return [Job(("cell", name, "reverse")) for name in ("lstm", "own")] + [
            Job(("cell", "layer-norm-gru", "none"), 200)
        ]
    names = [*FIRST, *(name for name in CELLS_HERE if name not in FIRST)]
    every = {marks: [Job(("cell", name, marks), 150) for name in names] for marks in MARKS}
    long = [Job(("long", name, precision, "256")) for name, precision in LONG]
    long.append(Job(("long", "lstm", "bfloat16", "1024")))

    layers = [Job(("layer", name)) for name in CHECKS]
    return every["none"][:7] + layers + long + every["none"][7:] + every["reverse"] + every["marks"]


def check(wanted: argparse.Namespace) -> int:
    """Whether all cells are right."""
    board = start_board("check", wanted.budget or 240)
    if board is None:
        return 1
    jobs = [job for job in list_jobs(wanted.dry) if (wanted.only or "") in job.name]
    run_jobs(board, jobs, 2 if wanted.dry else wanted.processes)
    return board.finish()


def speed(wanted: argparse.Namespace) -> int:
    """How fast all sizes are."""
    import gpu_speed

    board = start_board("speed", wanted.budget or 270)
    if board is None:
        return 1
    gpu_speed.speed(board, 2 if wanted.dry else wanted.processes, wanted.compiling)
    status = board.finish()
    results = board.folder / "speed.json"
    for path in filter(None, (board.folder / "gpu.md", wanted.write and Path(wanted.write))):
        gpu_table.write(results, path)
    return status


if __name__ == "__main__":
    sys.exit(main())
