"""What this machine offers, and which backend each cell runs on here."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import torch

import sluice
from sluice import nn
from sluice.cells.registry import list_cells
from sluice.files import StrPath
from sluice.run.kernels import extension

_INSTRUCTION_SETS = (
    *("sse4_2", "avx", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512bw", "avx512vl"),
    *("avx512_bf16", "avx512_vnni", "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8"),
    *("asimd", "asimddp", "bf16", "i8mm", "sve", "sve2"),
)
"""Those that matter to matrix products, as Linux names them; x86 first, then Arm."""


def describe_machine(cpuinfo: StrPath = "/proc/cpuinfo") -> dict[str, str]:
    """Versions, processor and threads, each as a line to read.

    >>> sorted(describe_machine())[:3]
    ['CUDA', 'Python', 'instruction sets']
    """
    model, flags = read_processor(cpuinfo)
    known = [name for name in _INSTRUCTION_SETS if name in flags]
    return {
        "sluice": sluice.__version__,
        "Python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": version("numpy"),
        "llvmlite": version("llvmlite"),
        "system": platform.platform(),
        "processor": model or platform.processor() or platform.machine(),
        "instruction sets": " ".join(known) or "not known on this system",
        "kernels": extension.get_isa() or extension.explain_missing(),
        "threads": f"{torch.get_num_threads()} of torch's, {os.cpu_count()} processors",
        "CUDA": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
    }


def read_processor(cpuinfo: StrPath) -> tuple[str, frozenset[str]]:
    """The processor's name and its flags as Linux tells them; both empty where it does not."""
    cpuinfo = Path(cpuinfo)
    if not cpuinfo.is_file():
        return "", frozenset()
    told: dict[str, str] = {}
    for line in cpuinfo.read_text(errors="replace").splitlines():
        key, _, value = line.partition(":")
        told.setdefault(key.strip().lower(), value.strip())
    flags = told.get("flags") or told.get("features") or ""
    return told.get("model name", ""), frozenset(flags.split())


def list_backends() -> dict[str, str]:
    """For each layer and each cell: the backend that a plain call runs on here, and why."""
    layers = {name: getattr(nn, name)(4, 8) for name in ("LSTM", "GRU", "RNN")}
    told = {f"nn.{name}": str(layer.resolved_backend) for name, layer in layers.items()}
    for name, cell in list_cells().items():
        layer = nn.Recurrent(cell, 4, 8, proj_size=4 if name == "ProjectedLSTM" else 0)
        told[f"nn.Recurrent(cells.{name})"] = str(layer.resolved_backend)
    return told
