"""How good forecasts would have been: rolling origins over the end of series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import torch

from sluice.option_names import name_argument
from sluice.sequence.checkpoint import Checkpoint
from sluice.sequence.data.ragged import Array
from sluice.sequence.data.report import pluralize
from sluice.sequence.data.series import Series
from sluice.sequence.errors import DataError
from sluice.sequence.forecasting.baselines import forecast_baselines, measure_change
from sluice.sequence.forecasting.forecasting import require_features
from sluice.sequence.forecasting.history import split_history
from sluice.sequence.forecasting.origins import Origins, choose_origins
from sluice.sequence.forecasting.prediction import (
    Prediction,
    get_window,
    predict_windows,
    require_forecaster,
)
from sluice.sequence.metrics.metrics import MODEL
from sluice.sequence.metrics.score_table import Score, ScoreTable
from sluice.sequence.models.quantiles import compute_crps, list_intervals

HELD_OUT = 0.1
"""The part of a series that a training keeps for its own figures, and that is forecast here."""


_WINDOW = 100
"""Rows that a linear model may read, where the model does not say what it read in training."""


class _ScoreSelection(TypedDict, total=False):
    """What `ForecastScores.compute` is asked for."""

    step: int
    series: str
    target: str


@dataclass(frozen=True, eq=False)
class ForecastScores:
    """The errors of a model and of simple methods at rolling origins.

    Attributes:
        series, targets: their names.
        levels: of the quantiles.
        places: (origins,), the series of each origin.
        truth: (origins, horizon, targets), float64; NaN for missing values.
        predictions: of each method, the forecasts and quantiles at each origin.
        change: (series, targets): the mean absolute change that errors are divided by in MASE.
        notes: sentences on what was measured.
    """

    series: tuple[str, ...]
    targets: tuple[str, ...]
    levels: tuple[float, ...]
    places: Array
    truth: Array
    predictions: Mapping[str, Prediction]
    change: Array
    notes: tuple[str, ...]

    def compute(
        self,
        method: str = MODEL,
        *,
        step: int | None = None,
        series: str | None = None,
        target: str | None = None,
    ) -> dict[str, float | None]:
        """Mean scores of a method: MAE, RMSE, MASE (Hyndman & Koehler 2006), CRPS, coverage.

        CRPS is `compute_crps`; "in 80 %" is the share of values in the interval of 80 %. With
        several targets only MASE and shares are given, as the others have no common unit, unless
        one target is chosen. None where nothing is known.

        Args:
            method: a name in `predictions`.
            step: only this step ahead, from 1 on.
            series: only this series.
            target: only this target.

        Raises:
            KeyError: no such method.
            ValueError: no such series or target.
        """
        rows = slice(None) if series is None else self.places == self.series.index(series)
        steps = slice(None) if step is None else slice(step - 1, step)
        columns = slice(None)
        if target is not None:
            place = self.targets.index(target)
            columns = slice(place, place + 1)
        found = self.predictions[method]
        truth, values, quantiles, change = (
            one[rows][:, steps, columns]
            for one in (
                self.truth,
                found.values,
                found.quantiles,
                np.broadcast_to(self.change[self.places][:, None], self.truth.shape),
            )
        )
        known = ~np.isnan(truth)
        scaled = known & (change > 0)
        error = np.abs(values - truth)
        one_unit = len(self.targets) == 1 or target is not None
        scores: dict[str, float | None] = {
            "MAE": _mean(error[known]) if one_unit else None,
            "RMSE": _root(_mean(error[known] ** 2)) if one_unit else None,
            "MASE": _mean(error[scaled] / change[scaled]),
        }
        if self.levels:
            crps = compute_crps(
                torch.from_numpy(quantiles), torch.from_numpy(truth), self.levels
            ).numpy()
            scores["CRPS"] = _mean(crps[known]) if one_unit else None
            for percent, low, high in list_intervals(self.levels):
                inside = (quantiles[..., low] <= truth) & (truth <= quantiles[..., high])
                scores[f"in {percent:g} %"] = _mean(inside[known])
        return scores

    def to_score_tables(self) -> tuple[ScoreTable, ...]:
        """By method; by step ahead; by series; by target, where there are several."""
        counted = int((~np.isnan(self.truth)).sum())
        methods = [(name, self.compute(name)) for name in self.predictions]
        tables = [_tabulate("scores", "", methods, f"{counted:,} values forecast")]
        steps = range(1, self.truth.shape[1] + 1)
        tables.append(self._compare("by step", "step", {str(n): {"step": n} for n in steps}))
        if len(self.series) > 1:
            used = [name for n, name in enumerate(self.series) if (self.places == n).any()]
            tables.append(self._compare("by series", "series", {n: {"series": n} for n in used}))
        if len(self.targets) > 1:
            parts: dict[str, _ScoreSelection] = {name: {"target": name} for name in self.targets}
            tables.append(self._compare("by target", "target", parts))
        return tuple(tables)

    def _compare(self, name: str, first: str, parts: Mapping[str, _ScoreSelection]) -> ScoreTable:
        """The model's scores in each part, and the MASE of the other methods."""
        others = [method for method in self.predictions if method != MODEL]
        found = []
        for label, part in parts.items():
            scores = self.compute(**part)
            del scores["RMSE"]
            mase = {who.partition(" (")[0]: self.compute(who, **part)["MASE"] for who in others}
            found.append((label, scores | mase))
        return _tabulate(name, first, found, f"{name}; of other methods the MASE")


def evaluate_forecasts(
    checkpoint: Checkpoint,
    series: Series,
    *,
    held_out: float = HELD_OUT,
    origins: int | None = None,
    stride: int | None = None,
    period: int | None = None,
) -> ForecastScores:
    """Forecast the end of each series from several rows of it, and compare with what came.

    At each origin the model reads only the rows before it, as `forecast_series` would, and what it
    may know ahead. Beside it stand the last value, the last season, and a linear model
    (`forecast_baselines`), which are fitted to the rows before the first origin.

    Args:
        checkpoint: a `Forecaster`.
        series: from `load_model_series`.
        held_out: the part of each series, at its end, that is forecast.
        origins: at most so many of a series, evenly spread; default 100, fewer with many series.
        stride: an origin every so many rows, in place of `origins`.
        period: the length of a season in steps, for the last season and the scale of MASE; default
            that of the training.

    Raises:
        DataError: no forecaster; other features; a setting outside its range; series that are too
            short.
    """
    model = require_forecaster(checkpoint)
    require_features(checkpoint, series)
    period = _get_period(checkpoint) if period is None else period
    if period is not None and period < 1:
        raise DataError(f"{name_argument('period')} must be at least 1 step, got {period}.")
    config, targets = model.config, list(model.config.targets)
    histories = [split_history(series, place, targets) for place in range(len(series))]
    names = tuple(one.name for one in histories)
    chosen = choose_origins(
        [one.values for one in histories],
        config.horizon,
        names=names,
        held_out=held_out,
        origins=origins,
        stride=stride,
    )
    known = list(chosen.read_following(config.known)) if config.known else []
    predictions = {
        MODEL: predict_windows(
            model, chosen.read_histories(), config.horizon, known, get_window(checkpoint)
        ),
        **forecast_baselines(model, chosen, get_window(checkpoint) or _WINDOW, period),
    }
    change = [
        measure_change(one[:end, targets], period or 1)
        for one, end in zip(chosen.values, chosen.first.tolist(), strict=True)
    ]
    return ForecastScores(
        names,
        tuple(series.features[place] for place in targets),
        config.quantiles,
        chosen.places,
        chosen.read_following(targets),
        predictions,
        np.stack(change),
        tuple(_describe_origins(chosen, held_out, period, model.linear is not None)),
    )


def _get_period(checkpoint: Checkpoint) -> int | None:
    period = checkpoint.preprocessing.get("period")
    return period if isinstance(period, int) and period > 0 else None


def _describe_origins(
    origins: Origins, held_out: float, period: int | None, own_linear: bool
) -> list[str]:
    used = len({*origins.places.tolist()})
    short = len(origins.values) - used
    notes = [
        f"{pluralize(len(origins), 'origin')} in the last {100 * held_out:g} % of "
        f"{pluralize(used, 'series')}; at each, {pluralize(origins.horizon, 'step')} are forecast "
        "from the rows before it alone."
    ]
    if short:
        notes.append(f"{pluralize(short, 'series')} too short for the horizon: left out.")
    notes.append(
        "The linear model is the model's own linear part, as its training fitted it."
        if own_linear
        else "The linear model is fitted to the rows before the origins."
    )
    scale = "a season before" if period else "of the row before"
    notes.append(f"MASE is in units of the mean error of the value {scale}, before the origins.")
    return notes


def _tabulate(
    name: str,
    first: str,
    rows: Sequence[tuple[str, Mapping[str, float | None]]],
    title: str = "",
) -> ScoreTable:
    """A table without the columns that no row has."""
    columns = [one for one in rows[0][1] if any(row[one] is not None for _, row in rows)]
    cells: list[tuple[Score, ...]] = [
        (label, *(row[column] for column in columns)) for label, row in rows
    ]
    return ScoreTable(name, (first, *columns), tuple(cells), title)


def _mean(values: Array) -> float | None:
    return float(values.mean()) if len(values) else None


def _root(value: float | None) -> float | None:
    return None if value is None else float(np.sqrt(value))
