"""Forecasts beyond the end of series."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from sluice.option_names import name_argument
from sluice.sequence.checkpoint import Checkpoint
from sluice.sequence.data.calendar_fields import list_calendar_columns
from sluice.sequence.data.ragged import Array
from sluice.sequence.data.report import pluralize
from sluice.sequence.data.series import Series
from sluice.sequence.data.time_steps import next_times
from sluice.sequence.errors import DataError
from sluice.sequence.forecasting.forecast import Forecast
from sluice.sequence.forecasting.history import (
    History,
    extend_calendar,
    match_future,
    split_history,
)
from sluice.sequence.forecasting.prediction import (
    get_window,
    predict_windows,
    require_forecaster,
)
from sluice.sequence.forecasting.series_forecast import SeriesForecast
from sluice.sequence.model_series import get_calendar_fields
from sluice.sequence.models import ForecasterConfig

_MOST_STEPS = 100_000
_SHOWN = 3
"""Series that a note names."""


def forecast_series(
    checkpoint: Checkpoint,
    series: Series,
    *,
    steps: int | None = None,
    future: Series | None = None,
) -> Forecast:
    """Forecast the steps after the last known target of each series.

    The model reads as many rows before the end as a window of its training had. A value that is
    missing is replaced by the last one before it. Rows after the last known target give the values
    that are known ahead, such as a price, and the times of the forecast; times after those go on
    as before.

    Args:
        checkpoint: a `Forecaster`, from `Checkpoint.load`.
        series: from `load_model_series`, with the model's features in its order.
        steps: how many steps to forecast; default the model's horizon, or, for a model that reads
            values known ahead, as many of it as they are known for.
        future: rows after the end with the values known ahead, in place of those of `series`.

    Raises:
        DataError: no forecaster; other features; a series without a known target, or whose times
            are irregular; values known ahead that are missing; more steps than the model can.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from sluice.sequence import TrainingConfig, load_data, make_task, train
    >>> file = Path(tempfile.mkdtemp()) / "level.csv"
    >>> rows = [f"2024-01-{day:02},{day % 7}" for day in range(1, 31)]
    >>> _ = file.write_text("\\n".join(["day,level", *rows]))
    >>> data = load_data(file, time="day")
    >>> task = make_task(data, horizon=3, seq_len=8, hidden_size=8)
    >>> _ = train(task.model, task.training, task.validation, TrainingConfig(steps=2))
    >>> forecast = forecast_series(task.checkpoint, data)
    >>> forecast.series[0].times.astype("datetime64[D]").tolist()[0], forecast.targets
    (datetime.date(2024, 1, 31), ('level',))
    """
    model = require_forecaster(checkpoint)
    config, window = model.config, get_window(checkpoint)
    require_features(checkpoint, series)
    if not len(series):
        raise DataError("There is no series to forecast; give rows.")
    histories = [split_history(series, place, config.targets) for place in range(len(series))]
    notes = [*_describe_ends(histories, config, series.features, future is not None)]
    histories = [*match_future(histories, future)]
    fields = get_calendar_fields(checkpoint)
    calendar = list_calendar_columns(fields)
    given = [place for place in config.known if series.features[place] not in calendar]
    chosen = _choose_steps(histories, config, given, steps, series.features)
    times = [_find_times(one, chosen, series.time_zone) for one in histories]
    if fields:
        reach = -(-chosen // config.horizon) * config.horizon
        whole = [_find_times(one, reach, series.time_zone) for one in histories]
        histories = [
            extend_calendar(one, ahead, series, fields)
            for one, ahead in zip(histories, whole, strict=True)
        ]
    notes += _describe_reading(histories, config, window, chosen)
    known = [one.ahead[:, list(config.known)] for one in histories] if config.known else []
    found = predict_windows(model, [one.values for one in histories], chosen, known, window or None)
    targets = tuple(series.features[place] for place in config.targets)
    forecasts = [
        SeriesForecast(
            one.name,
            times[place],
            found.values[place],
            found.quantiles[place],
            one.values[:, list(config.targets)],
            _number_rows(len(one)) if one.times is None else one.times,
        )
        for place, one in enumerate(histories)
    ]
    return Forecast(
        forecasts,
        targets,
        config.quantiles,
        series.time_name,
        series.time_zone,
        series.time_format,
        tuple(notes),
    )


def select_series(series: Series, names: Iterable[str]) -> Series:
    """The series with these names.

    Raises:
        DataError: a name that there is not.
    """
    places = {str(name): place for place, name in enumerate(series.names)}
    wanted = list(dict.fromkeys(names))
    unknown = [name for name in wanted if name not in places]
    if unknown:
        some = ", ".join([*places][:8]) + (", ..." if len(places) > 8 else "")
        raise DataError(
            f"{name_argument('names')} must be one of {some}, got {', '.join(map(repr, unknown))}."
        )
    return series.select([places[name] for name in wanted])


def require_features(checkpoint: Checkpoint, series: Series) -> None:
    """Refuse series with other features than the model's, or in another order."""
    features, columns = checkpoint.model.config.features, checkpoint.columns
    if len(series.features) != features or (columns and series.features != columns):
        raise DataError(
            f"The model reads the columns {', '.join(columns) or features}, in this order, got "
            f"{', '.join(series.features)}; read the table with load_model_series."
        )


def _choose_steps(
    histories: Sequence[History],
    config: ForecasterConfig,
    given: Sequence[int],
    steps: int | None,
    features: Sequence[str],
) -> int:
    """How many steps to forecast; `given` are the features whose values ahead the rows give."""
    if steps is not None and steps < 1:
        raise DataError(f"{name_argument('steps')} must be at least 1, got {steps}.")
    if steps is not None and steps > _MOST_STEPS:
        raise DataError(f"{name_argument('steps')} must be at most {_MOST_STEPS:,}, got {steps:,}.")
    if steps is not None and steps > config.horizon:
        unforeseen = [
            name
            for place, name in enumerate(features)
            if place not in (*config.targets, *config.known)
        ]
        if unforeseen:
            raise DataError(
                f"{name_argument('steps')} must be at most the model's horizon of "
                f"{config.horizon}, got {steps}: beyond it the model reads its own forecasts, but "
                f"it does not forecast {', '.join(unforeseen)}; train with a longer horizon."
            )
    if not given:
        return steps or config.horizon
    names = ", ".join(features[place] for place in given)
    shortest = min(histories, key=lambda one: len(one.ahead))
    rows = len(shortest.ahead)
    wanted = steps or 1
    if rows < wanted:
        raise DataError(
            f"The model reads {names} of the steps that it forecasts, but series {shortest.name} "
            f"has {pluralize(rows, 'row')} after its last known target, {wanted} needed; add rows "
            f"with {names} and an empty target, or give them as {name_argument('future')}."
        )
    return steps or min(config.horizon, rows)


def _find_times(history: History, steps: int, zone: str) -> Array:
    """The times of the forecast: those of the rows ahead, then as before."""
    if history.times is None:
        return len(history) + _number_rows(steps)
    given = np.empty(0, history.times.dtype) if history.ahead_times is None else history.ahead_times
    if len(given):
        _require_no_gap(history, given[0])
    if len(given) >= steps:
        return given[:steps]
    whole = np.concatenate((history.times, given))
    try:
        later = next_times(whole, steps - len(given), zone)
    except DataError as error:
        raise DataError(f"Series {history.name}: {error}") from None
    return np.concatenate((given, later))


def _require_no_gap(history: History, first: Any) -> None:
    """Refuse rows ahead that begin later than any other row follows its neighbour."""
    times = history.times
    assert times is not None
    if len(times) > 1 and first - times[-1] > np.diff(times).max():
        raise DataError(
            f"The rows known ahead of series {history.name} begin at {first}, but the last known "
            f"target is at {times[-1]}; give the rows between them."
        )


def _number_rows(rows: int) -> Array:
    return np.arange(1, rows + 1)


def _describe_ends(
    histories: Sequence[History],
    config: ForecasterConfig,
    features: Sequence[str],
    has_future: bool,
) -> Iterable[str]:
    """What is said of rows at the end whose targets are missing."""
    targets = ", ".join(features[place] for place in config.targets)
    open_ended = [one for one in histories if len(one.ahead)]
    if open_ended:
        counts = [f"{len(one.ahead)} of {one.name}" for one in open_ended[:_SHOWN]]
        more = f" and {len(open_ended) - _SHOWN} more series" if len(open_ended) > _SHOWN else ""
        use = (
            "the future file is used in place of these rows"
            if has_future
            else "the forecast begins with these rows"
        )
        yield (f"The last rows have no value of {targets} ({', '.join(counts)}{more}): {use}.")
    partly = [one.name for one in histories if np.isnan(one.values[-1, list(config.targets)]).any()]
    if partly:
        yield (
            f"{_name_series(partly)}: not all targets are known in the last row; the last known "
            "value stands in."
        )


def _describe_reading(
    histories: Sequence[History], config: ForecasterConfig, window: int | None, steps: int
) -> Iterable[str]:
    """What was read, and what the forecast rests on."""
    short = [one.name for one in histories if window is not None and len(one) < window]
    if short:
        least = min(map(len, histories))
        yield (
            f"{_name_series(short)}: {pluralize(least, 'row')} at least are fewer than the "
            f"{window} that the model was trained to read; its forecast rests on little."
        )
    read = [one.values if window is None else one.values[-window:] for one in histories]
    missing = sum(int(np.isnan(one).sum()) for one in read)
    if missing:
        yield (
            f"{pluralize(missing, 'value')} missing in the rows read: the last known value before "
            "stands in."
        )
    ahead = [one.ahead[:steps, list(config.known)] for one in histories] if config.known else []
    unknown = sum(int(np.isnan(one).sum()) for one in ahead)
    if unknown:
        yield (
            f"{pluralize(unknown, 'value')} known ahead missing: the last known value before "
            "stands in."
        )
    if steps > config.horizon:
        yield (
            f"Steps {config.horizon + 1} to {steps} are beyond the horizon of {config.horizon}: "
            "the model reads its own forecasts there, and has no intervals for them."
        )


def _name_series(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"Series {', '.join(names[:_SHOWN])}{more}"
