"""What this machine offers and lacks, and which backend each cell runs on here."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

import torch

import sluice
from sluice import nn
from sluice.cells.registry import list_cells
from sluice.files import StrPath
from sluice.run.gpu import availability
from sluice.run.kernels import extension

_INSTRUCTION_SETS = (
    *("sse4_2", "avx", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512bw", "avx512vl"),
    *("avx512_bf16", "avx512_vnni", "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8"),
    *("asimd", "asimddp", "bf16", "i8mm", "sve", "sve2"),
)
"""Those that matter to matrix products, as Linux names them; x86 first, then Arm."""
_EXTRAS = ("plots", "tunes", "data", "tensorboard", "search", "xarray")
"""The extras of the package for its users; the others are for its developers."""


def describe_machine(cpuinfo: StrPath = "/proc/cpuinfo") -> dict[str, str]:
    """Versions, processor and threads, each as a line of text.

    >>> sorted(describe_machine())[:3]
    ['GPU', 'instruction sets', 'kernels']
    """
    model, flags = read_processor(cpuinfo)
    known = [name for name in _INSTRUCTION_SETS if name in flags]
    versions = {name: metadata.version(name) for name in ("torch", "numpy", "llvmlite")}
    versions = {"sluice": sluice.__version__, "Python": platform.python_version(), **versions}
    return {
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "system": platform.platform(),
        "processor": model or platform.processor() or platform.machine(),
        "threads": f"{torch.get_num_threads()} in torch, {os.cpu_count()} processors; "
        f"{extension.describe_threads()}",
        "instruction sets": " ".join(known) or "not known on this system",
        "kernels": extension.get_isa() or extension.explain_missing(),
        "GPU": availability.describe(),
    }


def read_processor(cpuinfo: StrPath) -> tuple[str, frozenset[str]]:
    """The processor's name and flags in a file like Linux's; both empty without such a file."""
    cpuinfo = Path(cpuinfo)
    if not cpuinfo.is_file():
        return "", frozenset()
    values: dict[str, str] = {}
    for line in cpuinfo.read_text(errors="replace").splitlines():
        key, _, value = line.partition(":")
        values.setdefault(key.strip().lower(), value.strip())
    flags = values.get("flags") or values.get("features") or ""
    return values.get("model name", ""), frozenset(flags.split())


def list_backends() -> dict[str, str]:
    """For each layer and each cell: the backend that a plain call runs on here, and why."""
    layers = {name: getattr(nn, name)(4, 8) for name in ("LSTM", "GRU", "RNN")}
    backends = {f"nn.{name}": str(layer.resolved_backend) for name, layer in layers.items()}
    for name, kind in list_cells().items():
        cell = kind()
        is_projected = any(state.width == "projection" for state in cell.graph.states)
        layer = nn.Recurrent(cell, 4, 8, proj_size=4 if is_projected else 0)
        backends[f"nn.Recurrent(cells.{name})"] = str(layer.resolved_backend)
    return backends


def fold_backends(backends: Mapping[str, str]) -> dict[str, str]:
    """The layers that differ from most, then all others in one line.

    >>> fold_backends({"a": "fused", "b": "native", "c": "fused"})
    {'b': 'native', '2 other layers': 'fused'}
    >>> fold_backends({"a": "fused", "b": "fused"})
    {'all 2 layers': 'fused'}
    """
    values = list(backends.values())
    usual = max(values, key=values.count)
    different = {name: value for name, value in backends.items() if value != usual}
    count = len(backends) - len(different)
    return {**different, f"{count} other layers" if different else f"all {count} layers": usual}


def list_libraries() -> dict[str, dict[str, str | None]]:
    """For each extra of the package: its libraries, with their version or None if missing.

    >>> list_libraries()["search"].keys()
    dict_keys(['optuna'])
    """
    found: dict[str, dict[str, str | None]] = {extra: {} for extra in _EXTRAS}
    for requirement in _list_requirements():
        library, _, condition = requirement.partition(";")
        for extra in _EXTRAS:
            if f"'{extra}'" in condition.replace('"', "'"):
                name = library.split(">")[0].strip()
                found[extra][name] = _find_version(name)
    return found


def _list_requirements() -> list[str]:
    try:
        return metadata.requires("sluice-rnn") or []
    except metadata.PackageNotFoundError:  # a source tree that is not installed
        return []


def find_problems() -> list[str]:
    """What differs here from a full installation, each as a sentence that says what to do."""
    return [*_check_kernels(), *_check_compiler(), *_check_libraries(list_libraries())]


def _check_kernels() -> Iterator[str]:
    if extension.get_isa() is None:
        reason = extension.explain_missing()
        yield f"{reason[0].upper()}{reason[1:]}. Cells run on torch, more slowly."
    elif chosen := os.environ.get("SLUICE_ISA"):
        yield f"SLUICE_ISA={chosen} selects the kernels; unset it for the fastest ones."


def _check_compiler() -> Iterator[str]:
    if not any(map(shutil.which, ("c++", "g++", "clang++"))):
        yield "No C++ compiler: torch.compile fails; the kernels do not need one."


def _check_libraries(libraries: Mapping[str, Mapping[str, str | None]]) -> Iterator[str]:
    missing = {
        extra: [name for name, version in of.items() if version is None]
        for extra, of in libraries.items()
    }
    lacking = {extra: names for extra, names in missing.items() if names}
    if lacking:
        names = "; ".join(f"{extra}: {', '.join(names)}" for extra, names in lacking.items())
        yield f"Not installed ({names}): pip install 'sluice-rnn[{','.join(lacking)}]'"


def _find_version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
