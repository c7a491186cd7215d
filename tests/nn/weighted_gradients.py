"""Random tensors, and the gradients of a loss in which every element counts."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def compute_gradients(outputs: Any, inputs: Any) -> tuple[Tensor, ...]:
    """Those of one loss that weighs every element of the outputs otherwise."""
    generator = torch.Generator().manual_seed(1)
    loss = sum(
        (o * torch.randn(o.shape, generator=generator, dtype=o.dtype)).sum() for o in outputs
    )
    return torch.autograd.grad(loss, inputs)
