"""Times that are numbers: an order of their own, or dates that they count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sluice.option_names import name_setting
from sluice.sequence.data.ragged import Array
from sluice.sequence.data.readers.parsed_times import ParsedTimes

if TYPE_CHECKING:
    import pyarrow as pa

COUNTED = {"unix": 1e6, "unix-ms": 1e3, "unix-us": 1.0, "excel": 86_400e6}
"""Numbers that count from a first time, by the name of their format, in microseconds."""
_EXCEL_EPOCH = np.datetime64("1899-12-30", "us")
_EXCEL_MARCH_1900 = 61
"""Spreadsheets have a February 29, 1900; serial numbers before it differ by a day."""
_RANGE = 4e15
"""Microseconds from 1970 to about the year 2096, for what looks like a count of seconds."""
_CALENDAR_NAMES = ("date", "ds", "day", "month", "year", "period", "quarter", "week")


def read_numbers(name: str, column: pa.Array, time_format: str | None) -> ParsedTimes:
    """Numbers as an order of their own, or as dates that they count, by a name in `COUNTED`."""
    from pyarrow import compute, types

    nulls = np.asarray(column.is_null())
    if types.is_integer(column.type):
        values = np.array(compute.fill_null(column.cast("int64"), 0), np.int64)
    else:
        values = np.array(compute.fill_null(column.cast("float64"), np.nan), np.float64)
        nulls = nulls | ~np.isfinite(values)
        values = np.where(nulls, 0.0, values)
        if (np.abs(values) < 2**53).all() and (values == np.round(values)).all():
            values = values.astype(np.int64)
    bad = dict.fromkeys(np.flatnonzero(nulls).tolist(), "no time is given")
    if time_format is None:
        return ParsedTimes(values, bad, notes=_describe_numbers(name, values[~nulls]))
    return _count_dates(name, values, bad, time_format)


def _describe_numbers(name: str, values: Array) -> tuple[str, ...]:
    """That times are numbers, and what they could count."""
    if not len(values):
        return ()
    low, high = float(values.min()), float(values.max())
    for form, size in COUNTED.items():
        if form != "excel" and low * size >= 3e14 and high * size <= _RANGE:
            return (f"Times are numbers; {name_setting('time_format', form)} reads them as dates.",)
    serial = low >= 20_000 and high <= 80_000 and is_calendar_name(name)
    hint = f"; {name_setting('time_format', 'excel')} reads them as dates" if serial else ""
    return (f"Times are numbers{hint}.",)


def _count_dates(name: str, values: Array, bad: dict[int, str], time_format: str) -> ParsedTimes:
    size = COUNTED[time_format]
    epoch = _EXCEL_EPOCH if time_format == "excel" else np.datetime64(0, "us")
    counts = values * int(size) if values.dtype.kind == "i" else np.round(values * size)
    far = np.abs(values.astype(np.float64) * size) > 2e17
    if time_format == "excel":
        far |= values < _EXCEL_MARCH_1900
    for row in np.flatnonzero(far).tolist():
        bad.setdefault(row, f"column {name!r} has {values[row]}, beyond {time_format} dates")
    good = np.where(far, 0, counts).astype(np.int64)
    return ParsedTimes(
        epoch + good.astype("timedelta64[us]"), bad, "" if time_format == "excel" else "UTC"
    )


def is_calendar_name(name: str) -> bool:
    """Whether a column is called like dates."""
    low = name.lower()
    return any(one in low for one in _CALENDAR_NAMES) and "update" not in low
