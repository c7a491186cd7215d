"""The memory of a model, known before it is taken."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from sluice.option_names import name_argument
from sluice.sequence.errors import SequenceError
from sluice.sequence.models.shape import ModelConfig

M = TypeVar("M", bound=nn.Module)
C = TypeVar("C", bound=ModelConfig)
_SIZES = ("hidden_size", "embedding_size")
_COPIES = 4
"""Of each weight in training: itself, its gradient, and two moments of the optimizer."""
_SURELY_FITS = 1 << 26
"""Numbers that any machine has memory for."""
_CGROUP = Path("/sys/fs/cgroup/memory.max")


def build_model(of: Callable[[C], M], config: C) -> M:
    """A new model, if there is memory to train it.

    Args:
        of: its class.
        config: its configuration.

    Raises:
        SequenceError: more weights than fit, with the memory that they take.
    """
    sizes = [getattr(config, name, 0) or 0 for name in _SIZES]
    if sum(sizes) ** 2 * getattr(config, "num_layers", 1) * 16 > _SURELY_FITS:
        _require_training_memory(of, config)
    return of(config)


def _require_training_memory(of: Callable[[C], nn.Module], config: C) -> None:
    memory = find_memory()
    needed = 4.0 * _COPIES * _count_weights(of, config)
    if needed <= memory:
        return
    names = [name for name in (*_SIZES[:1], "num_layers") if hasattr(config, name)]
    given = " and ".join(f"{name_argument(name)} {getattr(config, name):,}" for name in names)
    raise SequenceError(
        f"A model of {given} takes {format_gigabytes(needed)} of memory to train, but there are "
        f"{format_gigabytes(memory)}; choose smaller ones."
    )


def _count_weights(of: Callable[[C], nn.Module], config: C) -> float:
    """How many there are; of more than torch can count an estimate, from a smaller model."""
    try:
        with without_memory():
            return float(sum(one.numel() for one in of(config).parameters()))
    except (RuntimeError, OverflowError, TypeError):
        halved: Any = {name: getattr(config, name, 0) // 2 for name in _SIZES}
        held = {name: size for name, size in halved.items() if size}
        return 4 * _count_weights(of, replace(config, **held)) if held else math.inf


def format_gigabytes(count: float) -> str:
    """Bytes in words.

    >>> format_gigabytes(3 * 2**29), format_gigabytes(2**60)
    ('1.5 GB', '1,073,741,824 GB')
    """
    size = count / 2**30
    return f"{size:,.0f} GB" if 10 <= size < 1e15 else f"{size:.3g} GB"


def require_memory(needed: float, what: str, remedy: str) -> None:
    """Refuse what takes more bytes than there are.

    Raises:
        SequenceError: too much.
    """
    memory = find_memory()
    if needed > memory:
        raise SequenceError(
            f"{what} take {format_gigabytes(needed)} of memory, but there are "
            f"{format_gigabytes(memory)}; {remedy}."
        )


def find_memory() -> int:
    """The bytes that this process may take: of the machine, of its container, or of its limits.

    >>> find_memory() > 2**20
    True
    """
    try:
        import resource
    except ImportError:  # Windows does not say it
        return sys.maxsize
    most = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    (soft, _) = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        most = min(most, soft)
    try:
        limit = _CGROUP.read_text().strip()
    except OSError:
        return most
    return min(most, int(limit)) if limit.isdecimal() else most


@contextmanager
def without_memory() -> Iterator[None]:
    """Models that are built inside the ``with`` block have shapes alone."""
    with torch.device("meta"), _Unfilled():
        yield


class _Unfilled(TorchFunctionMode):
    """Leaves tensors without first values; drawing them for no memory would import a compiler."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if function.__name__ in ("normal_", "uniform_", "fill_", "zero_", "copy_"):
            return args[0] if args else kwargs["tensor"]
        return function(*args, **(kwargs or {}))
