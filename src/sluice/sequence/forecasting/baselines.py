"""Forecasts to compare with: the last value, the last season, and a linear model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sluice.sequence.data.ragged import Array, Indices
from sluice.sequence.forecasting.origins import Origins
from sluice.sequence.forecasting.prediction import Prediction

_LAGS = 24
_MOST_ROWS = 20_000
"""Rows that the linear model is fitted to, and that errors are taken from, at most."""
_RIDGE = 1e-3


class _Columns(NamedTuple):
    """Of each series the targets, with the last value for missing ones, and what is known ahead."""

    targets: Sequence[Array]
    known: Sequence[Array]


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
    origins: Origins,
    targets: Sequence[int],
    known: Sequence[int],
    levels: Sequence[float],
    period: int | None,
) -> dict[str, Prediction]:
    """What simple methods forecast at each origin; their quantiles are those of their errors.

    - *last value*: the last known value.
    - *last season*, with a period: the value a whole number of seasons before.
    - *linear*: the change from the last value, for each step ahead, as a ridge regression on the
      changes in the last steps (24, or a season) and on the values known ahead.

    The regression is fitted, and errors are taken, on the rows before the first origin of each
    series, of all series together in units of each one's mean absolute change. A regression on too
    few rows is left out.

    Args:
        origins: from where to forecast.
        targets, known: columns of the values.
        levels: of the quantiles.
        period: the length of a season in steps.
    """
    columns = _Columns(
        [_fill(one[:, list(targets)]) for one in origins.values],
        [_fill(one[:, list(known)]) for one in origins.values],
    )
    past = _cut_windows(origins, columns, *_choose_training(origins), targets)
    now = _cut_windows(origins, columns, origins.places, origins.rows, targets)
    found = {"last value": (past.hold_last(), now.hold_last())}
    if period is not None:
        fitted, later = (_repeat_season(columns.targets, one, period) for one in (past, now))
        found[f"last season ({period} steps)"] = (fitted, later)
    linear = _forecast_linear(columns, past, now, max(_LAGS, period or 0))
    if linear is not None:
        found["linear"] = linear
    return {
        name: _add_quantiles(fitted, later, past, now, levels)
        for name, (fitted, later) in found.items()
    }


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
    origins: Origins, columns: _Columns, places: Indices, rows: Indices, targets: Sequence[int]
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
        last[number, 0] = columns.targets[place][row - 1]
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


def _forecast_linear(
    columns: _Columns, past: _Windows, now: _Windows, lags: int
) -> tuple[Array, Array] | None:
    """Forecasts for the past windows and for the present ones; None for too few of them."""
    wanted = ((past.truth - past.last) / past.change).reshape(len(past.rows), -1)
    known = ~np.isnan(wanted).any(axis=1)
    if known.sum() <= 2 * lags:
        return None
    inputs, later = (_describe_windows(columns, one, lags) for one in (past, now))
    mean, spread = inputs[known].mean(axis=0), inputs[known].std(axis=0)
    spread[spread == 0] = 1
    design, design_later = (
        np.concatenate(((one - mean) / spread, np.ones((len(one), 1))), axis=1)
        for one in (inputs, later)
    )
    penalty = np.full(design.shape[1], _RIDGE * known.sum())
    penalty[-1] = 0
    square = design[known].T @ design[known] + np.diag(penalty)
    weights = np.linalg.solve(square, design[known].T @ wanted[known])
    fitted, forecasts = (
        one.last + (rows @ weights).reshape(one.truth.shape) * one.change
        for one, rows in ((past, design), (now, design_later))
    )
    return fitted, forecasts


def _describe_windows(columns: _Columns, windows: _Windows, lags: int) -> Array:
    """(windows, lags × targets + horizon × known): scaled changes before, and what is known."""
    horizon = windows.truth.shape[1]
    rows = []
    for number, (place, row) in enumerate(windows.list_rows()):
        targets = columns.targets[place]
        before = targets[np.maximum(row - 1 - np.arange(1, lags + 1), 0)]
        changes = (before - windows.last[number]) / windows.change[number]
        ahead = columns.known[place][row : row + horizon]
        rows.append(np.concatenate((changes.ravel(), ahead.ravel())))
    return np.stack(rows)


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
