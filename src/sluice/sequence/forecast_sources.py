"""Batches to train, calibrate and judge a forecaster by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from sluice.option_names import name_argument
from sluice.sequence.batching.streams import WindowBatches
from sluice.sequence.data.ragged import Array, Indices
from sluice.sequence.data.series import Series
from sluice.sequence.data.splits import Split
from sluice.sequence.data.targets import NextValues
from sluice.sequence.errors import DataError
from sluice.sequence.models import ForecasterConfig
from sluice.sequence.models.linear_part import choose_lags
from sluice.sequence.models.model_memory import require_memory
from sluice.sequence.models.quantiles import list_intervals

_WINDOW, _LONGEST_WINDOW = 100, 1_000
"""Steps of a window by default, and the most that a season makes of it."""


def make_next_values(
    series: Series, config: ForecasterConfig, history: Indices | None = None
) -> NextValues:
    """Inputs and targets for a forecaster; missing values stay missing, as it fills them itself.

    Args:
        series: with the features of the model, in its order.
        config: of the model.
        history: as in `NextValues`.
    """
    values, columns = series.values, list(config.targets)
    targets = (
        values
        if config.targets == tuple(range(config.features))
        else replace(values, flat=values.flat[:, columns])
    )
    return NextValues(values, targets, config.horizon, config.known, history)


def find_places(series: Series, names: Sequence[str]) -> tuple[int, ...]:
    """The places of some features.

    Raises:
        DataError: a name that is no feature.
    """
    for name in names:
        if name not in series.features:
            raise DataError(
                f"The column {name!r}, known ahead, is none of those that are read: "
                f"{', '.join(series.features)}."
            )
    return tuple(series.features.index(name) for name in names)


def choose_window(period: int | None) -> int:
    """Steps of a window: so many that a linear part can read two seasons, or one.

    >>> choose_window(None), choose_window(24), choose_window(168), choose_window(500)
    (100, 100, 448, 834)
    """
    for thirds in (8, 5):
        seasons = -(-thirds * (period or 0) // 3)
        if _WINDOW < seasons <= _LONGEST_WINDOW:
            return seasons
    return _WINDOW


@dataclass(frozen=True)
class WindowPlan:
    """How windows are cut for a forecaster.

    Attributes:
        seq_len: steps in a window.
        batch_size: windows in a batch.
        seed: for the order.
    """

    seq_len: int
    batch_size: int
    seed: int

    def make_training(self, series: Series, config: ForecasterConfig) -> WindowBatches:
        """Windows that overlap by three quarters."""
        return self._make(make_next_values(series, config), once=False)

    def make_held_out(
        self, part: Series, whole: Series, config: ForecasterConfig
    ) -> WindowBatches | None:
        """Windows in which each held-out value is forecast once from each distance.

        The model reads the values before the held-out ones too, as it does when it is used, but
        they are not forecast. None if there is nothing to forecast.

        Args:
            part: the part of a split.
            whole: what was split.
            config: of the model.
        """
        starts = np.sort(whole.values.starts)
        first = starts[np.searchsorted(starts, part.values.starts, side="right") - 1]
        history = np.minimum(part.values.starts - first, self.seq_len + config.horizon)
        longer = replace(part.values, starts=part.values.starts - history)
        steps = make_next_values(part.with_values(longer), config, history)
        held = part.values.lengths + np.minimum(history, 1)
        return self._make(steps, once=True) if (held > 1).any() else None

    def _make(self, steps: NextValues, *, once: bool) -> WindowBatches:
        stride = max(1, self.seq_len // 4)
        return WindowBatches(steps, self.seq_len, self.batch_size, self.seed, stride, once)


class ForecastSources(NamedTuple):
    """The batches of a split; `note` says what each held-out part is for.

    `before_test` are the targets of the rows before the test part, of each series; None where
    whole series are the test part, or there is none.
    """

    training: WindowBatches
    validation: WindowBatches
    test: WindowBatches | None
    note: str
    before_test: Sequence[Array] | None


def split_forecasts(
    series: Series, validation: float, test: float | None, seed: int
) -> Split[Series]:
    """A split with a part to judge by, of the size of the validation part if `test` is None.

    Groups that are too few for three parts give two.

    Raises:
        DataError: as `Series.split`.
    """
    if test is not None:
        return series.split(validation=validation, test=test, seed=seed)
    try:
        return series.split(validation=validation, test=validation, seed=seed)
    except DataError:
        return series.split(validation=validation, seed=seed)


def require_shorter(series: Series, options: Mapping[str, Any]) -> None:
    """Refuse a horizon, a period or lags that no series is longer than.

    Raises:
        DataError: which of them, and the length of the longest series.
    """
    longest = int(series.values.lengths.max(initial=0))
    for name in ("horizon", "period", "linear_lags"):
        steps = options.get(name)
        if isinstance(steps, int) and steps > 1 and steps >= longest:
            raise DataError(
                f"{name_argument(name)} must be below the {longest:,} steps of the longest series, "
                f"got {steps:,}."
            )


def require_window_memory(series: Series, plan: WindowPlan, config: ForecasterConfig) -> None:
    """Refuse batches, or a linear part, that there is no memory for.

    Raises:
        SequenceError: too large ones, with their memory.
    """
    lengths = series.values.lengths
    steps = min(plan.seq_len, int(lengths.max(initial=0)))
    windows = min(plan.batch_size, int(lengths.sum()))
    outputs, levels = len(config.output_columns), max(1, len(config.quantiles))
    batch = steps * windows * (len(config.input_columns) + outputs * (2 + levels))
    columns = 1 + config.features * config.linear_lags + len(config.known)
    names = [name_argument(name) for name in ("horizon", "batch_size", "seq_len")]
    require_memory(
        8 * (batch + outputs * columns),
        f"Batches of {steps:,} steps and {windows:,} windows, with {config.horizon:,} steps ahead,",
        f"choose a smaller {', '.join(names)}",
    )


def make_forecaster_config(
    training: Series, plan: WindowPlan, period: int | None, options: Mapping[str, Any]
) -> ForecasterConfig:
    """The configuration for a training part; `options` are its fields, before the defaults.

    Changes are scaled by their own spread, a linear part reads what `choose_lags` says, and missing
    values are marked where there are any.
    """
    known = options.get("known", ())
    names = training.targets
    targets = tuple(training.features.index(name) for name in names if names != training.features)
    clash = [training.features[place] for place in known if place in targets]
    if clash:
        raise DataError(
            f"The column {clash[0]!r} is to be forecast, so it cannot be known ahead; leave out "
            "one of the two."
        )
    usual = {
        "targets": targets,
        "indicate": bool(np.isnan(training.values.flat).any()),
        "changes": options.get("from_last", True),
    }
    given = usual | dict(options)
    if given["changes"] and "linear_lags" not in given:
        lengths, features = training.values.lengths, len(training.features)
        window = min(plan.seq_len, max(1, int(lengths.max(initial=0)) - 1))
        steps, horizon = int(lengths.sum()), given.get("horizon", 1)
        given["linear_lags"] = choose_lags(window, steps, features, horizon, period)
    return ForecasterConfig(len(training.features), **given)


def cut_forecasts(
    split: Split[Series], whole: Series, plan: WindowPlan, config: ForecasterConfig
) -> ForecastSources:
    """Windows of each part.

    Raises:
        DataError: a part without a step to forecast.
    """
    validation = plan.make_held_out(split.validation, whole, config)
    test = plan.make_held_out(split.test, whole, config)
    if not (split.train.values.lengths > 1).any() or validation is None:
        longest = int(whole.values.lengths.max(initial=0))
        raise DataError(
            f"The longest series has {longest} steps, too few to train on some and to hold out "
            "others; give more."
        )
    purpose = "The validation part chooses the weights"
    purpose += " and calibrates the intervals" if config.quantiles else ""
    judge = (
        "the figures are of the test part, which nothing was chosen by."
        if test
        else "the figures are of it too, as there is no test part."
    )
    training = plan.make_training(split.train, config)
    few = _describe_calibration(int(split.validation.values.lengths.sum()), config)
    before = _find_before(split.test, whole, config) if test else None
    return ForecastSources(training, validation, test, f"{purpose}; {judge}{few}", before)


def _find_before(part: Series, whole: Series, config: ForecasterConfig) -> Sequence[Array] | None:
    """The targets of the rows of each series before those of a part."""
    first = np.sort(whole.values.starts)
    starts = first[np.searchsorted(first, part.values.starts, side="right") - 1]
    if (starts == part.values.starts).any():
        return None
    pairs = zip(starts.tolist(), part.values.starts.tolist(), strict=True)
    return [whole.values.flat[begin:end, list(config.targets)] for begin, end in pairs]


def _describe_calibration(steps: int, config: ForecasterConfig) -> str:
    """A word on intervals that so few held-out steps cannot calibrate; empty where they can."""
    apart = steps / config.horizon
    shares = [one.percent / 100 for one in list_intervals(config.quantiles)]
    short = [share for share in shares if share * (1 + 1 / apart) > 1]
    if not short:
        return ""
    names = ", ".join(f"{100 * share:.4g}" for share in short)
    needed = math.ceil(max(share / (1 - share) for share in short) - 1e-9)
    return (
        f" The validation part has room for only {apart:.3g} forecasts of {config.horizon} steps "
        f"that do not overlap: intervals of {names} % need {needed}, and are as wide as the "
        "largest error in it."
    )
