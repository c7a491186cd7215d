"""Times on a GPU: of calls, of kernels alone, and of what limits them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from gpu_pool import emit

from sluice.codegen.gpu.layout import TileShape
from sluice.codegen.gpu.operations import PRELUDE
from sluice.run.gpu import kernels
from sluice.run.gpu import launch as gpu_launch

BLOCK, ROUNDS = 8e-3, 5
_SLEEP_CYCLES = 3_000_000
MEETINGS, MEETING_STEPS = (2, 8, 16, 32, 48, 64, 96, 132), 1000
_KERNELS = """

@triton.jit
def kernel(counter, count, steps):
    for step in range(steps):
        _arrive(counter)
        _wait(counter, (step + 1) * count, count > 0)
"""
Run = Callable[[], object]


def clock(run: Run, is_queued: bool = False, rounds: int = ROUNDS) -> float:
    """Seconds of a call: the median over blocks of calls, one after another.

    ``is_queued`` lets the GPU sleep until the calls are queued, so that only its own time counts.
    """
    run()
    spent = _measure(run, 1, is_queued)
    count = max(1, min(20, round(BLOCK / spent)))
    return statistics.median(_measure(run, count, is_queued) for _ in range(rounds))


def _measure(run: Run, count: int, is_queued: bool) -> float:
    if not torch.cuda.is_available():
        start = time.perf_counter()
        for _ in range(count):
            run()
        return (time.perf_counter() - start) / count
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    if is_queued:
        torch.cuda._sleep(_SLEEP_CYCLES)
    begin.record()
    for _ in range(count):
        run()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / count / 1e3


def describe_tile(tile: TileShape, warps: int, is_resident: bool) -> str:
    """Sequences x units, w warps, s splits, a KiB loaded ahead, r for weights that stay."""
    cut = f"{tile.rows}x{tile.units}w{warps}s{tile.splits}a{tile.ahead >> 10}"
    return cut + ("r" if is_resident else "")


class Launches:
    """The kernels that a pass has started, to be started again."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, int, dict[str, Any], int]] = []

    def find(self, part: str) -> list[tuple[Any, int, dict[str, Any], int]]:
        """Those of one direction."""
        found = [call for call in self.calls if call[0].shape.part == part]
        if not found:
            raise RuntimeError(f"the {part} pass has started no kernel")
        return found

    def clock(self, part: str) -> float:
        """Seconds of the kernels of a direction, alone."""
        calls = self.find(part)

        def run() -> None:
            if "BAR" in calls[0][2]:
                calls[0][2]["BAR"].zero_()
            for call in calls:
                gpu_launch.launch_grid(*call)

        return clock(run, is_queued=True, rounds=3)

    def describe(self, part: str) -> str:
        """The tiling of a direction, and how many programs."""
        kernel, programs, _, warps = self.find(part)[0]
        name = describe_tile(kernel.shape.tile, warps, kernel.shape.is_resident)
        return f"{name}/{programs}"


@contextmanager
def kept_launches() -> Iterator[Launches]:
    """Keep the kernels that passes start inside the block."""
    kept, start = Launches(), gpu_launch.launch_grid

    def keep(kernel: Any, programs: int, arguments: dict[str, Any], warps: int) -> None:
        kept.calls.append((kernel, programs, dict(arguments), warps))
        start(kernel, programs, arguments, warps)

    gpu_launch.launch_grid = keep
    try:
        yield kept
    finally:
        gpu_launch.launch_grid = start


def measure_ceilings() -> None:
    """What the card does at best, and what launches and meetings cost."""
    source, target = (torch.empty(2**30, dtype=torch.uint8, device="cuda") for _ in range(2))
    _emit("copy", 2 * 2**30 / clock(partial(target.copy_, source)) / 1e12, "TB/s")
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    _emit("bf16 product", 2 * 8192**3 / clock(partial(torch.mm, a, b)) / 1e12, "TFLOP/s")
    _emit("node of a CUDA graph", _clock_node() * 1e6, "us")
    meet = kernels._load_function(PRELUDE + _KERNELS)
    counter = torch.zeros(1, dtype=torch.int32, device="cuda")

    def launch(programs: int, steps: int) -> None:
        counter.zero_()
        meet[(programs,)](counter, programs, steps, num_warps=4, launch_cooperative_grid=True)

    empty = clock(lambda: launch(132, 0), is_queued=True)
    _emit("empty cooperative launch, with a zeroed counter", empty * 1e6, "us")
    processors = torch.cuda.get_device_properties(0).multi_processor_count
    for programs in (n for n in MEETINGS if n <= processors):
        spent = clock(lambda n=programs: launch(n, MEETING_STEPS), is_queued=True, rounds=3)
        _emit(f"meeting of {programs} programs", (spent - empty) / MEETING_STEPS * 1e6, "us")


def _clock_node() -> float:
    tensor, graph = torch.zeros(32, device="cuda"), torch.cuda.CUDAGraph()
    tensor.add_(1)
    with torch.cuda.graph(graph):
        for _ in range(1000):
            tensor.add_(1)
    return clock(graph.replay) / 1000


def _emit(what: str, value: float, unit: str) -> None:
    emit("note", what, f"{value:.3g} {unit}", value=value, unit=unit)
