"""A linear model of the last values, fitted in closed form: the sober rival of a forecaster."""

from __future__ import annotations

import torch
from torch import Tensor

from sluice.sequence.batch import Batch, BatchSource
from sluice.sequence.metrics.value_history import ValueHistory, mask_valid_steps
from sluice.sequence.models.filling import forward_fill
from sluice.sequence.models.forecaster import Forecaster

_MOST_COLUMNS = 512
_RIDGE = 1e-3
"""The penalty, as a share of the mean square of each column."""


class LinearForecast:
    """Ridge regression of each change ahead (Hoerl & Kennard 1970).

    It reads the last value, the differences of the `lags` - 1 values before from it, and the values
    known ahead. What is before the start of a sequence counts as no difference.

    Args:
        model: whose features, targets, horizon and scale it has.
        training: the batches to fit it to.
        period: the length of a season in steps; `lags` reaches back over two of them.

    Attributes:
        name: what the method is called in tables.
        lags: how many values of each feature it reads.
        history: how many of them are before the last one.
        weights: (columns, horizon × targets), float64, in deviations.
    """

    def __init__(self, model: Forecaster, training: BatchSource, period: int | None = None) -> None:
        config = model.config
        self.model = model
        window = max((len(batch.inputs) for batch in training.batches(0)), default=1)
        wanted = max(2 * (period or 0), config.horizon, 16)
        self.lags = max(1, min(wanted, _MOST_COLUMNS // config.features, window * 3 // 4))
        self.history = self.lags - 1
        self.name = f"linear model ({self.lags} steps)"
        self._history = ValueHistory(self.lags - 1, stateful=training.stateful)
        self.weights = self._fit(training)
        self._history = ValueHistory(self.lags - 1, stateful=False)

    def predict(self, batch: Batch) -> Tensor:
        """(time, batch, horizon × targets), float64."""
        columns, _, last = self._make_columns(batch)
        config = self.model.config
        places = list(config.output_columns)
        change = columns @ self.weights * self.model.deviation[places]
        return last[..., list(config.targets)].repeat(1, 1, config.horizon) + change

    def _make_columns(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """(time, batch, columns) in deviations, the ages of steps, and the last values."""
        config, model = self.model.config, self.model
        places = list(config.input_columns)
        normal = (batch.inputs.double() - model.mean[places]) / model.deviation[places]
        filled, _ = forward_fill(normal, None, batch.lengths, batch.resets)
        now, ahead = filled[..., : config.features], filled[..., config.features :]
        whole, ages = self._history.read(batch, now)
        columns = [torch.ones_like(now[..., :1]), now, ahead]
        for lag in range(1, self.lags):
            then = whole[self.lags - 1 - lag :][: len(now)]
            columns.append(torch.where((ages >= lag)[..., None], then - now, 0).nan_to_num())
        last = now * model.deviation + model.mean
        return torch.cat(columns, dim=-1), ages, last

    def _fit(self, training: BatchSource) -> Tensor:
        """Normal equations of each output over the steps whose target is known."""
        config = self.model.config
        places = list(config.output_columns)
        outputs = len(places)
        grams: Tensor | None = None
        for batch in training.batches(0):
            columns, ages, last = self._make_columns(batch)
            change = batch.targets.double() - last[..., list(config.targets)].repeat(
                1, 1, config.horizon
            )
            change = change / self.model.deviation[places]
            used = mask_valid_steps(batch) & (ages >= self.lags - 1)
            rows, wanted = columns[used], change[used]
            known = (~wanted.isnan()).double()
            wanted = wanted.nan_to_num()
            if grams is None:
                width = rows.shape[1]
                grams = rows.new_zeros(outputs, width, width)
                moments = rows.new_zeros(width, outputs)
                counts = rows.new_zeros(outputs)
            whole = rows.T @ rows
            for k in range(outputs):
                full = bool(known[:, k].all())
                grams[k] += whole if full else rows.T @ (rows * known[:, k : k + 1])
            moments += rows.T @ wanted
            counts += known.sum(dim=0)
        assert grams is not None
        scale = grams.diagonal(dim1=1, dim2=2)
        penalty = _RIDGE * torch.where(scale > 0, scale, 1.0)
        penalty[:, 0] = 1e-9 * counts.clamp_min(1)  # the intercept is free
        systems = grams + torch.diag_embed(penalty)
        weights: Tensor = torch.linalg.solve(systems, moments.T[..., None])[..., 0].T
        return weights
