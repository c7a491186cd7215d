"""Dates by the calendar and the clock of a zone, and how they are written."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from sluice.sequence.data.ragged import Array
from sluice.sequence.errors import DataError

_OFFSET = re.compile(r"([+-])(\d{2}):?(\d{2})")


@lru_cache(maxsize=64)
def find_zone(zone: str) -> tzinfo:
    """The zone of a name: UTC, an offset such as +05:30, or a name such as Europe/Berlin.

    Raises:
        DataError: no such zone.

    >>> find_zone("+05:30").utcoffset(None)
    datetime.timedelta(seconds=19800)
    """
    offset = _OFFSET.fullmatch(zone)
    if zone in ("UTC", "Z"):
        return UTC
    if offset:
        sign, hours, minutes = offset.groups()
        length = timedelta(hours=int(hours), minutes=int(minutes))
        if length < timedelta(hours=24):
            return timezone(-length if sign == "-" else length)
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise DataError(
            f"{zone!r} is no time zone; expected UTC, an offset such as +01:00, or a name such as "
            "Europe/Berlin."
        ) from None


def to_local(times: Array, zone: str) -> Array:
    """What the clocks of a zone show at UTC times, (steps,) datetime64[us]."""
    return times + _find_offsets(times, zone) if zone else times


def from_local(local: Array, zone: str, *, second: bool = False) -> Array:
    """The UTC times at which the clocks of a zone show `local`, (steps,) datetime64[us].

    Where clocks show a time twice, the first, or the `second`; where they skip it, as much later
    as they skip.
    """
    if not zone:
        return local
    found = find_zone(zone)
    quarters = local.astype("datetime64[s]").astype(np.int64) // 900
    starts, places = np.unique(quarters, return_inverse=True)
    offsets = []
    for start in (900 * starts).astype("datetime64[s]").tolist():
        offset = start.replace(tzinfo=found, fold=int(second)).utcoffset() or timedelta()
        offsets.append(round(offset.total_seconds()))
    times: Array = local - np.array(offsets, "timedelta64[s]")[places]
    return times


def _find_offsets(times: Array, zone: str) -> Array:
    """The offset of a zone at each time; clocks change at quarters of an hour at most."""
    found = find_zone(zone)
    quarters, places = np.unique(
        times.astype("datetime64[s]").astype(np.int64) // 900, return_inverse=True
    )
    offsets = []
    for quarter in quarters.tolist():
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=900 * quarter)
        offset = moment.astimezone(found).utcoffset() or timedelta()
        offsets.append(round(offset.total_seconds()))
    chosen: Array = np.array(offsets, "timedelta64[s]")[places]
    return chosen


def count_months(local: Array) -> Array:
    """The months since January 1970, (steps,) int64."""
    months: Array = local.astype("datetime64[M]").astype(np.int64)
    return months


def add_months(local: Array, months: Array, day: int) -> Array:
    """Times some calendar months later, at a day of the month or at the month's end.

    Args:
        local: datetime64[us], (1,) or as many as months.
        months: int64.
        day: of the month, 1 to 31; in a shorter month, its last day.
    """
    hour = local - local.astype("datetime64[D]")
    month = local.astype("datetime64[M]") + months
    end = (month + 1).astype("datetime64[D]") - 1
    later: Array = np.minimum(month.astype("datetime64[D]") + (day - 1), end) + hour
    return later


def format_time(value: np.generic | float, zone: str = "", pattern: str = "") -> str:
    """A time as text, in the clock of its zone.

    Args:
        value: datetime64 (UTC if there is a zone), or a number.
        zone: as in `find_zone`; empty for times without one.
        pattern: as of `strftime`, with `%:z` for an offset such as +01:00, and `%q` for the
            quarter; empty for ISO 8601.

    >>> format_time(np.datetime64("2024-07-01T12:00"), "Europe/Berlin")
    '2024-07-01T14:00:00+02:00'
    >>> format_time(np.datetime64("1949-01"), pattern="%Y-%m")
    '1949-01'
    """
    if not isinstance(value, np.datetime64):
        number = float(value)
        return str(int(number)) if number == int(number) else repr(number)
    if np.isnat(value):
        return ""
    moment = value.astype("datetime64[us]").item()
    if not isinstance(moment, datetime):
        return str(value)
    if zone:
        moment = moment.replace(tzinfo=UTC).astimezone(find_zone(zone))
    if not pattern:
        return moment.isoformat()
    written = pattern.replace("%Y", f"{moment.year:04d}").replace(
        "%q", str((moment.month + 2) // 3)
    )
    return moment.strftime(written.replace("%:z", _write_offset(moment)))


def _write_offset(moment: datetime) -> str:
    text = moment.strftime("%z")
    return f"{text[:3]}:{text[3:5]}" if text else ""
