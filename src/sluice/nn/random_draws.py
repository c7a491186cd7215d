"""Random numbers of layers, from torch's generator, in programs that fork."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from sluice.locks import ForkSafeLock

# A fork waits until a draw has ended: the generator's own lock would stay taken in the child.
_drawing = ForkSafeLock()


def apply_dropout(y: Tensor, rate: float) -> Tensor:
    """Dropout as torch draws it while training."""
    if torch.compiler.is_compiling():
        return F.dropout(y, rate, training=True)
    with _drawing.hold():
        return F.dropout(y, rate, training=True)


def draw_uniform(shape: Sequence[int], like: Tensor) -> Tensor:
    """Numbers between 0 and 1 on the device of ``like``, in torch's default dtype."""
    if torch.compiler.is_compiling():
        return torch.rand(shape, device=like.device)
    with _drawing.hold():
        return torch.rand(shape, device=like.device)


def draw_normal(shape: Sequence[int], like: Tensor) -> Tensor:
    """Normal numbers of the dtype and device of ``like``."""
    if torch.compiler.is_compiling():
        return torch.randn(shape, dtype=like.dtype, device=like.device)
    with _drawing.hold():
        return torch.randn(shape, dtype=like.dtype, device=like.device)
