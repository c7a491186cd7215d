"""The time in one column of a table, or in several together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sluice.option_names import name_setting
from sluice.sequence.data.ragged import Array
from sluice.sequence.data.readers.clock_times import read_clock
from sluice.sequence.data.readers.parsed_times import ParsedTimes
from sluice.sequence.data.readers.times import parse_times
from sluice.sequence.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

PARTS = {
    "year": ("year", "yr", "yyyy"),
    "month": ("month", "mon", "mo", "mm"),
    "day": ("day", "dd", "dom", "mday", "dayofmonth"),
    "ordinal": ("doy", "dayofyear", "yday", "julianday"),
    "hour": ("hour", "hr", "hh", "hourofday", "hours"),
    "minute": ("minute", "min", "mi"),
    "second": ("second", "sec", "ss"),
}
_RANGES = {
    "month": (1, 12),
    "day": (1, 31),
    "ordinal": (1, 366),
    "minute": (0, 59),
    "second": (0, 59),
}
CLOCK_NAMES = ("time", "timeofday", "clock", *PARTS["hour"])


class TimeOptions(NamedTuple):
    """What the caller says of the time.

    Attributes:
        columns: the columns of the time; empty to find them.
        time_format: as in `parse_times`.
        no_time: whether rows keep their order.
        missing: further words for a missing cell.
        id: the column of the ids of series, if there is one.
    """

    columns: tuple[str, ...] = ()
    time_format: str | None = None
    no_time: bool = False
    missing: Sequence[str] = ()
    id: str | None = None


def combine_times(
    columns: Mapping[str, pa.ChunkedArray | pa.Array], asked: TimeOptions
) -> ParsedTimes:
    """The times in one column, or in several together.

    Raises:
        DataError: as `parse_times`, or columns that do not make a time together.
    """
    names = [*columns]
    if len(names) == 1:
        return parse_times(columns, asked.time_format, asked.missing)
    parts = find_parts(names)
    if asked.time_format is None and len(parts) == len(names):
        return _combine_parts(parts, columns)
    clocks = [name for name in names if normalise_name(name) in CLOCK_NAMES or name == names[-1]]
    clock = clocks[0] if len(names) == 2 else None
    if clock is not None:
        day = next(name for name in names if name != clock)
        try:
            return _combine_clock(day, clock, columns, asked)
        except DataError:
            if asked.time_format is None:
                raise
    minutes = {part: name for part, name in parts.items() if part in ("hour", "minute", "second")}
    if asked.time_format is None and len(minutes) == len(names) - 1:
        day = next(name for name in names if name not in minutes.values())
        return _combine_numbers(day, minutes, columns, asked)
    joined = join_cells([*columns.values()])
    return parse_times({" ".join(columns): joined}, asked.time_format, asked.missing)


def normalise_name(name: str) -> str:
    """A name in small letters and digits only, to compare with usual ones."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def find_parts(names: Sequence[str]) -> dict[str, str]:
    """The columns that are named like parts of a date, by part."""
    return {
        part: name
        for part, usual in PARTS.items()
        for name in names
        if normalise_name(name) in usual
    }


def _combine_clock(
    day: str,
    clock: str,
    columns: Mapping[str, pa.ChunkedArray | pa.Array],
    asked: TimeOptions,
) -> ParsedTimes:
    dates = parse_times({day: columns[day]}, asked.time_format, asked.missing)
    if dates.values.dtype.kind != "M" or dates.zone or _has_clock(dates):
        raise DataError(
            f"column {day!r} does not hold days, so {clock!r} cannot be its time of day."
        )
    hours = read_clock(clock, columns[clock])
    return _add(dates, hours.microseconds, hours.bad, hours.pattern, hours.notes)


def _has_clock(dates: ParsedTimes) -> bool:
    days = dates.values.astype("datetime64[D]")
    off = dates.values != days
    off[[*dates.bad]] = False
    return bool(off.any())


def _combine_numbers(
    day: str,
    parts: Mapping[str, str],
    columns: Mapping[str, pa.ChunkedArray | pa.Array],
    asked: TimeOptions,
) -> ParsedTimes:
    dates = parse_times({day: columns[day]}, asked.time_format, asked.missing)
    if dates.values.dtype.kind != "M" or dates.zone or _has_clock(dates):
        raise DataError(f"column {day!r} does not hold days.")
    return _add_numbers(dates, parts, columns)


def _add_numbers(
    dates: ParsedTimes,
    parts: Mapping[str, str],
    columns: Mapping[str, pa.ChunkedArray | pa.Array],
) -> ParsedTimes:
    hours = read_clock(parts["hour"], columns[parts["hour"]])
    times = _add(dates, hours.microseconds, hours.bad, "%H:%M", hours.notes)
    for part, size in (("minute", 60_000_000), ("second", 1_000_000)):
        if part in parts:
            numbers, bad = _read_part(part, parts[part], columns)
            times = _add(times, numbers * size, bad, ":%S" if part == "second" else "", ())
    return times


def _add(
    dates: ParsedTimes,
    microseconds: Array,
    bad: Mapping[int, str],
    pattern: str,
    notes: tuple[str, ...],
) -> ParsedTimes:
    values = dates.values.astype("datetime64[us]") + microseconds.astype("timedelta64[us]")
    whole = dates.pattern or "%Y-%m-%d"
    blank = "" if pattern[:1] in ("", ":") else " "
    return ParsedTimes(
        values, {**bad, **dates.bad}, "", f"{whole}{blank}{pattern}", (*dates.notes, *notes)
    )


def _combine_parts(
    parts: Mapping[str, str], columns: Mapping[str, pa.ChunkedArray | pa.Array]
) -> ParsedTimes:
    """Columns of a year, month, day, hour and so on."""
    if "year" not in parts or ("day" in parts and "month" not in parts):
        raise DataError(
            f"columns {', '.join(columns)} have no year and month, so they give no order."
        )
    numbers, bad = dict[str, Array](), dict[int, str]()
    for part in ("year", "month", "day", "ordinal"):
        if part in parts:
            numbers[part], wrong = _read_part(part, parts[part], columns)
            bad |= wrong
    first = ((numbers["year"] - 1970) * 12).astype("datetime64[M]")
    month = first + (numbers.get("month", np.ones_like(numbers["year"])) - 1)
    days = month.astype("datetime64[D]")
    if "ordinal" in numbers:
        days = first.astype("datetime64[D]") + (numbers["ordinal"] - 1)
        inside = days.astype("datetime64[Y]") == first.astype("datetime64[Y]")
    else:
        days = days + (numbers.get("day", np.ones_like(numbers["year"])) - 1)
        inside = days.astype("datetime64[M]") == month
    for row in np.flatnonzero(~inside).tolist():
        bad.setdefault(row, f"{' '.join(columns)} is no day of the calendar")
    pattern = "%Y-%m-%d" if "day" in parts or "ordinal" in parts else "%Y-%m"
    dates = ParsedTimes(days.astype("datetime64[us]"), bad, "", pattern)
    if "hour" not in parts:
        return dates
    if pattern == "%Y-%m":
        raise DataError(f"columns {', '.join(columns)} have hours, but no day.")
    return _add_numbers(dates, parts, columns)


def _read_part(
    part: str, name: str, columns: Mapping[str, pa.ChunkedArray | pa.Array]
) -> tuple[Array, dict[int, str]]:
    """Whole numbers in the range of a part, and bad rows, which hold the least one."""
    parsed = parse_times({f"{part} ": columns[name]})
    values = parsed.values
    if values.dtype.kind == "M":  # four digits may be a year
        values = values.astype("datetime64[Y]").astype(np.int64) + 1970
    low, high = _RANGES.get(part, (1, 9999))
    if part == "year" and len(values) and values.max() < 100:
        raise DataError(
            f"column {name!r} has years of two digits; say "
            f"{name_setting('time', ','.join(columns))} and "
            f"{name_setting('time_format', ' '.join(['%y', '%m', '%d'][: len(columns)]))}."
        )
    wrong = (values < low) | (values > high) | (values != np.round(values))
    bad = dict(parsed.bad)
    for row in np.flatnonzero(wrong).tolist():
        bad.setdefault(row, f"column {name!r} has {values[row]}, expected a {part}")
    values = np.where(wrong, low, values).astype(np.int64)
    if len(bad) > 0.1 * len(values):
        raise DataError(f"{next(iter(bad.values()))}.")
    return values, bad


def join_cells(columns: Sequence[pa.ChunkedArray | pa.Array]) -> pa.Array:
    """The text of several columns, joined by blanks."""
    import pyarrow
    from pyarrow import compute

    texts = [
        compute.utf8_trim_whitespace(
            (one.combine_chunks() if isinstance(one, pyarrow.ChunkedArray) else one).cast("string")
        )
        for one in columns
    ]
    return compute.binary_join_element_wise(*texts, " ")
