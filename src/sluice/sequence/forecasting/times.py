"""The times after the end of a series, and times as text."""

from __future__ import annotations

from datetime import UTC
from typing import Any, cast
from zoneinfo import ZoneInfo

import numpy as np

from sluice.sequence.data.ragged import Array
from sluice.sequence.errors import DataError

_USUAL = 0.5
"""The share of the steps that must be alike for times to go on."""
_WORKDAYS = 5


def continue_times(times: Array, steps: int, name: str) -> Array:
    """The `steps` times after the end of `times`, at the distance that most of them have.

    Months, quarters and years are counted by the calendar, and a series of days from Monday to
    Friday goes on without weekends.

    Args:
        times: (rows,), datetime64 or numbers, rising.
        steps: how many.
        name: of the series, for messages.

    Raises:
        DataError: fewer than two different times, or steps that are not alike.

    >>> months = np.array(["1960-10", "1960-11", "1960-12"], "datetime64[M]").astype("M8[us]")
    >>> continue_times(months, 2, "sales").astype("datetime64[D]").tolist()
    [datetime.date(1961, 1, 1), datetime.date(1961, 2, 1)]
    """
    if times.dtype.kind != "M":
        step = _find_usual_step(np.diff(times), name)
        return cast(Array, times[-1] + step * np.arange(1, steps + 1))
    days = times.astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    if len(times) > 2 and (np.diff(months).astype(np.int64) > 0).all():
        return _continue_months(times, months, steps, name)
    step = _find_usual_step(np.diff(times), name)
    if step == np.timedelta64(1, "D") and _has_workdays_only(days):
        ahead = np.busday_offset(days[-1], np.arange(1, steps + 1))
        return cast(Array, ahead.astype(times.dtype) + (times[-1] - days[-1]))
    return cast(Array, times[-1] + step * np.arange(1, steps + 1))


def _continue_months(times: Array, months: Array, steps: int, name: str) -> Array:
    step = _find_usual_step(np.diff(months), name)
    ahead = months[-1] + step * np.arange(1, steps + 1)
    into = times - months.astype(times.dtype)
    month_ends = (months + 1).astype("datetime64[D]") - 1
    if len({*into.tolist()}) > 1 and (times.astype("datetime64[D]") == month_ends).all():
        clock = times[-1] - times[-1].astype("datetime64[D]")
        ends = (ahead + 1).astype("datetime64[D]") - 1
        return cast(Array, ends.astype(times.dtype) + clock)
    if len({*into.tolist()}) > 1:  # such as every 30 days
        return cast(
            Array, times[-1] + _find_usual_step(np.diff(times), name) * np.arange(1, steps + 1)
        )
    return cast(Array, ahead.astype(times.dtype) + into[-1])


def _find_usual_step(differences: Array, name: str) -> Any:
    """The difference that most have; numbers may differ by their rounding."""
    differences = differences[differences > np.zeros(1, differences.dtype)[0]]
    if not len(differences):
        raise DataError(
            f"Series {name} has fewer than two times, so that the times after its end are not "
            "known; give more rows, or a table without times."
        )
    found = differences if differences.dtype.kind == "m" else np.round(differences, 9)
    kinds, counts = np.unique(found, return_counts=True)
    if counts.max() < _USUAL * len(differences):
        raise DataError(
            f"The times of series {name} are irregular: their distance is {_name_step(kinds[0])} "
            f"to {_name_step(kinds[-1])}, none in half of the rows, so that the times of a "
            "forecast are not known; bring the table to equal steps first."
        )
    return kinds[counts.argmax()]


def _name_step(step: Any) -> str:
    if not isinstance(step, np.timedelta64):
        return f"{step:g}"
    if step.dtype == np.dtype("timedelta64[M]"):
        return f"{step.astype(np.int64)} months"
    seconds = float(step / np.timedelta64(1, "s"))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.4g} {unit}"
    return f"{seconds:.4g} s"


def _has_workdays_only(days: Array) -> bool:
    """Whether all days are from Monday to Friday, and there are more than a week of them."""
    return bool(len(days) > _WORKDAYS and np.is_busday(days).all())


def format_times(times: Array, like: Array, zone: str = "", form: str = "") -> list[str]:
    """Times as text: in a form of `strftime`, else in the shortest ISO form that fits `like` too.

    >>> days = np.array(["2024-01-30", "2024-01-31"], "datetime64[ms]")
    >>> format_times(days + np.timedelta64(2, "D"), days)
    ['2024-02-01', '2024-02-02']
    """
    if times.dtype.kind != "M":
        return [f"{one:.15g}" for one in times.tolist()]
    if zone:
        there = [
            one.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
            for one in times.astype("datetime64[us]").tolist()
        ]
        return [one.strftime(form) if form else one.isoformat() for one in there]
    if form:
        return [one.strftime(form) for one in times.astype("datetime64[us]").tolist()]
    for unit in ("D", "m", "s", "ms"):
        shorter = f"datetime64[{unit}]"
        if all((one == one.astype(shorter)).all() for one in (times, like)):
            return [str(one) for one in np.datetime_as_string(times, unit=unit)]
    return [str(one) for one in np.datetime_as_string(times, unit="us")]
