"""The compiled kernels: which instruction set they are for, and how many threads they use."""

from __future__ import annotations

import importlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from sluice.locks import first_use

#: Multiplications that take one thread as long as it takes another to wake, some 20 μs.
MULTIPLICATIONS_PER_THREAD = 1 << 20

_threads: int | None = None
_loses_threads_in_forks = False


@lru_cache(maxsize=1)
def load_extension() -> Any:
    """The extension module for the best instruction set that this processor has, or None.

    The environment variable ``SLUICE_ISA`` names another: ``generic``, ``v3``, ``avx512`` or
    ``avx512_bf16``. Raises ValueError where this processor or this installation lacks it.
    """
    global _loses_threads_in_forks
    with first_use.hold():
        generic = _import_extension("generic")
        if generic is None:
            return None
        possible = [name for name in generic.supported() if _import_extension(name) is not None]
        wanted = os.environ.get("SLUICE_ISA", "")
        if wanted and wanted not in possible:
            raise ValueError(
                f"SLUICE_ISA must be one of {', '.join(possible)} on this machine, got "
                f"{wanted!r}; change it, or unset it"
            )
        module = _import_extension(wanted or possible[-1])
        _loses_threads_in_forks = "gomp" in Path(module.find_openmp()).name
        module.use_openmp(os.environ.get("SLUICE_OPENMP") != "0")
    return module


def _set_threads_after_fork() -> None:
    """In a child of a process that has used the kernels, keep torch from waiting for ever.

    GNU's OpenMP runtime, on which torch's operators and the kernels run, has none of its threads in
    the child, and a region of more than one thread would wait for the others.
    """
    if _loses_threads_in_forks:
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_set_threads_after_fork)


def describe_threads() -> str:
    """On whose threads the kernels run: those of the OpenMP runtime that torch uses, or their own.

    The environment variable ``SLUICE_OPENMP=0`` selects the latter.
    """
    module = load_extension()
    if module is None:
        return "no kernels"
    library = module.find_openmp()
    return f"kernels share torch's ({Path(library).name})" if library else "kernels have their own"


def _import_extension(isa: str) -> Any:
    try:
        return importlib.import_module(f"sluice._kernels_{isa}")
    except ModuleNotFoundError:
        return None


def get_isa() -> str | None:
    """The instruction set of the kernels in use; None without kernels."""
    module = load_extension()
    return None if module is None else str(module.isa)


def explain_missing() -> str:
    """What is missing where there are no kernels, and how to get them."""
    return (
        "no kernels are installed (sluice._kernels_generic cannot be imported): reinstall Sluice "
        "with a C++20 compiler and without SLUICE_PURE=1"
    )


def set_num_threads(count: int) -> None:
    """Use so many threads in the kernels; without it, as many as `torch.get_num_threads`.

    Raises ValueError for less than one.
    """
    global _threads
    if count < 1:
        raise ValueError(f"the number of threads must be at least 1, got {count}")
    _threads = count


def choose_num_threads(multiplications: int) -> int:
    """How many threads share so many multiplications: one for `MULTIPLICATIONS_PER_THREAD`."""
    return max(1, min(get_num_threads(), multiplications // MULTIPLICATIONS_PER_THREAD))


def get_num_threads() -> int:
    """How many threads the kernels use."""
    return torch.get_num_threads() if _threads is None else _threads
