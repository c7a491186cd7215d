"""What the calendar says of the times of series: numbers that are known ahead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sluice.option_names import name_option, name_setting
from sluice.sequence.data.clocks import to_local
from sluice.sequence.data.ragged import Array
from sluice.sequence.data.series import Series
from sluice.sequence.errors import DataError

_DAY = 86_400.0
_CYCLES = 2
"""Of a cycle that the data cover less often, what is due to it cannot be told from a trend."""


@dataclass(frozen=True)
class _Field:
    """A field of the calendar: what it is called, and the seconds of its cycle."""

    title: str
    cycle: float


CALENDAR_FIELDS = {
    "month": _Field("month of the year", 365.25 * _DAY),
    "weekday": _Field("day of the week", 7 * _DAY),
    "hour": _Field("hour of the day", _DAY),
}


def list_calendar_columns(fields: Sequence[str]) -> tuple[str, ...]:
    """The names of the columns of some fields: each a sine and a cosine.

    >>> list_calendar_columns(["hour"])
    ('hour (sin)', 'hour (cos)')
    """
    return tuple(f"{name} ({wave})" for name in fields for wave in ("sin", "cos"))


def compute_calendar(times: Array, zone: str, fields: Sequence[str]) -> Array:
    """The fields at some times, on a circle: (steps, 2 × fields), float64.

    A month and a weekday are whole, from January and from Monday on; an hour has its minutes and
    seconds. All are by the clock of the zone.

    Args:
        times: (steps,), datetime64, UTC if there is a zone.
        zone: as in `find_zone`; empty for times without one.
        fields: some of "month", "weekday" and "hour".

    >>> compute_calendar(np.array(["2024-01-01T06:00"], "datetime64[s]"), "", ["hour"]).tolist()
    [[1.0, 0.0]]
    """
    local = to_local(times.astype("datetime64[us]"), zone)
    days = local.astype("datetime64[D]")
    parts = {
        "month": local.astype("datetime64[M]").astype(np.int64) % 12 / 12,
        "weekday": (days.astype(np.int64) + 3) % 7 / 7,  # 1970 began on a Thursday
        "hour": (local - days).astype(np.int64) / (1e6 * _DAY),
    }
    turns = np.stack([parts[name] for name in fields], axis=1)
    waves = np.stack((np.sin(2 * np.pi * turns), np.cos(2 * np.pi * turns)), axis=2)
    # Machines differ in the last digits, and data are known by theirs.
    rounded: Array = np.round(waves, 12).reshape(len(times), -1) + 0.0
    return rounded


def choose_calendar_fields(series: Series) -> tuple[str, ...]:
    """The fields that can say something of some series.

    The usual step must be half a cycle at most, and the longest series must cover two of them.

    Raises:
        DataError: series without dates; none of the fields can say anything.
    """
    _require_dates(series)
    step, span = _measure_times(series)
    chosen = tuple(
        name
        for name, field in CALENDAR_FIELDS.items()
        if step <= field.cycle / 2 and span >= _CYCLES * field.cycle
    )
    if not chosen:
        raise DataError(
            f"{name_setting('calendar', True)} has nothing to add: the series cover "
            f"{span / _DAY:.3g} days in steps of {step / _DAY:.3g}, and a day, a week or a year "
            "must hold two steps and be covered twice; leave it out."
        )
    return chosen


def add_calendar(series: Series, fields: Sequence[str]) -> Series:
    """Series with the columns of some fields after their own; as they are without fields.

    Raises:
        DataError: series without dates, or with a column of such a name.
    """
    if not fields:
        return series
    times = _require_dates(series)
    names = list_calendar_columns(fields)
    clash = [name for name in names if name in series.features]
    if clash:
        raise DataError(
            f"The column {clash[0]!r} has the name of one that {name_setting('calendar', True)} "
            "adds; call it otherwise."
        )
    found = compute_calendar(times, series.time_zone, fields)
    flat = np.concatenate((series.values.flat.astype(np.float64), found), axis=1)
    return replace(
        series,
        features=(*series.features, *names),
        values=replace(series.values, flat=flat),
    )


def describe_calendar(series: Series, fields: Sequence[str]) -> str:
    """A sentence on the fields that are read, and on those that are not."""
    step, span = _measure_times(series)
    reasons = []
    for name, field in CALENDAR_FIELDS.items():
        if name in fields:
            continue
        few = f"the series cover {span / field.cycle:.2g} of its cycles, {_CYCLES} needed"
        why = few if step <= field.cycle / 2 else f"a step is {step / field.cycle:.2g} of its cycle"
        reasons.append(f"{field.title} ({why})")
    left = f"; not {', '.join(reasons)}" if reasons else ""
    read = ", ".join(CALENDAR_FIELDS[name].title for name in fields)
    return f"Read from the calendar, as sine and cosine: {read}{left}."


def _measure_times(series: Series) -> tuple[float, float]:
    """The median step, and the length of the longest series with the step after its end, in
    seconds."""
    assert series.times is not None
    seconds = [one.astype("datetime64[us]").astype(np.int64) / 1e6 for one in series.times]
    apart = [np.diff(one) for one in seconds]
    steps = np.concatenate([one[one > 0] for one in apart] or [np.empty(0)])
    step = float(np.median(steps)) if len(steps) else np.inf
    longest = max((float(one[-1] - one[0]) for one in seconds if len(one)), default=0.0)
    return step, longest + (step if len(steps) else 0.0)


def _require_dates(series: Series) -> Array:
    """The times of all steps."""
    named = f"{name_option('time')} names a column of dates"
    if series.times is None:
        raise DataError(
            f"{name_setting('calendar', True)} needs the dates of the rows, but there is no column "
            f"of times; {named}."
        )
    if series.times.flat.dtype.kind != "M":
        raise DataError(
            f"{name_setting('calendar', True)} needs dates, but the times in "
            f"{series.time_name!r} are numbers; {named}, {name_option('time_format')} reads "
            "numbers as dates."
        )
    return series.times.flat
