"""Kernels of GPUs compiled without a GPU or a driver, and what they need of one.

Triton and the assembler that it brings run anywhere. `compile_pass` compiles the kernels of a
pass exactly as they would be launched: types, constants and tiles come from the launch itself.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from sluice.codegen.gpu.kernel import SCALARS
from sluice.run.gpu import fused
from sluice.run.gpu import launch as gpu_launch
from sluice.run.gpu.kernels import Kernel
from sluice.run.gpu.tiles import DeviceLimits, Tiling
from sluice.run.spec import RunSpec

CAPABILITIES = {80: DeviceLimits(108, 163 << 10), 90: DeviceLimits(132, 227 << 10)}
"""Multiprocessors and shared memory of an A100 and an H100, by compute capability."""
_TYPES = {
    torch.float64: "*fp64",
    torch.float32: "*fp32",
    torch.bfloat16: "*bf16",
    torch.float16: "*fp16",
    torch.int32: "*i32",
    torch.uint8: "*u8",
}


@dataclass(frozen=True)
class Launch:
    """A kernel as it is about to be started."""

    kernel: Kernel
    programs: int
    arguments: dict[str, Any]
    warps: int


@dataclass(frozen=True)
class Resources:
    """What a compiled kernel takes of a multiprocessor.

    Attributes:
        part: ``"forward"`` or ``"backward"``.
        registers: Registers of a thread.
        stack: Bytes of a thread's stack: registers that were spilled.
        shared: Bytes of shared memory of a program.
        programs: How many programs the launch has.
        warps: Warps of a program.
        rows: Sequences of a program's tile.
        units: Units of a program's tile.
        is_resident: Whether the weights stay on chip.
    """

    part: str
    registers: int
    stack: int
    shared: int
    programs: int
    warps: int
    rows: int
    units: int
    is_resident: bool


def compile_pass(
    spec: RunSpec, capability: int, precision: str | None = None, tiling: Tiling | None = None
) -> list[Resources]:
    """Compile the kernels of ``spec``, forward and, where gradients are asked for, backward."""
    limits = CAPABILITIES[capability]
    with mock.patch.object(gpu_launch, "get_limits", lambda device: limits):
        _forget_tilings()
        launches = capture_launches(spec, precision, tiling)
    _forget_tilings()
    return [compile_launch(launch, capability) for launch in launches]


def _forget_tilings() -> None:
    """A tiling is kept for a device, here for two in turn."""
    gpu_launch.find_tiling.cache_clear()
    gpu_launch.load_launch.cache_clear()


def capture_launches(
    spec: RunSpec, precision: str | None = None, tiling: Tiling | None = None
) -> list[Launch]:
    """The launches of a pass forward and back; nothing runs."""
    found: list[Launch] = []
    with replace_launch(lambda *launch: found.append(Launch(*launch))):
        y, last = fused.run(spec, precision, tiling=tiling)
        if spec.needs_grad:
            torch.autograd.backward([y, *last], [torch.zeros_like(t) for t in (y, *last)])
    return found


@contextmanager
def replace_launch(launch: Callable[[Kernel, int, dict[str, Any], int], None]) -> Iterator[None]:
    """``launch`` in place of `launch.launch_grid`."""

    def copy(kernel: Kernel, programs: int, arguments: dict[str, Any], warps: int) -> None:
        launch(kernel, programs, dict(arguments), warps)

    with mock.patch.object(gpu_launch, "launch_grid", copy):
        yield


def compile_launch(launch: Launch, capability: int) -> Resources:
    """Compile one kernel down to machine code."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    arguments = launch.arguments | {"MUL": launch.arguments["DOT"]}  # not as in the interpreter
    names = launch.kernel.function.arg_names
    signature: dict[str, str] = {}
    constants: dict[tuple[int, ...], Any] = {}
    attributes = {}
    for number, name in enumerate(names):
        value = arguments[name]
        if isinstance(value, Tensor):
            signature[name] = _TYPES[value.dtype]
            attributes[(number,)] = [["tt.divisibility", 16]]  # as torch aligns memory
        elif name in SCALARS:
            signature[name] = "i32"
        elif isinstance(value, int) and not isinstance(value, bool) and name.startswith("M"):
            signature[name] = "i32"  # a mask's stride
        else:
            signature[name] = "constexpr"
            constants[(number,)] = value
    source = ASTSource(launch.kernel.function, signature, constants, attributes)
    options = {
        **gpu_launch.COMPILE_OPTIONS,
        "num_warps": launch.warps,
        "launch_cooperative_grid": launch.programs > 1,
    }
    compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
    registers, stack = _read_usage(compiled.asm["cubin"])
    shape = launch.kernel.shape
    return Resources(
        shape.part,
        registers,
        stack,
        compiled.metadata.shared,
        launch.programs,
        launch.warps,
        shape.tile.rows,
        shape.tile.units,
        shape.is_resident,
    )


def _read_usage(cubin: bytes) -> tuple[int, int]:
    """Registers and bytes of stack of a thread."""
    import triton

    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        command = [str(tool), "-res-usage", file.name]
        text = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=600
        ).stdout
    found = re.search(r"REG:(\d+) STACK:(\d+)", text)
    assert found is not None, text
    return int(found[1]), int(found[2])
