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


Mask: TypeAlias = (
    "Tensor | Sequence[Sequence[bool]] | np.ndarray[tuple[int, ...], np.dtype[np.bool]]"
)
"""Which steps count: booleans laid out as the input is."""


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


def read_mask(mask: Mask, steps: int, batch: int, is_batched: bool, batch_first: bool) -> Tensor:
    """Which steps count, ``(steps, batch)``, of a mask laid out as the input is.

    Raises ValueError for another shape, or for anything but booleans.
    """
    found = mask if isinstance(mask, Tensor) else torch.as_tensor(mask)
    expected: tuple[int, ...] = (steps, batch)
    if not is_batched:
        expected = (steps,)
    elif batch_first:
        expected = (batch, steps)
    if found.dtype != torch.bool or found.shape != expected:
        raise ValueError(
            f"mask must be boolean, True for the steps that count, and of shape {expected} as the "
            f"input is, got {found.dtype} of shape {tuple(found.shape)}"
        )
    if not is_batched:
        return found.unsqueeze(1)
    return found.transpose(0, 1) if batch_first else found


def order_steps(mask: Tensor) -> Tensor:
    """Where each sequence's steps lie when those that count come first, in their order."""
    return torch.argsort((~mask).to(torch.uint8), dim=0, stable=True)


def gather_steps(values: Tensor, order: Tensor) -> Tensor:
    """``values``, ``(time, batch, width)``, in the order of `order_steps`."""
    return values.gather(0, order.unsqueeze(-1).expand_as(values))


def reorder_resets(resets: Tensor, order: Tensor) -> Tensor:
    """``resets`` for steps in that order: one where no step counts is of the next that does."""
    seen = resets.to(torch.int64).cumsum(0).gather(0, order)
    before = torch.cat([torch.zeros_like(seen[:1]), seen[:-1]])
    return seen > before


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
