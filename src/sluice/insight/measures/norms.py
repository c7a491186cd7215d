"""Euclidean norms in float64, of numbers whose squares a float cannot hold."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


def compute_norm(values: Tensor, dim: int | tuple[int, ...] = -1) -> Tensor:
    """‖v‖₂ along ``dim``, float64: exact to rounding wherever the norm itself is a float64.

    Float32 squares are 0 below 1e-23 and infinite above 1e19, float64 ones below 1e-162 and above
    1e154, which gradients that vanish or explode do reach. Narrow numbers are squared in float64,
    and those of float64 after division by the largest.

    Args:
        values: Of any shape and any real dtype.
        dim: Along which dimension, or which.

    Example:
        >>> import torch
        >>> found = compute_norm(torch.tensor([3e-30, 4e-30]))
        >>> round(found.item() * 1e30, 6), compute_norm(torch.ones(2, 4)).shape
        (5.0, torch.Size([2]))
    """
    wide = values.detach().double()
    if values.dtype != torch.float64 or not values.numel():
        plain: Tensor = torch.linalg.vector_norm(wide, dim=dim)
        return plain
    peak = wide.abs().amax(dim, keepdim=True)
    unit = torch.where((peak > 0) & peak.isfinite(), peak, 1.0)
    scaled: Tensor = torch.linalg.vector_norm(wide / unit, dim=dim, keepdim=True)
    return (scaled * unit).squeeze(dim)


def compute_total_norm(tensors: Iterable[Tensor]) -> float:
    """The norm of all numbers of all ``tensors`` together; 0 of none.

    Example:
        >>> import torch
        >>> compute_total_norm([torch.tensor([3e25]), torch.tensor(4e25)]) / 1e25 > 4.999
        True
    """
    found = [compute_norm(tensor.flatten()).cpu() for tensor in tensors]
    return float(compute_norm(torch.stack(found))) if found else 0.0
