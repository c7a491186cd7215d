"""Forecasts to compare with: the last value, the last season, and a linear model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from sluice.sequence.batch import Batch
from sluice.sequence.batching.streams import WindowBatches
from sluice.sequence.data.ragged import Array, Indices, RaggedArray
from sluice.sequence.data.targets import NextValues
from sluice.sequence.forecasting.origins import Origins
from sluice.sequence.forecasting.prediction import Prediction, pad_histories
from sluice.sequence.metrics.linear_forecast import LinearForecast
from sluice.sequence.models import Forecaster
from sluice.sequence.models.linear_part import choose_lags
from sluice.sequence.models.look_ahead import append_known_ahead

_MOST_ROWS = 20_000
"""Rows that errors are taken from, at most."""
_BATCH = 256


class _Windows(NamedTuple):
    """Rows of several series to forecast from.

    `places` and `rows` are (windows,), `last` the values before them and `change` the usual change
    of their series, (windows, 1, targets), and `truth` what came, (windows, horizon, targets).
    """

    places: Indices
    rows: Indices
    last: Array
    change: Array
    truth: Array

    def list_rows(self) -> list[tuple[int, int]]:
        return list(zip(self.places.tolist(), self.rows.tolist(), strict=True))

    def hold_last(self) -> Array:
        return np.repeat(self.last, self.truth.shape[1], axis=1)


def forecast_baselines(
    model: Forecaster, origins: Origins, window: int, period: int | None
) -> dict[str, Prediction]:
    """What simple methods forecast at each origin; their quantiles are those of their errors.

    - *last value*: the last known value.
    - *last season*, with a period: the value a whole number of seasons before.
    - *linear*: the model's own linear part, as its training fitted it; for a model without one, a
      `LinearPart` that is fitted to the rows before the first origin of each series.

    Errors of the first two are taken on the rows before the first origin of each series, of all
    series together in units of each one's mean absolute change.

    Args:
        model: the forecaster, whose targets, levels and columns known ahead are used.
        origins: from where to forecast.
        window: rows that the model reads.
        period: the length of a season in steps.
    """
    config, targets = model.config, list(model.config.targets)
    columns = [_fill(one[:, targets]) for one in origins.values]
    past = _cut_windows(origins, columns, *_choose_training(origins), targets)
    now = _cut_windows(origins, columns, origins.places, origins.rows, targets)
    found = {"last value": (past.hold_last(), now.hold_last())}
    if period is not None:
        fitted, later = (_repeat_season(columns, one, period) for one in (past, now))
        found[f"last season ({period} steps)"] = (fitted, later)
    predictions = {
        name: _add_quantiles(fitted, later, past, now, config.quantiles)
        for name, (fitted, later) in found.items()
    }
    linear = _find_linear(model, origins, window, period)
    predictions[linear.name] = _forecast_linear(linear, origins, window, config.quantiles)
    return predictions


def measure_change(values: Array, lag: int) -> Array:
    """The mean absolute change over `lag` steps of each column, (columns,); NaN without any.

    >>> measure_change(np.array([[1.0], [4.0], [2.0]]), 1)
    array([2.5])
    """
    change = np.abs(values[lag:] - values[:-lag])
    counts = (~np.isnan(change)).sum(axis=0)
    total = np.nansum(change, axis=0)
    return np.where(counts > 0, total / np.maximum(counts, 1), np.nan)


def _fill(values: Array) -> Array:
    """Missing values replaced by the last one before, or by the first one known."""
    missing = np.isnan(values)
    steps = np.where(missing, 0, np.arange(len(values))[:, None])
    filled = np.take_along_axis(values, np.maximum.accumulate(steps, axis=0), axis=0)
    first = np.take_along_axis(values, (~missing).argmax(axis=0)[None], axis=0)
    return np.nan_to_num(np.where(np.isnan(filled), first, filled))


def _choose_training(origins: Origins) -> tuple[Indices, Indices]:
    """Rows of each series from which all steps ahead end before its first real origin's."""
    ends = np.maximum(origins.first - origins.horizon + 1, 1)
    places = np.repeat(np.arange(len(ends)), ends - 1)
    rows = np.concatenate([np.arange(1, end) for end in ends.tolist()])
    stride = max(1, -(-len(rows) // _MOST_ROWS))
    return places[::stride], rows[::stride]


def _cut_windows(
    origins: Origins,
    columns: Sequence[Array],
    places: Indices,
    rows: Indices,
    targets: Sequence[int],
) -> _Windows:
    usual = np.stack([
        measure_change(one[:end, list(targets)], 1)
        for one, end in zip(origins.values, origins.first.tolist(), strict=True)
    ])  # fmt: skip
    usual[~(usual > 0)] = 1
    pairs = list(zip(places.tolist(), rows.tolist(), strict=True))
    last = np.empty((len(pairs), 1, len(targets)))
    truth = np.empty((len(pairs), origins.horizon, len(targets)))
    for number, (place, row) in enumerate(pairs):
        last[number, 0] = columns[place][row - 1]
        truth[number] = origins.values[place][row : row + origins.horizon, list(targets)]
    return _Windows(places, rows, last, usual[places][:, None], truth)


def _repeat_season(targets: Sequence[Array], windows: _Windows, period: int) -> Array:
    """The value some seasons before; the last value if that is before the start."""
    forecasts = windows.hold_last()
    steps = np.arange(forecasts.shape[1])
    for number, (place, row) in enumerate(windows.list_rows()):
        back = row - period + steps % period
        forecasts[number, back >= 0] = targets[place][back[back >= 0]]
    return forecasts


def _find_linear(
    model: Forecaster, origins: Origins, window: int, period: int | None
) -> LinearForecast:
    """The model's own linear part; without one, a fit to the rows before the first origins."""
    if model.linear is not None:
        return LinearForecast(model)
    config = model.config
    pairs = zip(origins.values, origins.first.tolist(), strict=True)
    known = RaggedArray.of([one[:end] for one, end in pairs], np.float64)
    targets = replace(known, flat=known.flat[:, list(config.targets)])
    steps = NextValues(known, targets, config.horizon, config.known)
    longest = min(window, max(1, int(steps.lengths.max())))
    lags = choose_lags(longest, int(known.lengths.sum()), config.features, config.horizon, period)
    source = WindowBatches(steps, longest, _BATCH, 0, max(1, longest // 4))
    return LinearForecast.fit(model, source, lags)


def _forecast_linear(
    linear: LinearForecast, origins: Origins, window: int, levels: Sequence[float]
) -> Prediction:
    """What a linear model forecasts, with the quantiles of its errors on what it was fitted to."""
    config = linear.model.config
    window = max(window, linear.history + 1)
    histories = [one[-window:] for one in origins.read_histories()]
    future = origins.read_following(config.known)
    found = np.empty((len(origins), origins.horizon, len(config.targets)))
    for first in range(0, len(origins), _BATCH):
        chosen = slice(first, first + _BATCH)
        values = pad_histories(histories[chosen])
        lengths = torch.tensor([len(one) for one in histories[chosen]])
        ahead = torch.from_numpy(future[chosen]).transpose(0, 1) if config.known else None
        read = append_known_ahead(values, ahead, lengths, config)
        rows = linear.predict(Batch(read, read[..., :0], lengths))
        last = rows[lengths - 1, torch.arange(len(lengths))]
        found[chosen] = last.view(len(lengths), *found.shape[1:]).numpy()
    errors = linear.error_quantiles.view(*found.shape[1:], -1).numpy()
    return Prediction(found, found[..., None] + errors[..., : len(levels)])


def _add_quantiles(
    fitted: Array, later: Array, past: _Windows, now: _Windows, levels: Sequence[float]
) -> Prediction:
    """Forecasts with the quantiles of the errors in the past, for each step ahead."""
    errors = (past.truth - fitted) / past.change
    quantiles = np.full((*later.shape, len(levels)), np.nan)
    if len(errors) and levels:
        ends = np.moveaxis(np.nanquantile(errors, levels, axis=0), 0, -1)
        quantiles = later[..., None] + ends * now.change[..., None]
    return Prediction(later, quantiles)
