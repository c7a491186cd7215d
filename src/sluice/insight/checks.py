"""What measures refuse: what holds no numbers, or numbers that are none."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def require_numbers(values: object, what: str, *, finite: bool = True) -> Tensor:
    """``values``, if they are a tensor with numbers in it; and ``finite`` ones.

    Raises:
        TypeError: they are no tensor.
        ValueError: they are on the meta device, or hold NaN or infinity.
    """
    if not isinstance(values, Tensor):
        raise TypeError(
            f"{what} must be a tensor, got {type(values).__name__}; make one by torch.as_tensor"
        )
    if values.is_meta:
        raise ValueError(f"{what} must hold numbers, got a tensor on the meta device, without any")
    if finite and not bool(values.isfinite().all()):
        raise ValueError(
            f"{what} must be finite, got NaN or infinity; "
            "sluice.insight.find_first_nonfinite says where from"
        )
    return values


def read_step_counts(lengths: Tensor | Sequence[int], steps: int, sequences: int) -> Tensor:
    """How many steps of each sequence count, as a tensor of integers on the CPU.

    Raises ValueError unless there is one for each sequence, from 0 to all of its steps.
    """
    found = torch.as_tensor(lengths).cpu()
    whole = not (found.is_floating_point() or found.is_complex() or found.dtype == torch.bool)
    if found.shape != (sequences,) or not whole:
        raise ValueError(
            f"lengths must be {sequences} integers, one for each sequence, got "
            f"{found.dtype} of shape {tuple(found.shape)}"
        )
    if bool(((found < 0) | (found > steps)).any()):
        raise ValueError(f"lengths must be from 0 to the {steps} steps, got {found.tolist()}")
    return found
