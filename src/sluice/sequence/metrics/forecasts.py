"""Errors of forecasts and of their intervals, beside those of baselines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from sluice.sequence.batch import Batch, BatchSource, ModelState
from sluice.sequence.data.ragged import Array
from sluice.sequence.metrics.linear_forecast import LinearForecast
from sluice.sequence.metrics.metrics import MODEL, Metrics
from sluice.sequence.metrics.naive_forecasts import (
    NaiveForecast,
    compute_mean_change,
    measure_mean_change,
)
from sluice.sequence.models.forecaster import Forecaster
from sluice.sequence.models.linear_part import choose_lags
from sluice.sequence.models.quantiles import compute_crps, list_intervals

_MOST_RESIDUALS = 20_000
"""Steps of the training data from which the intervals of a baseline are taken."""
_MOST_ROWS = 12
"""Rows of a table by step ahead; a longer horizon is shown in ranges."""


class Baseline(Protocol):
    """What forecasts from a batch alone."""

    @property
    def name(self) -> str: ...

    @property
    def history(self) -> int: ...

    def predict(self, batch: Batch) -> Tensor: ...


def measure_residuals(
    baseline: Baseline, training: BatchSource, quantiles: Sequence[float]
) -> Tensor:
    """Quantiles of a baseline's errors on training data: (horizon × targets, quantiles).

    In windows, only steps with as much before them as the baseline reads.
    """
    levels = torch.tensor(quantiles, dtype=torch.float64)
    parts, every = list[Tensor](), 1
    for batch in training.batches(0):
        errors = batch.targets.double() - baseline.predict(batch)
        first = 0 if training.stateful else min(baseline.history, len(errors) - 1)
        errors = errors[first:].flatten(0, 1)
        parts.append(errors[::every])
        if sum(map(len, parts)) > _MOST_RESIDUALS:
            parts, every = [torch.cat(parts)[::2]], 2 * every
    return torch.nanquantile(torch.cat(parts), levels, dim=0).T


class _Sums:
    """The sums of one method over a source, for each output: (horizon × targets,)."""

    def __init__(self, quantiles: Sequence[float], scale: Tensor) -> None:
        self.quantiles, self.scale = quantiles, scale
        self.known = torch.zeros(len(scale), dtype=torch.float64)
        self.sums: dict[str, Tensor] = {}

    def update(self, points: Tensor, truth: Tensor, quantiles: Tensor | None) -> None:
        """Add rows: points and truth (rows, outputs), quantiles (rows, outputs, quantiles)."""
        known = ~truth.isnan()
        error = (points - truth).masked_fill(~known, 0).abs()
        found = {"MAE": error, "squares": error.square(), "MASE": error / self.scale}
        if quantiles is not None:
            found["CRPS"] = compute_crps(quantiles, truth, self.quantiles)
            for percent, low, high in list_intervals(self.quantiles):
                lower, upper = quantiles[..., low], quantiles[..., high]
                found[f"in {percent:g} %"] = (lower <= truth) & (truth <= upper) & known
                found[f"width of {percent:g} %"] = (upper - lower).masked_fill(~known, 0)
        self.known += known.sum(dim=0)
        for name, values in found.items():
            self.sums[name] = self.sums.get(name, 0) + values.double().sum(dim=0)

    def compute(self, outputs: slice = slice(None)) -> dict[str, float]:
        """The metrics over some outputs; those that have no value are left out."""
        count = float(self.known[outputs].sum())
        means = {name: float(sums[outputs].sum()) / count for name, sums in self.sums.items()}
        figures = {"MAE": means.pop("MAE"), "RMSE": math.sqrt(means.pop("squares")), **means}
        return {name: value for name, value in figures.items() if math.isfinite(value)}


class ForecastMetrics:
    """The errors of a `Forecaster`, of the last value, the last season and a linear model.

    The intervals of baselines are quantiles of their errors on the training data, so that their
    CRPS is comparable.
    """

    def __init__(
        self,
        model: Forecaster,
        source: BatchSource,
        period: int | None,
        training: BatchSource | None,
        before: Sequence[Array] | None = None,
    ) -> None:
        config = model.config
        self.model = model
        if before is None:
            scale = compute_mean_change(training or source, config.targets, period or 1)
        else:
            scale = measure_mean_change(before, period or 1)
        self.items = 0
        baselines: list[Baseline] = [NaiveForecast(model, source.stateful)]
        if period is not None:
            baselines.append(NaiveForecast(model, source.stateful, period))
        linear = None if source.stateful else _find_linear(model, training, period)
        if linear is not None:
            baselines.append(linear)
        self.residuals: dict[str, Tensor] = {}
        if training is not None and config.quantiles:
            self.residuals = {
                one.name: measure_residuals(_restart(one, training), training, config.quantiles)
                for one in baselines
                if isinstance(one, NaiveForecast)
            }
        if linear is not None and config.quantiles:
            self.residuals[linear.name] = linear.error_quantiles
        self.baselines = baselines
        names = (MODEL, *(one.name for one in baselines))
        scales = scale.repeat(config.horizon)
        self.sums = {name: _Sums(config.quantiles, scales) for name in names}

    def update(self, batch: Batch, state: ModelState) -> ModelState:
        """Add a batch; takes and returns a state as a model's `loss` does."""
        inputs = (batch.inputs, state, batch.lengths, batch.resets)
        quantiles: Tensor | None = None
        if self.model.config.quantiles:
            quantiles, state = self.model.predict_quantiles(*inputs)
            points = quantiles[..., quantiles.shape[-1] // 2]
        else:
            points, state = self.model(*inputs)
        self.items += int((~batch.targets.isnan()).sum())
        self._add(MODEL, batch, points, quantiles)
        for baseline in self.baselines:
            points = baseline.predict(batch)
            ends = self.residuals.get(baseline.name)
            with_ends = None if ends is None else points[..., None] + ends.to(points.device)
            self._add(baseline.name, batch, points, with_ends)
        return state

    def _add(self, name: str, batch: Batch, points: Tensor, quantiles: Tensor | None) -> None:
        truth = batch.targets.double().flatten(0, 1).cpu()
        ends = None if quantiles is None else quantiles.double().flatten(0, 1).cpu()
        self.sums[name].update(points.double().flatten(0, 1).cpu(), truth, ends)

    def compute(self) -> Metrics:
        """MAE, RMSE, MASE and, with quantiles, CRPS and coverage, of each method; without a scale
        there is no MASE. By step ahead also the width of intervals."""
        by_method = {
            who: {name: value for name, value in sums.compute().items() if "width" not in name}
            for who, sums in self.sums.items()
        }
        return Metrics(self.items, by_method, by_step=self._compute_steps())

    def _compute_steps(self) -> dict[str, dict[str, float]]:
        """The model's metrics by step ahead, or by a range of steps."""
        config = self.model.config
        if config.horizon == 1:
            return {}
        size, width = -(-config.horizon // _MOST_ROWS), len(config.targets)
        found = {}
        for first in range(0, config.horizon, size):
            stop = min(first + size, config.horizon)
            outputs = slice(first * width, stop * width)
            if float(self.sums[MODEL].known[outputs].sum()):
                name = f"{first + 1}" if stop == first + 1 else f"{first + 1} to {stop}"
                found[name] = self.sums[MODEL].compute(outputs)
        return found


def _find_linear(
    model: Forecaster, training: BatchSource | None, period: int | None
) -> LinearForecast | None:
    """The model's own linear part; without one, a fit to the training data."""
    if model.linear is not None:
        return LinearForecast(model)
    if training is None:
        return None
    sizes = [batch.inputs.shape[:2] for batch in training.batches(0)]
    window, steps = max(size[0] for size in sizes), sum(size.numel() for size in sizes)
    config = model.config
    lags = choose_lags(window, steps, config.features, config.horizon, period)
    return LinearForecast.fit(model, training, lags)


def _restart(baseline: NaiveForecast, training: BatchSource) -> Baseline:
    """A naive forecast that has read nothing yet, for another source."""
    return NaiveForecast(baseline.model, training.stateful, baseline.period)
