"""What a recurrent layer is built from: torch's arguments, and those beyond torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch.types import Device

from sluice.equations.specs import Sizes


@dataclass(frozen=True)
class LayerOptions:
    """The arguments of a layer's constructor, torch's first and in torch's order.

    `sluice.nn.Recurrent` says what each means.

    Example:
        >>> LayerOptions(3, [8, 4], bidirectional=True).layer_sizes[1].input
        16
    """

    input_size: int
    hidden_size: int | Sequence[int]
    num_layers: int = 1
    bias: bool = True
    batch_first: bool = False
    dropout: float = 0.0
    bidirectional: bool = False
    proj_size: int = 0
    device: Device = None
    dtype: torch.dtype | None = None
    learn_initial_state: bool = False
    forget_bias: float | None = None
    chrono: float | None = None
    output_size: int | None = None
    output_activation: str | None = None
    recompute: int | None = None

    @cached_property
    def hidden_sizes(self) -> tuple[int, ...]:
        """The hidden size of each layer.

        Raises ValueError where ``hidden_size`` and ``num_layers`` disagree.
        """
        if not isinstance(self.hidden_size, Sequence):
            if self.num_layers <= 0:
                raise ValueError("num_layers must be greater than zero")
            return (self.hidden_size,) * self.num_layers
        if self.num_layers not in (1, len(self.hidden_size)) or not self.hidden_size:
            raise ValueError(
                f"hidden_size names {len(self.hidden_size)} layers but num_layers is "
                f"{self.num_layers}; leave num_layers out"
            )
        return tuple(self.hidden_size)

    @property
    def directions(self) -> int:
        """1, or 2 for a bidirectional layer."""
        return 2 if self.bidirectional else 1

    @property
    def layer_sizes(self) -> tuple[Sizes, ...]:
        """The sizes of each layer: a layer's input is the output of the one before."""
        width, found = self.input_size, []
        for hidden in self.hidden_sizes:
            found.append(Sizes(width, hidden, self.proj_size))
            width = self.directions * (self.proj_size or hidden)
        return tuple(found)

    @property
    def torch_arguments(self) -> tuple[int, int, int, bool, bool, float, bool, int]:
        """The arguments of `torch.nn.RNNBase` after the mode; the smallest layer stands for all."""
        return (
            self.input_size,
            min(self.hidden_sizes),
            len(self.hidden_sizes),
            self.bias,
            self.batch_first,
            self.dropout,
            self.bidirectional,
            self.proj_size,
        )
