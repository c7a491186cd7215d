"""Speed on a GPU: which sizes are measured, in which order; kernels are compiled before."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

from gpu_cases import INPUTS, IS_DRY, build_calls, measure_case
from gpu_pool import Board, Job, describe_error, emit, run_jobs
from gpu_tilings import describe_tiling, list_tilings, run_tiling, sweep

FIRST = ["case:lstm:16:768", "case:lstm:16:256", "case:gru:16:256", "case:own:16:256"]
FIRST += ["sweep:lstm:16:256", "sweep:lstm:16:768", "sweep:gru:16:256"]
LSTM_SIZES = [(64, 256), (16, 1024), (64, 512), (1, 512), (16, 128), (256, 512), (16, 2048)]
LSTM_SIZES += [(64, 1024), (128, 768)]
OTHER_SIZES, OTHERS = [(16, 768), (16, 256), (64, 512), (256, 512)], ["gru", "own", "peephole"]
OTHERS += ["layer-norm-lstm"]
SWEPT_SIZES = [(64, 512), (16, 1024), (16, 768), (256, 512), (16, 256)]


def list_items() -> list[str]:
    """What is measured, the most important first."""
    if IS_DRY:
        return ["case:lstm:3:8", "sweep:lstm:3:8", "case:own:3:8"]
    cases = [f"case:lstm:{b}:{h}" for b, h in LSTM_SIZES]
    cases += [f"case:{name}:{b}:{h}" for b, h in OTHER_SIZES for name in OTHERS]
    sweeps = [f"sweep:{name}:{b}:{h}" for b, h in SWEPT_SIZES for name in ("lstm", "gru")]
    rest = [*cases[:3], *sweeps[:2], *cases[3:], *sweeps[2:]]
    found = [*FIRST, *(item for item in rest if item not in FIRST)]
    wanted = os.environ.get("ITEMS", "").split(",")
    return [item for item in found if any(part in item for part in wanted)]


def list_compilations(items: list[str]) -> list[str]:
    """What is to be compiled, each a few kernels: an item with a precision or a tiling."""
    found = []
    for item in items:
        if item.startswith("case"):
            found += [f"{item}:{precision}" for precision in INPUTS]
        else:
            found += [f"{item}:{describe_tiling(tiling)}" for tiling in list_tilings(item)]
    # Large tiles in float32, which no tensor core multiplies, take minutes.
    return sorted(found, key=lambda what: what.endswith(":float32") and get_batch(what) >= 128)


def get_batch(what: str) -> int:
    """The number of sequences of an item."""
    return int(what.split(":")[2])


def claim(number: int) -> bool:
    """Whether this process is the first to ask for a piece of work."""
    path = Path(os.environ.get("OUT") or "gpu-out") / "claims" / str(number)
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def compile_some(until: str) -> None:
    """Compile kernels that no other process has begun, by running them for two steps."""
    for number, what in enumerate(list_compilations(list_items())):
        started = time.time()
        if started > float(until):
            return
        if not claim(number):
            continue
        item, _, way = what.rpartition(":")
        try:
            if item.startswith("case"):
                for call in build_calls(item, way, 2)[1].values():
                    call()
            else:
                tiling = next(t for t in list_tilings(item) if describe_tiling(t) == way)
                run_tiling(item, tiling, 2)
            emit("ok", what, f"{time.time() - started:.1f} s")
        except Exception as problem:
            emit("note", what, describe_error(problem), problem=describe_error(problem))


def measure(items: list[str]) -> None:
    """Measure items one after another; what fails is said, and the next one begins."""
    compiled = json.loads((Path(os.environ.get("OUT") or "gpu-out") / "compiled.json").read_text())
    for item in items:
        emit("begin", item)
        try:
            if item.startswith("case"):
                measure_case(item, compiled)
            else:
                sweep(item, compiled)
        except Exception as problem:
            emit("FAIL", item, describe_error(problem))
            if "CUDA error" in str(problem):
                raise SystemExit(3) from problem


def speed(board: Board, processes: int, compile_seconds: float) -> None:
    """Compile in parallel, then measure alone, until the budget ends."""
    items = list_items()
    if not IS_DRY:
        run_jobs(board, [Job(("ceilings",), 40, label="ceiling")], 1, is_shown=True)
    begin, claims = time.time(), board.folder / "claims"
    shutil.rmtree(claims, ignore_errors=True)
    claims.mkdir()
    words = ("compile", str(begin + compile_seconds))
    jobs = [
        Job(words, compile_seconds + 4, label=f"compile {n}", is_optional=True)
        for n in range(processes)
    ]
    run_jobs(board, jobs, processes, reserve=30)
    rows = [row for row in board.rows if row["job"].startswith("compile")]
    compiled = {row["what"]: row.get("problem", "") for row in rows if ":" in row["what"]}
    (board.folder / "compiled.json").write_text(json.dumps(compiled, indent=1))
    total = len(list_compilations(items))
    board.say(f"compiled {len(compiled)} of {total} in {time.time() - begin:.0f} s")
    turn = 0
    while items and board.left > 12 and turn < 12:
        job = Job(("time", *items), 1000, 60, label=f"time{turn}")
        run_jobs(board, [job], 1, is_shown=True)
        begun = [r["what"] for r in board.rows if r["job"] == job.name and r["status"] == "begin"]
        items, turn = items[max(1, len(begun)) :], turn + 1
    board.rows = [row for row in board.rows if row["status"] not in ("begin", "tick")]
    board.unfinished += items
