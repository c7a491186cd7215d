"""What a forecaster's readout gives, and how it becomes forecasts."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from sluice.sequence.batch import ModelState
from sluice.sequence.models.forecaster_config import ForecasterConfig
from sluice.sequence.models.quantiles import compute_crps, order_quantiles

ForecasterState = tuple[ModelState, Tensor] | tuple[ModelState, Tensor, Tensor]
"""The layers' state, the last known value of each column (batch, columns), normalised, and, with
a linear part, the values before (lags - 1, batch, features)."""


class ForecastOutputs(NamedTuple):
    """A readout's outputs (..., quantiles or 1), and the unit of each: origin + scale × output.

    `complete` says at which steps the linear part has all that it reads; None without one.
    """

    outputs: Tensor
    origin: Tensor
    scale: Tensor
    complete: Tensor | None
    state: ForecasterState

    def to_units(self, outputs: Tensor, like: Tensor) -> Tensor:
        """(..., quantiles) in the units and dtype of the values."""
        return (self.origin[..., None] + outputs.double() * self.scale[:, None]).to(like.dtype)

    def normalise(self, truth: Tensor) -> Tensor:
        """Targets as the outputs give them; differences are taken in float64."""
        return ((truth.double() - self.origin) / self.scale).to(self.outputs.dtype)


def measure_outputs(outputs: Tensor, truth: Tensor, config: ForecasterConfig) -> Tensor:
    """The loss of a readout's outputs (..., quantiles or 1), of the shape of `truth`: the error,
    or, with quantiles, the CRPS."""
    if config.quantiles:
        return compute_crps(order_quantiles(outputs), truth, config.quantiles)
    error = outputs[..., 0] - truth
    return error.square() if config.error == "squared" else error.abs()
