"""The forecast of one series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sluice.insight.plots.forecasts import ForecastPanel
from sluice.sequence.data.ragged import Array

_HISTORY, _LEAST_HISTORY = 4, 40
"""Rows of history in a picture: so many times the steps ahead, and at least so many."""


@dataclass(frozen=True, eq=False)
class SeriesForecast:
    """The forecast of one series.

    Attributes:
        name: its id or file.
        times: (steps,), datetime64 or numbers; without a column of times the numbers of the rows,
            counted from 1.
        values: the point forecast, (steps, targets), float64, in the data's units.
        quantiles: (steps, targets, levels), float64; no levels for a model without intervals.
        history: the targets before the forecast, (rows, targets), float64; NaN for missing ones.
        history_times: (rows,).
    """

    name: str
    times: Array
    values: Array
    quantiles: Array
    history: Array
    history_times: Array

    def make_panel(
        self, place: int, target: str, bands: Sequence[tuple[float, int, int]]
    ) -> ForecastPanel:
        """What a picture shows of a target.

        Args:
            place: its number.
            target: its name.
            bands: the percentage of each interval, and the numbers of its two levels.
        """
        shown = max(_HISTORY * len(self.times), _LEAST_HISTORY)
        quantiles = self.quantiles[:, place]
        return ForecastPanel(
            self.name,
            target,
            self.history_times[-shown:],
            self.history[-shown:, place],
            self.times,
            self.values[:, place],
            [(percent, quantiles[:, low], quantiles[:, high]) for percent, low, high in bands],
        )
