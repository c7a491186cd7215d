"""Compressed weights for files: matrices in float16, or in int8 with a scale per row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from sluice.sequence.errors import CheckpointError

StorageDtype = Literal["float16", "int8"]

_SCALES = "scales of "


def compress_weights(
    weights: Mapping[str, Tensor], dtype: StorageDtype | None
) -> dict[str, Tensor]:
    """The tensors to write. Vectors, which are small, are not compressed.

    A row of an int8 matrix is integers from -127 to 127 times a scale, the largest magnitude of
    the row / 127; so a weight is rounded by at most half of the scale.

    Raises:
        CheckpointError: another dtype; or weights that are NaN, infinite, or too large for
            float16.
    """
    if dtype not in (None, "float16", "int8"):
        raise CheckpointError(f"dtype must be float16, int8 or None, got {dtype!r}.")
    written: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        if dtype is None or tensor.dim() != 2:
            written[name] = tensor.contiguous()
        elif dtype == "float16":
            written[name] = _require_finite(tensor.half(), name, dtype).contiguous()
        else:
            matrix = _require_finite(tensor.float(), name, dtype)
            written[name], written[_SCALES + name] = scale_rows(matrix)
    return written


def scale_rows(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """A matrix as int8, and the scale of each row, ``(rows,)``, in float32.

    >>> rows, scales = scale_rows(torch.tensor([[1.0, -2.0], [0.0, 0.0]]))
    >>> rows.tolist(), (rows * scales[:, None])[0, 1].item()
    ([[64, -127], [0, 0]], -2.0)
    """
    scales = matrix.abs().amax(dim=1).float() / 127
    steps = scales.clamp_min(torch.finfo(torch.float32).tiny)
    return (matrix / steps[:, None]).round().to(torch.int8).contiguous(), scales


def decompress_weights(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of `compress_weights`; compressed matrices become float32.

    Raises:
        CheckpointError: int8 weights without scales for their rows.
    """
    weights = {}
    for name, tensor in tensors.items():
        if name.startswith(_SCALES):
            continue
        if tensor.dtype == torch.int8:
            scales = tensors.get(_SCALES + name)
            if scales is None or scales.shape != tensor.shape[:1] or tensor.dim() != 2:
                raise CheckpointError(f"the scales of {name} are missing or do not fit")
            tensor = tensor.float() * scales[:, None]
        weights[name] = tensor.float() if tensor.dtype == torch.float16 else tensor
    return weights


def _require_finite(tensor: Tensor, name: str, dtype: StorageDtype) -> Tensor:
    if not tensor.isfinite().all():
        raise CheckpointError(
            f"{name} has values that {dtype} cannot represent: NaN, infinite or too large; save "
            "without dtype, or train again with a lower learning rate."
        )
    return tensor
