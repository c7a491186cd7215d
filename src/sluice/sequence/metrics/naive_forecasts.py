"""Forecasts by the last value and by the last season, and their own error on training data."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from sluice.sequence.batch import Batch, BatchSource
from sluice.sequence.data.ragged import Array
from sluice.sequence.metrics.value_history import ValueHistory, mask_valid_steps
from sluice.sequence.models.filling import forward_fill
from sluice.sequence.models.forecaster import Forecaster


def compute_mean_change(source: BatchSource, targets: Sequence[int], lag: int) -> Tensor:
    """The mean absolute change over `lag` steps of each target, (targets,), float64.

    NaN for a feature without two values at that distance.
    """
    total = count = torch.zeros(len(targets), dtype=torch.float64)
    history = ValueHistory(lag, source.stateful)
    for batch in source.batches(0):
        values = batch.inputs[..., list(targets)].double()
        whole, ages = history.read(batch, values)
        change = (values - whole[: len(values)]).abs()
        counts = (ages >= lag) & mask_valid_steps(batch)
        known = counts[..., None] & ~change.isnan()
        total = total + change.masked_fill(~known, 0).sum(dim=(0, 1))
        count = count + known.sum(dim=(0, 1))
    return total / count


def measure_mean_change(series: Sequence[Array], lag: int) -> Tensor:
    """As `compute_mean_change`, of the rows of several series, (rows, targets) each."""
    changes = [torch.from_numpy(one[lag:] - one[:-lag]).abs() for one in series]
    return torch.cat(changes).nanmean(dim=0)


class NaiveForecast:
    """The last known value, or with `period` the value some seasons before.

    Where that is before the start of the sequence, it is the last value.

    Attributes:
        name: what the method is called in tables.
        history: steps that it reads before the last one.
    """

    def __init__(self, model: Forecaster, stateful: bool, period: int | None = None) -> None:
        self.model, self.stateful, self.period = model, stateful, period
        self.name = f"last season ({period} steps)" if period else "last value"
        self.history = period or 0
        self._history = ValueHistory(period or 0, stateful)
        self._last: Tensor | None = None

    def predict(self, batch: Batch) -> Tensor:
        """(time, batch, horizon × targets), float64; batches in the order of their source."""
        config, mean = self.model.config, self.model.mean
        values = batch.inputs[..., : config.features].double() - mean
        before = self._last if self.stateful else None
        filled, self._last = forward_fill(values, before, batch.lengths, batch.resets)
        last = (filled + mean)[..., list(config.targets)]
        if self.period is None:
            return last.repeat(1, 1, config.horizon)
        return self._repeat_season(batch, last, self.period)

    def _repeat_season(self, batch: Batch, last: Tensor, period: int) -> Tensor:
        whole, ages = self._history.read(batch, last)
        columns = []
        for ahead in range(1, self.model.config.horizon + 1):
            back = period * math.ceil(ahead / period) - ahead
            then = whole[period - back : period - back + len(last)]
            columns.append(torch.where((ages >= back)[..., None], then, last))
        return torch.cat(columns, dim=-1)
