"""Which steps of a batch count, and where sequences start anew, as a caller may say it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from sluice.run.torch_state import is_function_transform_active

Lengths: TypeAlias = "Tensor | Sequence[int] | np.ndarray[tuple[int, ...], np.dtype[np.integer]]"
"""How many steps of each sequence count: integers of any kind, one for each sequence."""


def read_lengths(lengths: Lengths, batch: int, is_batched: bool = True) -> Tensor:
    """``lengths`` as a tensor of int64, ``(batch,)``, on the device they came on.

    Where no batch dimension was given, one number will do as well.

    Raises ValueError for anything but a whole number for each sequence.
    """
    found = lengths if isinstance(lengths, Tensor) else _make_tensor(lengths, batch)
    if not is_batched and not found.dim():
        found = found.reshape(1)
    kind = found.dtype
    is_whole = not (kind.is_floating_point or kind.is_complex or kind == torch.bool)
    if found.shape != (batch,) or not is_whole:
        raise ValueError(
            f"lengths must be integers of shape ({batch},), one for each sequence, "
            f"got {kind} of shape {tuple(found.shape)}"
        )
    return found.to(torch.int64)


def check_lengths(lengths: Tensor, steps: int) -> None:
    """Raise ValueError unless all ``lengths`` lie between 0 and ``steps``."""
    if lengths.is_meta or torch.compiler.is_compiling() or is_function_transform_active():
        return  # their values cannot be looked at
    if lengths.numel() and ((lengths < 0) | (lengths > steps)).any():
        raise ValueError(
            f"lengths must lie between 0 and the {steps} steps of the input, got {lengths.tolist()}"
        )


def check_resets(resets: Tensor, steps: int, batch: int) -> None:
    """Raise ValueError unless ``resets`` is boolean, ``(steps, batch)``."""
    if resets.shape != (steps, batch) or resets.dtype != torch.bool:
        raise ValueError(
            f"resets must be boolean and laid out as the input is, {steps} steps of {batch} "
            f"sequences, got {resets.dtype} of shape {tuple(resets.shape)}"
        )


def _make_tensor(lengths: object, batch: int) -> Tensor:
    if isinstance(lengths, np.ndarray):  # torch takes them in the machine's own byte order
        lengths = lengths.astype(lengths.dtype.newbyteorder("="))
    try:
        found = torch.as_tensor(lengths)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"lengths must be {batch} integers, one for each sequence: a list, an array or a "
            f"tensor; got {lengths!r}"
        ) from error
    return found.to(torch.int64) if not found.numel() else found  # an empty list is of float32
