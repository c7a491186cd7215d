"""A series taken apart: what is known of its targets, and rows that are known ahead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sluice.sequence.data.calendar_fields import compute_calendar, list_calendar_columns
from sluice.sequence.data.ragged import Array
from sluice.sequence.data.report import pluralize
from sluice.sequence.data.series import Series
from sluice.sequence.errors import DataError


@dataclass(frozen=True, eq=False)
class History:
    """One series up to its last known target, and the rows after it.

    Attributes:
        name: its id or file.
        values: (rows, features), float64; NaN for missing values.
        times: (rows,); None without a column of times.
        ahead: the rows without targets, (rows ahead, features).
        ahead_times: (rows ahead,); None without a column of times.
    """

    name: str
    values: Array
    times: Array | None
    ahead: Array
    ahead_times: Array | None

    def __len__(self) -> int:
        return len(self.values)


def split_history(series: Series, index: int, targets: Sequence[int]) -> History:
    """Cut a series after the last row with a target.

    Raises:
        DataError: no target is known at all.
    """
    name = series.names[index] if series.names else f"sequence {index}"
    values = series.values[index].astype(np.float64)
    rows = np.flatnonzero(~np.isnan(values[:, list(targets)]).all(axis=1))
    if not len(rows):
        columns = ", ".join(series.features[place] for place in targets)
        raise DataError(
            f"Series {name} has no value of {columns} in {pluralize(len(values), 'row')}; a "
            "forecast goes on from known values: give rows with them, or leave the series out."
        )
    end = int(rows[-1]) + 1
    times = None if series.times is None else series.times[index]
    return History(
        name,
        values[:end],
        None if times is None else times[:end],
        values[end:],
        None if times is None else times[end:],
    )


def match_future(histories: Sequence[History], future: Series | None) -> Sequence[History]:
    """Add the rows of a second table, whose columns are those of the first, after each history.

    Raises:
        DataError: a series that the future lacks; times in only one of the two.
    """
    if future is None:
        return histories
    if len(histories) == len(future) == 1:  # without ids the names are those of the files
        places = [0]
    else:
        numbers = {name: place for place, name in enumerate(future.names)}
        missing = [one.name for one in histories if one.name not in numbers]
        if missing:
            raise DataError(
                f"The future has no rows of series {', '.join(missing[:8])}; its series are "
                f"{', '.join(map(str, future.names[:8]))}."
            )
        places = [numbers[one.name] for one in histories]
    return [_extend(one, future, place) for one, place in zip(histories, places, strict=True)]


def extend_calendar(
    history: History, times: Array, series: Series, fields: Sequence[str]
) -> History:
    """Rows ahead for all `times`, with the fields of the calendar; other values as they are."""
    rows = np.full((max(len(times), len(history.ahead)), len(series.features)), np.nan)
    rows[: len(history.ahead)] = history.ahead
    places = [series.features.index(name) for name in list_calendar_columns(fields)]
    rows[: len(times), places] = compute_calendar(times, series.time_zone, fields)
    return replace(history, ahead=rows)


def _extend(history: History, future: Series, place: int) -> History:
    rows = future.values[place].astype(np.float64)
    if (history.times is None) != (future.times is None):
        raise DataError(
            "Only one of the data and the future has a column of times; give it in both."
        )
    if future.times is None:
        return History(history.name, history.values, None, rows, None)
    assert history.times is not None
    times = future.times[place]
    if (times.dtype.kind == "M") != (history.times.dtype.kind == "M"):
        raise DataError(
            "The times of the data and of the future are of two kinds; write them alike."
        )
    later = times > history.times[-1]
    if not later.any():
        raise DataError(
            f"The future of series {history.name} ends at {times[-1]}, but its data end at "
            f"{history.times[-1]}; give rows after that."
        )
    return History(history.name, history.values, history.times, rows[later], times[later])
