"""The output y of a recurrent layer: a non-linearity of the hidden state, with or without a map."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.types import Device

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda a: a,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "softmax": lambda a: torch.softmax(a, dim=-1),
}


class Readout(nn.Module):
    """y_t = activation(W_y h_t + b_y), or activation(h_t) without a size (Elman 1990).

    Args:
        features: The size of h, both directions together.
        size: The size of y; None leaves the map out, and y is as wide as h.
        activation: ``identity``, ``sigmoid``, ``tanh``, ``relu`` or ``softmax``.
        bias: Whether there is a b_y.
        device: Where its parameters are made.
        dtype: Their dtype.

    Raises ValueError for an unknown activation or a size below 1.

    Example:
        >>> import sluice
        >>> layer = sluice.nn.RNN(3, 8, output_size=2, output_activation="sigmoid")
        >>> layer(torch.zeros(5, 1, 3))[0].shape
        torch.Size([5, 1, 2])
    """

    def __init__(
        self,
        features: int,
        size: int | None,
        activation: str,
        bias: bool = True,
        device: Device = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if activation not in _ACTIVATIONS:
            raise ValueError(
                f"output_activation must be one of {', '.join(_ACTIVATIONS)}, got {activation!r}"
            )
        if size is not None and size < 1:
            raise ValueError(f"output_size must be at least 1, got {size}")
        self.activation = activation
        self.map = (
            nn.Identity()
            if size is None
            else nn.Linear(features, size, bias=bias, device=device, dtype=dtype)
        )

    def forward(self, h: Tensor) -> Tensor:
        """From (..., features) to (..., size)."""
        return _ACTIVATIONS[self.activation](self.map(h))
