"""Weights made smaller for a file: matrices in float16, or in int8 with a scale for each row."""

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
    """The tensors to write. Vectors, which are small, stay as they are.

    A row of an int8 matrix is its largest magnitude / 127 times whole numbers from -127 to 127,
    so that a weight moves by at most half of that step.

    Raises:
        CheckpointError: another dtype; or weights that are no numbers, or beyond float16.
    """
    if dtype not in (None, "float16", "int8"):
        raise CheckpointError(
            f"Weights are stored in float16 or int8, but {dtype!r} was asked for."
        )
    written: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        if dtype is None or tensor.dim() != 2:
            written[name] = tensor.contiguous()
        elif dtype == "float16":
            written[name] = _require_finite(tensor.half(), name, dtype).contiguous()
        else:
            matrix = _require_finite(tensor.float(), name, dtype)
            scales = matrix.abs().amax(dim=1) / 127
            steps = scales.clamp_min(torch.finfo(torch.float32).tiny)
            written[name] = (matrix / steps[:, None]).round().to(torch.int8).contiguous()
            written[_SCALES + name] = scales
    return written


def decompress_weights(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `packed` was given, in float32 where it was made smaller.

    Raises:
        CheckpointError: int8 weights without the scales of their rows.
    """
    weights = {}
    for name, tensor in tensors.items():
        if name.startswith(_SCALES):
            continue
        if tensor.dtype == torch.int8:
            scales = tensors.get(_SCALES + name)
            if scales is None or scales.shape != tensor.shape[:1]:
                raise CheckpointError(f"the scales of {name} are missing or do not fit")
            tensor = tensor.float() * scales[:, None]
        weights[name] = tensor.float() if tensor.dtype == torch.float16 else tensor
    return weights


def _require_finite(tensor: Tensor, name: str, dtype: StorageDtype) -> Tensor:
    if not tensor.isfinite().all():
        raise CheckpointError(
            f"{name} holds values that {dtype} cannot: NaN, infinite or too large; save without "
            "dtype, or train again with a lower learning rate."
        )
    return tensor
