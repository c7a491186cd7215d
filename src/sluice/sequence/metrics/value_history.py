"""The values before each step of a source's batches."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sluice.sequence.batch import Batch


class ValueHistory:
    """The values of a source's batches with the `steps` values before them."""

    def __init__(self, steps: int, stateful: bool) -> None:
        self.steps, self.stateful = steps, stateful
        self._before: Tensor | None = None
        self._age: Tensor | None = None

    def read(self, batch: Batch, values: Tensor) -> tuple[Tensor, Tensor]:
        """Values with those before them, (steps + time, batch, features), and ages.

        Ages (time, batch) count the steps of the same sequence before each step; `values` (time,
        batch, features) are the batch's inputs, or computed from them.
        """
        if self._before is None or not self.stateful:
            self._before = values.new_full((self.steps, *values.shape[1:]), math.nan)
            self._age = torch.zeros(values.shape[1], dtype=torch.int64, device=values.device)
        assert self._age is not None
        times = torch.arange(len(values), device=values.device)[:, None]
        ages = self._age + times
        if batch.resets is not None:
            starts = torch.where(batch.resets, times, -1).cummax(dim=0).values
            ages = torch.where(starts >= 0, times - starts, ages)
        whole = torch.cat((self._before, values))
        self._before, self._age = whole[len(values) :], ages[-1] + 1
        return whole, ages


def mask_valid_steps(batch: Batch) -> Tensor:
    """Which steps are not padding, (time, batch)."""
    steps, size = batch.inputs.shape[:2]
    if batch.lengths is None:
        return torch.ones(steps, size, dtype=torch.bool)
    return torch.arange(steps)[:, None] < batch.lengths
