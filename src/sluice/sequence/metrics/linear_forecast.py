"""A linear model of the last values, fitted in closed form: the sober rival of a forecaster."""

from __future__ import annotations

from torch import Tensor

from sluice.sequence.batch import Batch, BatchSource
from sluice.sequence.models.filling import forward_fill
from sluice.sequence.models.forecaster import Forecaster
from sluice.sequence.models.linear_part import LinearPart


class LinearForecast:
    """The `LinearPart` of a forecaster as a forecast of its own.

    Args:
        model: the forecaster, whose own linear part it is, if it has one.
        part: fitted for a model without a linear part of its own.

    Attributes:
        name: what the method is called in tables.
        history: how many values it reads before the last one.
        error_quantiles: of its errors in training, (horizon × targets, levels), in the units of the
            values.

    Raises:
        ValueError: neither of the two has a linear part.
    """

    def __init__(self, model: Forecaster, part: LinearPart | None = None) -> None:
        part = part or model.linear
        if part is None:
            raise ValueError("A model without a linear part needs one that is fitted for it.")
        self.model, self.part = model, part
        self.history = part.lags - 1
        self.name = f"linear ({part.lags} steps)"
        self._deviation = model.deviation[list(model.config.output_columns)]
        self.error_quantiles = part.error_quantiles.flatten(0, 1) * self._deviation[:, None]

    @classmethod
    def fit(cls, model: Forecaster, training: BatchSource, lags: int) -> LinearForecast:
        """With a part of so many lags that is fitted to a training's batches."""
        part = LinearPart(model.config, lags)
        part.fit(training, model.mean, model.deviation)
        return cls(model, part)

    def predict(self, batch: Batch) -> Tensor:
        """(time, batch, horizon × targets), float64."""
        config, model = self.model.config, self.model
        columns = list(config.input_columns)
        normal = (batch.inputs.double() - model.mean[columns]) / model.deviation[columns]
        filled, _ = forward_fill(normal, None, batch.lengths, batch.resets)
        rows = self.part.describe(filled, None, batch.lengths, batch.resets)
        last = (filled[..., : config.features] * model.deviation + model.mean)[
            ..., list(config.output_columns)
        ]
        changes: Tensor = self.part(rows)
        return last + changes * self._deviation
