"""Launches: a kernel for given sizes, its arguments, and the grid of programs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from sluice.codegen.gpu.kernel import SCALARS
from sluice.codegen.lower import lower_graph
from sluice.equations.graph import Graph
from sluice.equations.specs import Sizes
from sluice.run.gpu.kernels import Kernel, KernelKey, load_kernel
from sluice.run.gpu.tensors import PassTensors, Precision
from sluice.run.gpu.tiles import DeviceLimits, Tiling, choose_tiling

COMPILE_OPTIONS = {"num_stages": 2, "maxnreg": 255}
"""As many registers as there are: no second program runs on the same multiprocessor."""


@lru_cache(maxsize=16)
def get_limits(device: torch.device) -> DeviceLimits:
    """What a GPU offers; of a CPU, where the kernels' text is interpreted, an H100's."""
    if device.type != "cuda":
        return DeviceLimits(132, 227 << 10)
    from triton.runtime import driver

    index = torch.cuda.current_device() if device.index is None else device.index
    found = driver.active.utils.get_device_properties(index)
    return DeviceLimits(found["multiprocessor_count"], found["max_shared_mem"])


@dataclass(frozen=True)
class KernelLaunch:
    """A kernel, and the tiling that it is launched with."""

    kernel: Kernel
    tiling: Tiling


@lru_cache(maxsize=512)
def find_tiling(
    graph: Graph,
    sizes: Sizes,
    has_bias: bool,
    gradient_names: tuple[str, ...],
    part: str,
    batch: int,
    products: torch.dtype,
    device: torch.device,
) -> Tiling:
    """The tiling that is chosen for these sizes; as `choose_tiling`, found once."""
    program = lower_graph(graph, has_bias, gradient_names)
    limits = get_limits(device)
    return choose_tiling(graph, sizes, program, part, batch, products.itemsize, limits)


@lru_cache(maxsize=512)
def load_launch(
    graph: Graph,
    sizes: Sizes,
    has_bias: bool,
    gradient_names: tuple[str, ...],
    part: str,
    batch: int,
    precision: Precision,
    device: torch.device,
    tiling: Tiling | None,
) -> KernelLaunch:
    """A kernel and its tiling, the one that is chosen for these sizes if ``tiling`` is None."""
    products = precision.products
    if tiling is None:
        tiling = find_tiling(graph, sizes, has_bias, gradient_names, part, batch, products, device)
    key = KernelKey(
        graph,
        sizes,
        has_bias,
        gradient_names,
        part,
        tiling.tile,
        tiling.is_resident,
        precision.is_narrow,
        products.itemsize,
    )
    return KernelLaunch(load_kernel(key), tiling)


def launch(
    direction: KernelLaunch, tensors: PassTensors, own: dict[str, Tensor], keeps_tape: bool
) -> None:
    """Run a kernel over all steps, for as many sequences at a time as there are processors for."""
    kernel, tiling = direction.kernel, direction.tiling
    shape, spec = kernel.shape, tensors.spec
    units, tiles = shape.unit_programs, -(-spec.x.shape[1] // tiling.tile.rows)
    at_once = max(1, get_limits(spec.x.device).processors // units)
    own = {**own, "BAR": torch.zeros(tiles * units * 32, dtype=torch.int32, device=spec.x.device)}
    arguments = {name: tensors.bind(name, shape, own) for name in kernel.arguments}
    arguments |= _build_constants(direction, tensors, keeps_tape)
    for first in range(0, tiles, at_once):
        count = min(at_once, tiles - first)
        arguments |= {"PID0": first * units}
        launch_grid(kernel, count * units, arguments, tiling.warps)


def launch_grid(kernel: Kernel, programs: int, arguments: dict[str, Any], warps: int) -> None:
    """Start ``programs`` programs, all of which are at work at the same time."""
    device = next(a.device for a in arguments.values() if isinstance(a, Tensor))
    if device.type != "cuda":
        kernel.function[(programs,)](**arguments)
        return
    with torch.cuda.device(device):
        kernel.function[(programs,)](
            **arguments,
            **COMPILE_OPTIONS,
            num_warps=warps,
            launch_cooperative_grid=programs > 1,
        )


def _build_constants(
    direction: KernelLaunch, tensors: PassTensors, keeps_tape: bool
) -> dict[str, Any]:
    """The kernel's integers and what is fixed when it is compiled."""
    tile, spec, precision = direction.tiling.tile, tensors.spec, tensors.precision
    products = to_triton(precision.products)
    is_interpreted = spec.x.device.type != "cuda"
    constants = {
        "B": spec.x.shape[1],
        "T": spec.x.shape[0],
        "BM": tile.rows,
        "BN": tile.units,
        "BK": tile.depth,
        "ACC": to_triton(precision.sums),
        "DOT": products,
        # The interpreter would multiply the bits of bfloat16.
        "MUL": to_triton(precision.sums) if is_interpreted else products,
        "OUT": to_triton(precision.output),
        # Three products of the tensor cores give float32's digits.
        "PRECISION": "tf32" if allows_tf32() else "tf32x3",
        "MEET": direction.kernel.shape.unit_programs > 1,
        "LENGTHS": tensors.lengths is not None,
        "RESETS": tensors.resets is not None,
        "PREVIOUS": tensors.previous,
        "FLIP": spec.reverse != (direction.kernel.shape.part == "backward"),
        "TRAIN": keeps_tape,
    }
    assert all(name in constants or name == "PID0" for name in SCALARS)
    return constants


def allows_tf32() -> bool:
    """Whether torch may multiply float32 matrices with fewer digits; by default it may not."""
    try:
        return bool(torch.backends.cuda.matmul.allow_tf32)
    except RuntimeError:  # the program has set torch's newer setting
        return str(torch.backends.cuda.matmul.fp32_precision) == "tf32"


def to_triton(dtype: torch.dtype) -> Any:
    """Triton's type for one of torch's."""
    import triton.language as tl

    return getattr(tl, str(dtype).removeprefix("torch."))
