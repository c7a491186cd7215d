"""A picture of forecasts: a panel for each series and target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sluice.insight.plots.forecasts import ForecastPanel, plot_forecasts
from sluice.sequence.forecasting.forecast import MOST_PANELS, Forecast, SeriesForecast

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HISTORY, _LEAST_HISTORY = 4, 40
"""Rows of history that are shown: so many times the steps ahead, and at least so many."""
_BANDS = 2


def plot_series_forecasts(
    forecast: Forecast, interval: float | None, title: str | None, theme: str
) -> Figure:
    """As `Forecast.plot`."""
    panels = [
        _make_panel(forecast, one, place, interval)
        for one in forecast.series
        for place in range(len(forecast.targets))
    ]
    return plot_forecasts(
        panels[:MOST_PANELS], x=forecast.time_name or "row", title=title, theme=theme
    )


def _make_panel(
    forecast: Forecast, one: SeriesForecast, target: int, interval: float | None
) -> ForecastPanel:
    shown = max(_HISTORY * len(one.times), _LEAST_HISTORY)
    return ForecastPanel(
        one.name,
        forecast.targets[target],
        one.history_times[-shown:],
        one.history[-shown:, target],
        one.times,
        one.values[:, target],
        [
            (percent, one.quantiles[:, target, low], one.quantiles[:, target, high])
            for percent in _choose_intervals(forecast, interval)
            for low, high in [forecast.find_interval(percent)]
        ],
    )


def _choose_intervals(forecast: Forecast, interval: float | None) -> Sequence[float]:
    if interval is not None:
        forecast.find_interval(interval)
        return [interval]
    return forecast.intervals[:_BANDS]
