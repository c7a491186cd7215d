"""Forecasts beyond the end of series, and how good they would have been before."""

from sluice.sequence.forecasting.evaluation import ForecastScores as ForecastScores
from sluice.sequence.forecasting.evaluation import evaluate_forecasts as evaluate_forecasts
from sluice.sequence.forecasting.forecast import Forecast as Forecast
from sluice.sequence.forecasting.forecasting import forecast_series as forecast_series
from sluice.sequence.forecasting.forecasting import select_series as select_series
from sluice.sequence.forecasting.series_forecast import SeriesForecast as SeriesForecast
