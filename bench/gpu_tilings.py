"""Tilings on a GPU: the kernels of one size cut up in all ways that run at once."""

from __future__ import annotations

from typing import Any

import torch
from gpu_cases import CELLS_HERE, DEVICE, IS_DRY, make_pass, parse_item
from gpu_pool import describe_error, emit
from gpu_timing import describe_tile, kept_launches
from torch import Tensor

from sluice.codegen.gpu.layout import KernelShape, TileShape
from sluice.codegen.lower import lower_graph
from sluice.equations.specs import Sizes
from sluice.run.gpu import fused
from sluice.run.gpu import launch as gpu_launch
from sluice.run.gpu.tiles import Tiling, estimate_shared_bytes

RESERVED_BYTES = 8 << 10


def list_tilings(item: str) -> list[Tiling]:
    """The tilings of a sweep, all programs at once; resident where the weights fit."""
    name, batch, hidden, _ = parse_item(item)
    graph, limits = CELLS_HERE[name]().graph, gpu_launch.get_limits(torch.device(DEVICE))
    if IS_DRY:
        return [Tiling(TileShape(16, 16, 16), 4, is_resident) for is_resident in (True, False)]
    found, program = [], lower_graph(graph, True)
    for rows, units, splits, warps, ahead in list_shapes():
        if rows > max(16, batch):
            continue
        tile = TileShape(rows, units, 64, splits, ahead)
        sizes = Sizes(hidden, hidden)
        shapes = [
            KernelShape(graph, sizes, program, part, True, tile, True, True, 2)
            for part in ("forward", "backward")
        ]
        if shapes[0].unit_programs * -(-batch // rows) > limits.processors:
            continue
        needed = max(map(estimate_shared_bytes, shapes)) + RESERVED_BYTES
        if needed <= limits.shared_bytes:
            found.append(Tiling(tile, warps, True))
        elif ahead == 16384:
            found.append(Tiling(tile, warps, False))
    return found


def list_shapes() -> list[tuple[int, int, int, int, int]]:
    """Rows, units, splits, warps and bytes ahead."""
    shapes = [(16, units, warps, warps) for units in (8, 16, 32) for warps in (4, 8)]
    shapes += [(32, 16, 4, 4), (32, 16, 8, 8), (32, 32, 8, 8), (64, 16, 8, 8), (64, 32, 8, 8)]
    return [(*shape, ahead) for shape in shapes for ahead in (65536, 16384)]


def describe_tiling(tiling: Tiling) -> str:
    """A tiling in a few characters; see `describe_tile`."""
    return describe_tile(tiling.tile, tiling.warps, tiling.is_resident)


def run_tiling(item: str, tiling: Tiling | None, steps: int) -> tuple[Tensor, Any]:
    """Train a step with a tiling: the output, and the kernels that were started."""
    name, batch, hidden, _ = parse_item(item)
    spec = make_pass(name, batch, hidden, steps, "bfloat16")
    with kept_launches() as kept:
        y, _ = fused.run(spec, "bfloat16", tiling=tiling)
        torch.autograd.grad(y, [spec.x, *spec.parameters], torch.ones_like(y), allow_unused=True)
    return y.detach(), kept


def sweep(item: str, compiled: dict[str, str]) -> None:
    """The kernels of one size in all tilings: forward / back in microseconds a step."""
    steps = parse_item(item)[3]
    expected, chosen = run_tiling(item, None, steps)
    results: dict[str, Any] = {}
    for tiling in list_tilings(item):
        name = describe_tiling(tiling)
        state = compiled.get(f"{item}:{name}")
        if state != "":
            results[name] = shorten(state or "not compiled")
            continue
        try:
            y, kept = run_tiling(item, tiling, steps)
            apart = ((y - expected).float().norm() / expected.float().norm()).item()
            if not apart < 2e-2:
                results[name] = f"WRONG by {apart:.1e}"
                emit("WRONG", f"{item} {name}", f"y is {apart:.1e} from the default tiling's")
                continue
            results[name] = [kept.clock(p) / steps * 1e6 for p in ("forward", "backward")]
        except Exception as problem:
            results[name] = shorten(describe_error(problem))
            if "CUDA error" in str(problem):
                raise
        emit("tick", name)
    default = [chosen.describe(part) for part in ("forward", "backward")]
    times = {name: found for name, found in results.items() if isinstance(found, list)}
    best = [min(times, key=lambda n: times[n][k], default="none") for k in range(2)]
    of_default = [chosen.clock(p) / steps * 1e6 for p in ("forward", "backward")]
    now = f"chosen {default[0]} {of_default[0]:.2f}, {default[1]} {of_default[1]:.2f}"
    detail = f"best {best[0]} / {best[1]}; {now}"
    extra = {"best": best, "default": default, "default times": of_default}
    emit("note", item, detail, results=results, **extra)
    parts = [f"{name} {format_result(found, name, best)}" for name, found in results.items()]
    for start in range(0, len(parts), 6):
        emit("note", item.replace("sweep", "s"), "; ".join(parts[start : start + 6]))


def shorten(problem: str) -> str:
    """Why a tiling does not run, in a few characters."""
    return "no shared memory" if "shared memory" in problem else problem[:30]


def format_result(found: Any, name: str, best: list[str]) -> str:
    """Two times, the best with a star."""
    if isinstance(found, str):
        return found
    stars = ["*" if name == b else "" for b in best]
    return "/".join(f"{value:.2f}{star}" for value, star in zip(found, stars, strict=True))
