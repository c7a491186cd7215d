"""A moving average of the weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypedDict

import torch
from torch import Tensor, nn

from sluice.run.torch_state import copy_tensors_, lerp_tensors_


class AverageState(TypedDict):
    """What a checkpoint holds of an average."""

    count: int
    values: list[Tensor]


class ExponentialMovingAverage:
    """An exponential moving average of a model's parameters, with bias correction.

    With decay d the n-th average is (1 - d) Σ d^(n-k) w_k / (1 - d^n), as Adam corrects its
    moments (Kingma & Ba 2015); each update is one interpolation towards the newest weights.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.count = decay, 0
        self.parameters = list(model.parameters())
        self.values = [torch.zeros_like(parameter) for parameter in self.parameters]

    @torch.no_grad()
    def update(self) -> None:
        """Add the current weights to the average."""
        self.count += 1
        weight = (1 - self.decay) / (1 - self.decay**self.count)
        lerp_tensors_(self.values, [p.detach() for p in self.parameters], weight)

    @contextmanager
    def apply_average(self) -> Iterator[None]:
        """The model holds the average inside the ``with`` block, and its own weights after it."""
        weights = [parameter.detach().clone() for parameter in self.parameters]
        self._copy_in(self.values)
        try:
            yield
        finally:
            self._copy_in(weights)

    @torch.no_grad()
    def _copy_in(self, values: list[Tensor]) -> None:
        copy_tensors_([p.detach() for p in self.parameters], values)

    def export_state(self) -> AverageState:
        """The average, for a checkpoint."""
        return {"count": self.count, "values": self.values}

    def restore_state(self, state: AverageState) -> None:
        """Restore what `export_state` returned."""
        self.count = state["count"]
        for value, saved in zip(self.values, state["values"], strict=True):
            value.copy_(saved)
