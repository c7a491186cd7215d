"""Errors of forecasts, beside those of naive baselines."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from sluice.sequence.batch import Batch, BatchSource, ModelState
from sluice.sequence.metrics.metrics import MODEL, Metrics
from sluice.sequence.models.filling import forward_fill
from sluice.sequence.models.forecaster import Forecaster


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
        counts = (ages >= lag) & _mask_valid_steps(batch)
        known = counts[..., None] & ~change.isnan()
        total = total + change.masked_fill(~known, 0).sum(dim=(0, 1))
        count = count + known.sum(dim=(0, 1))
    return total / count


class ForecastMetrics:
    """The errors of a `Forecaster`, of the last value, and of the last season."""

    def __init__(
        self, model: Forecaster, stateful: bool, period: int | None, scale: Tensor
    ) -> None:
        self.model, self.stateful, self.period = model, stateful, period
        self.scale = scale.repeat(model.config.horizon)
        self.items = 0
        self._history = ValueHistory(period or 0, stateful)
        self._last: Tensor | None = None
        self._sums: dict[str, Tensor] = {}

    def update(self, batch: Batch, state: ModelState) -> ModelState:
        """Add a batch; takes and returns a state as a model's `loss` does."""
        forecasts, state = self.model(batch.inputs, state, batch.lengths, batch.resets)
        known = ~batch.targets.isnan()
        self.items += int(known.sum())
        for who, values in {MODEL: forecasts, **self._forecast_naive(batch)}.items():
            self._count(who, values, batch.targets, known)
        return state

    def _forecast_naive(self, batch: Batch) -> dict[str, Tensor]:
        """Forecasts by the last value and the last season, (time, batch, horizon × targets)."""
        mean, targets = self.model.mean, list(self.model.config.targets)
        before = self._last if self.stateful else None
        filled, self._last = forward_fill(batch.inputs - mean, before, batch.lengths, batch.resets)
        last = (filled + mean)[..., targets]
        found = {"last value": last.repeat(1, 1, self.model.config.horizon)}
        if self.period is not None:
            found[f"last season ({self.period} steps)"] = self._forecast_seasonal(
                batch, last, self.period
            )
        return found

    def _forecast_seasonal(self, batch: Batch, last: Tensor, period: int) -> Tensor:
        """The value some seasons before; the last value if that is before the start."""
        whole, ages = self._history.read(batch, last)
        columns = []
        for ahead in range(1, self.model.config.horizon + 1):
            back = period * math.ceil(ahead / period) - ahead
            then = whole[period - back : period - back + len(last)]
            columns.append(torch.where((ages >= back)[..., None], then, last))
        return torch.cat(columns, dim=-1)

    def _count(self, who: str, forecasts: Tensor, truth: Tensor, known: Tensor) -> None:
        error = (forecasts.double() - truth.double()).masked_fill(~known, 0).abs().cpu()
        sums = torch.stack((error.sum(), error.square().sum(), (error / self.scale).sum()))
        self._sums[who] = self._sums.get(who, torch.zeros(3, dtype=torch.float64)) + sums

    def compute(self) -> Metrics:
        """MAE, RMSE and MASE of each method; without a scale there is no MASE."""
        of = {}
        for who, sums in self._sums.items():
            absolute, squared, scaled = (sums / self.items).tolist()
            of[who] = {"MAE": absolute, "RMSE": math.sqrt(squared)}
            if math.isfinite(scaled):
                of[who]["MASE"] = scaled
        return Metrics(self.items, of)


def _mask_valid_steps(batch: Batch) -> Tensor:
    """Which steps are not padding, (time, batch)."""
    steps, size = batch.inputs.shape[:2]
    if batch.lengths is None:
        return torch.ones(steps, size, dtype=torch.bool)
    return torch.arange(steps)[:, None] < batch.lengths
