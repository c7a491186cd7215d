"""The usual step of times, and the times that come next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sluice.option_names import name_setting
from sluice.sequence.data.clocks import (
    add_months,
    count_months,
    from_local,
    to_local,
)
from sluice.sequence.data.distinct import count_distinct, find_distinct
from sluice.sequence.data.ragged import Array
from sluice.sequence.data.report import pluralize
from sluice.sequence.errors import DataError

_DAY = 86_400_000_000
_UNITS = (
    (7 * _DAY, "week"),
    (_DAY, "day"),
    (3_600_000_000, "hour"),
    (60_000_000, "minute"),
    (1_000_000, "second"),
    (1_000, "millisecond"),
    (1, "microsecond"),
)
_MONTHS = {1: "month", 3: "quarter", 12: "year"}
_USUAL = 0.5
"""The share of all distances that the usual one has at least."""
_FIRST = 1000
"""Times that are looked at before all are, as they mostly decide."""
_SAME = 1e-6
"""The relative difference below which two distances of numbers are one."""


@dataclass(frozen=True)
class TimeStep:
    """The usual distance between two times.

    One of `months` and `length` is not 0.

    Attributes:
        months: calendar months.
        length: microseconds for dates, else in the unit of the numbers.
        local: whether the clock of the zone counts, as for days of 23 or 25 hours.
        weekdays: whether only Mondays to Fridays count; then `length` is a day.
        dates: whether the times are dates.
    """

    months: int = 0
    length: float = 0.0
    local: bool = False
    weekdays: bool = False
    dates: bool = True

    def __str__(self) -> str:
        if not self.dates:
            return f"{self.length:g}"
        if self.weekdays:
            return "1 weekday"
        if self.months:
            unit = max(size for size in _MONTHS if self.months % size == 0)
            return pluralize(self.months // unit, _MONTHS[unit])
        length = round(self.length)
        size, name = next((size, name) for size, name in _UNITS if length % size == 0)
        return pluralize(length // size, name)


def find_step(times: Array, zone: str = "") -> TimeStep | None:
    """The usual step of times: the distance that at least half of all distances have.

    Repeated times count once. Calendar months, quarters and years count as equal, and so do the
    days and weeks of a zone with daylight saving, and weekdays without the days between them.

    Args:
        times: of one sequence, (steps,), datetime64 (UTC if there is a zone) or numbers, in order.
        zone: the zone of dates: empty, UTC, an offset such as +01:00, or a name such as
            Europe/Berlin.

    Returns:
        The step, or None for fewer than two different times, or if no distance is usual.

    >>> str(find_step(np.array(["2024-01-31", "2024-02-29", "2024-03-31"], "datetime64[D]")))
    '1 month'
    """
    times = find_distinct(_drop_missing(times))
    if len(times) < 2:
        return None
    if times.dtype.kind != "M":
        return _find_number_step(times.astype(np.float64))
    times = times.astype("datetime64[us]", copy=False)
    local = to_local(times, zone)
    found = _find_months(local) or _find_weekdays(local)
    if found is not None:
        return found
    best, share = _find_mode(np.diff(times.astype(np.int64)))
    if zone and share < 1 and best >= 82_800_000_000:
        by_clock, local_share = _find_mode(np.diff(local.astype(np.int64)))
        if local_share > share and by_clock % _DAY == 0:
            return TimeStep(length=by_clock, local=True)
    return TimeStep(length=best) if share >= _USUAL else None


def count_steps(times: Array, step: TimeStep, zone: str = "") -> Array:
    """How many steps lie between each time and the next, (steps - 1,) float64.

    1 is the usual distance, 0 a repeated time, 3 a gap of two steps; a number that is not whole
    is an irregular one.
    """
    if times.dtype.kind != "M":
        counts = np.diff(times.astype(np.float64)) / step.length
        whole = np.round(counts)
        return np.where(np.abs(counts - whole) <= _SAME * np.maximum(whole, 1), whole, counts)
    local = to_local(times.astype("datetime64[us]"), zone)
    if step.months:
        return _count_month_steps(local, step.months)
    if step.weekdays:
        days = local.astype("datetime64[D]")
        rest = np.diff((local - days).astype(np.int64)) / _DAY
        weekdays: Array = np.busday_count(days[:-1], days[1:]) + rest
        return weekdays
    times = local if step.local else times.astype("datetime64[us]")
    return np.diff(times.astype(np.int64)) / step.length


def next_times(times: Array, steps: int, zone: str = "") -> Array:
    """The times of the steps after the end of a sequence, for a forecast.

    Args:
        times: of one sequence, (steps,), datetime64 (UTC if there is a zone) or numbers, in order.
        steps: how many to give.
        zone: the zone of dates, as in `find_step`.

    Returns:
        (steps,) datetime64[us] or float64. Months go on to the same day, or to the month's end if
        all times are at one; days go on at the same hour of the zone; weekdays leave Saturdays and
        Sundays out.

    Raises:
        DataError: fewer than two times, or no usual step.

    >>> next_times(np.array(["2024-11", "2024-12"], "datetime64[M]"), 2).astype("datetime64[D]")
    array(['2025-01-01', '2025-02-01'], dtype='datetime64[D]')
    """
    step = find_step(times, zone)
    if step is None:
        raise DataError(
            f"The times have no usual step ({describe_distances(times)}), so the next ones are "
            f"not known; {name_setting('regular', 'hour:mean')} makes them regular by a rule."
        )
    ahead = np.arange(1, steps + 1)
    if not step.dates:
        later: Array = float(times[-1]) + step.length * ahead
        return later
    times = times.astype("datetime64[us]")
    local = to_local(times, zone)
    if step.months:
        return from_local(add_months(local[-1:], step.months * ahead, _anchor(local)), zone)
    if step.weekdays:
        day = local[-1].astype("datetime64[D]")
        days = np.busday_offset(day, ahead, roll="backward")
        return from_local(days + (local[-1] - day), zone)
    lengths = (step.length * ahead).astype("timedelta64[us]")
    return from_local(local[-1] + lengths, zone) if step.local else times[-1] + lengths


def describe_distances(times: Array) -> str:
    """The least, the median and the greatest distance of different times, in words."""
    times = find_distinct(_drop_missing(times))
    if len(times) < 2:
        return f"there is only {pluralize(len(times), 'time')}"
    dates = times.dtype.kind == "M"
    whole = np.diff(times.astype("datetime64[us]").astype(np.int64) if dates else times)
    low, middle, high = (
        _describe_length(float(one), dates) for one in (whole.min(), np.median(whole), whole.max())
    )
    return f"distances from {low} to {high}, median {middle}"


def _describe_length(length: float, dates: bool) -> str:
    if not dates:
        return f"{length:g}"
    size, name = next((size, name) for size, name in _UNITS if length >= size or size == 1)
    number = length / size
    return f"{number:.3g} {name}{'' if number == 1 else 's'}"


def _drop_missing(times: Array) -> Array:
    missing = np.isnat(times) if times.dtype.kind == "M" else np.isnan(times.astype(np.float64))
    return times[~missing] if missing.any() else times


def _find_number_step(times: Array) -> TimeStep | None:
    distances = np.diff(times)
    middle = float(np.median(distances))
    near = np.abs(distances - middle) <= _SAME * middle + 4 * np.spacing(np.abs(times[1:]))
    if near.mean() < _USUAL:
        return None
    length = float(distances[near].mean())
    rounded = float(f"{length:.9g}")
    return TimeStep(
        length=rounded if abs(rounded - length) <= _SAME * length else length, dates=False
    )


def _find_mode(distances: Array) -> tuple[int, float]:
    """The most frequent distance, and its share of all."""
    values, often = count_distinct(distances)
    return int(values[np.argmax(often)]), float(often.max() / len(distances))


def _find_months(local: Array) -> TimeStep | None:
    """Calendar months, if all times are at the same day and hour, or at the ends of months."""
    if not (_are_months_apart(local[:_FIRST]) and _are_months_apart(local)):
        return None
    months = local.astype("datetime64[M]").astype(np.int64)
    anchor = _anchor(local)
    if (add_months(local[:1], months - months[0], anchor) != local).any():
        return None
    best, share = _find_mode(np.diff(months))
    return TimeStep(months=best) if share >= _USUAL else None


def _are_months_apart(local: Array) -> bool:
    """Whether times are at one hour, and at least 28 days from one to the next."""
    days = local.astype("datetime64[D]")
    apart = len(days) < 2 or np.diff(days).min() >= np.timedelta64(28, "D")
    return bool(apart and len(count_distinct(local - days)[0]) == 1)


def _anchor(local: Array) -> int:
    """The day of the month that monthly times are at: the latest, 31 if all are ends of months."""
    months = local.astype("datetime64[M]")
    days = local.astype("datetime64[D]")
    ends = (months + 1).astype("datetime64[D]") - 1
    if (days == ends).all() and len(days) > 1:
        return 31
    return int(((days - months.astype("datetime64[D]")).astype(np.int64) + 1).max())


def _count_month_steps(local: Array, months: int) -> Array:
    counts = np.diff(count_months(local)) / months
    expected = add_months(local[:1], count_months(local) - count_months(local)[:1], _anchor(local))
    off = (local - expected).astype(np.int64) / (30 * _DAY)
    return counts + np.diff(off)


def _find_weekdays(local: Array) -> TimeStep | None:
    """Weekdays, if no time is at a weekend, and most steps are to the next weekday."""
    if len(local) < 6 or not (_are_weekdays(local[:_FIRST]) and _are_weekdays(local)):
        return None
    days = local.astype("datetime64[D]")
    over_weekend = np.diff(days).astype(np.int64) > np.busday_count(days[:-1], days[1:])
    if not over_weekend.any():
        return None
    steps = np.busday_count(days[:-1], days[1:])
    return TimeStep(length=_DAY, weekdays=True) if (steps == 1).mean() >= _USUAL else None


def _are_weekdays(local: Array) -> bool:
    """Whether times are at one hour, from Mondays to Fridays."""
    days = local.astype("datetime64[D]")
    return bool(np.is_busday(days).all() and len(count_distinct(local - days)[0]) == 1)
