"""The matrix products in WebAssembly with SIMD, where clang and its linker are installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

from sluice.export.errors import ExportError

_SOURCE = Path(__file__).with_name("kernels.c")
_FLAGS = (
    "--target=wasm32 -Os -fno-unroll-loops -msimd128 -ffreestanding -nostdlib -Wl,--no-entry "
    "-Wl,--import-memory -Wl,-s -Wl,-z,stack-size=0 -Wl,--global-base=0"
)
"""Without a stack, what would use one ends with an error, and never writes over the weights."""


def can_compile() -> bool:
    """Whether clang and wasm-ld are here."""
    return shutil.which("clang") is not None and shutil.which("wasm-ld") is not None


def compile_kernels() -> bytes:
    """A WebAssembly module of ``map`` and ``mapInt8``, which imports its memory.

    Raises `ExportError` where there is no compiler, or one without WebAssembly.
    """
    if not can_compile():
        raise ExportError("wasm: needs clang and wasm-ld (Debian's clang and lld); leave it out")
    return _compile()


@lru_cache(maxsize=1)
def _compile() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "kernels.wasm"
        command = ["clang", *_FLAGS.split(), str(_SOURCE), "-o", str(made)]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        if said.returncode:
            raise ExportError(f"wasm: clang cannot compile it: {said.stderr.strip()[-300:]}")
        return made.read_bytes()
