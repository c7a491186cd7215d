"""The times of rows: numbers, ISO dates, dates by a format, and dates in several columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sluice.option_names import name_option, name_setting
from sluice.sequence.data.ragged import Array
from sluice.sequence.data.readers.numbers import is_missing
from sluice.sequence.data.readers.time_patterns import ISO, Moments, compile_form, describe_iso
from sluice.sequence.data.readers.time_suggestions import is_time_of_day, suggest_patterns
from sluice.sequence.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_WHOLE = r"^[+-]?\d{1,18}$"
_MOST = 0.9
"""The share of cells that decides what a column holds; the others are rows that are not read."""
_COUNTED = {"unix": 1e6, "unix-ms": 1e3, "unix-us": 1.0, "excel": 86_400e6}
"""Numbers that count from a first time, by the name of their format, in microseconds."""
_EXCEL_EPOCH = np.datetime64("1899-12-30", "us")
_EXCEL_MARCH_1900 = 61
"""Spreadsheets have a February 29, 1900; serial numbers before it differ by a day."""
_RANGE = 4e15
"""Microseconds from 1970 to about the year 2096, for what looks like a count of seconds."""
_CALENDAR_NAMES = ("date", "ds", "day", "month", "year", "period", "quarter", "week")


@dataclass(frozen=True)
class ParsedTimes:
    """The times of the rows of a table.

    Attributes:
        values: (rows,) datetime64[us], or [ns] where cells are that precise, in UTC if there is a
            zone; or numbers, int64 if all are whole, else float64. Without meaning in bad rows.
        bad: why a row has no time, by its number.
        zone: the zone of dates: empty if cells name none, UTC, an offset such as +01:00, or a name.
        pattern: how dates are written, as in `format_time`; empty for ISO 8601.
        notes: what was assumed, as sentences.
    """

    values: Array
    bad: Mapping[int, str] = field(default_factory=dict)
    zone: str = ""
    pattern: str = ""
    notes: tuple[str, ...] = ()


def parse_times(
    columns: Mapping[str, pa.ChunkedArray | pa.Array],
    time_format: str | None = None,
    missing: Sequence[str] = (),
) -> ParsedTimes:
    """The times in one column.

    Args:
        columns: the column by its name; text, numbers or dates.
        time_format: of text, as of `strptime`; or "unix", "unix-ms", "unix-us" or "excel" for
            numbers that count seconds, milli- or microseconds since 1970, or days since 1900.
            Several columns are joined by blanks.
        missing: further words for a missing cell.

    Raises:
        DataError: a column that holds no times, or dates that can be read in several ways.
    """
    import pyarrow
    from pyarrow import types

    ((name, column),) = columns.items()
    if isinstance(column, pyarrow.ChunkedArray):
        column = column.combine_chunks()
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if types.is_timestamp(column.type) or types.is_date(column.type):
        return _read_dates(column)
    if types.is_string(column.type) or types.is_large_string(column.type):
        return _parse_text(name, drop_missing(column, missing), time_format)
    if not (
        types.is_integer(column.type)
        or types.is_floating(column.type)
        or types.is_decimal(column.type)
    ):
        raise DataError(
            f"column {name!r} holds {column.type}, expected dates or numbers; "
            f"{name_option('time')} names another, {suggest_no_time()}."
        )
    return _read_numbers(name, column, time_format)


def suggest_no_time() -> str:
    """How to leave the rows in their order, for messages."""
    return f"{name_setting('no_time', True)} keeps the rows in their order"


def drop_missing(column: pa.Array, missing: Sequence[str]) -> pa.Array:
    """Cells of text without blanks around them, null for a missing one."""
    import pyarrow
    from pyarrow import compute

    cells = compute.utf8_trim_whitespace(column.cast("string"))
    short = cells if missing else cells.filter(compute.less(compute.utf8_length(cells), 8))
    known = compute.unique(short).to_pylist()
    absent = [word for word in known if word is not None and is_missing(word, missing)]
    if not absent:
        return cells
    return compute.if_else(compute.is_in(cells, pyarrow.array(absent, "string")), None, cells)


def _read_dates(column: pa.Array) -> ParsedTimes:
    from pyarrow import types

    zone, pattern = "", "%Y-%m-%d"
    if types.is_timestamp(column.type):
        zone, pattern = column.type.tz or "", ""
    fine = types.is_timestamp(column.type) and column.type.unit == "ns"
    whole = column.cast("timestamp[ns]" if fine else "timestamp[us]", safe=False)
    counts = np.asarray(whole.cast("int64").fill_null(0), np.int64)
    fine = fine and bool((counts % 1000).any())
    unit = "datetime64[ns]" if fine else "datetime64[us]"
    values = (
        counts.view("datetime64[ns]").astype(unit)
        if not fine and column.type == "timestamp[ns]"
        else None
    )
    if values is None:
        source = "datetime64[ns]" if whole.type.unit == "ns" else "datetime64[us]"
        values = counts.astype(source).astype(unit)
    nulls = np.flatnonzero(np.asarray(column.is_null()))
    return ParsedTimes(values, dict.fromkeys(nulls.tolist(), "no time is given"), zone, pattern)


def _read_numbers(name: str, column: pa.Array, time_format: str | None) -> ParsedTimes:
    """Numbers as an order of their own, or as dates that they count."""
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
    if time_format in _COUNTED:
        return _count_dates(name, values, bad, time_format)
    return _parse_text(name, compute.if_else(nulls, None, column.cast("string")), time_format)


def _describe_numbers(name: str, values: Array) -> tuple[str, ...]:
    """That times are numbers, and what they could count."""
    if not len(values):
        return ()
    low, high = float(values.min()), float(values.max())
    for form, size in _COUNTED.items():
        if form != "excel" and low * size >= 3e14 and high * size <= _RANGE:
            return (f"Times are numbers; {name_setting('time_format', form)} reads them as dates.",)
    serial = low >= 20_000 and high <= 80_000 and _is_calendar_name(name)
    hint = f"; {name_setting('time_format', 'excel')} reads them as dates" if serial else ""
    return (f"Times are numbers{hint}.",)


def _count_dates(name: str, values: Array, bad: dict[int, str], time_format: str) -> ParsedTimes:
    size = _COUNTED[time_format]
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


def _parse_text(name: str, cells: pa.Array, time_format: str | None) -> ParsedTimes:
    import pyarrow
    from pyarrow import compute

    known = np.asarray(cells.is_valid())
    numeric = np.asarray(compute.fill_null(compute.match_substring_regex(cells, _NUMBER), False))
    if time_format in _COUNTED or (
        time_format is None and numeric.sum() >= max(_MOST * known.sum(), 1)
    ):
        if time_format is None:
            dates = _parse_digits(name, cells.filter(pyarrow.array(known)), cells)
            if dates is not None:
                return dates
        return _parse_numbers(name, cells, numeric, time_format)
    form = ISO if time_format is None else compile_form(time_format)
    moments = _read_plain_iso(cells) if time_format is None else None
    moments = moments or form.read(cells)
    good = moments.valid
    if not good.any() or good.sum() < _MOST * known.sum():
        raise DataError(
            _refuse(name, cells.filter(pyarrow.array(known & ~good)), cells, time_format)
        )
    return _finish(name, cells, moments, time_format)


def read_plain_dates(cells: pa.Array) -> Array | None:
    """Microseconds of ISO dates without an offset; None if a cell is anything else."""
    import pyarrow

    try:
        whole = cells.cast("timestamp[us]")
    except pyarrow.ArrowInvalid:
        return None
    return np.asarray(whole.cast("int64").fill_null(0), np.int64)


def _read_plain_iso(cells: pa.Array) -> Moments | None:
    """ISO dates without an offset, many times faster; None if a cell is anything else."""
    counts = read_plain_dates(cells)
    if counts is None:
        return None
    nothing = np.zeros(len(cells), np.int64)
    valid = np.asarray(cells.is_valid())
    return Moments(counts.astype("datetime64[us]"), nothing, valid, nothing, nothing > 0)


def _parse_numbers(
    name: str, cells: pa.Array, numeric: Array, time_format: str | None
) -> ParsedTimes:
    from pyarrow import compute

    whole = compute.all(compute.match_substring_regex(cells.filter(numeric), _WHOLE)).as_py()
    plain = compute.if_else(numeric, compute.utf8_ltrim(cells, "+"), None)
    parsed = _read_numbers(name, plain.cast("int64" if whole else "float64"), time_format)
    bad = dict(parsed.bad)
    for row in np.flatnonzero(np.asarray(cells.is_valid()) & ~numeric).tolist():
        bad[row] = f"the time {cells[row].as_py()!r} is neither a number nor an ISO date"
    return ParsedTimes(parsed.values, bad, parsed.zone, parsed.pattern, parsed.notes)


def _parse_digits(name: str, known: pa.Array, cells: pa.Array) -> ParsedTimes | None:
    """Dates without marks, such as 20240131; None if the cells are numbers.

    Raises:
        DataError: dates in an order that is not that of their numbers.
    """
    from pyarrow import compute

    lengths = set(compute.unique(compute.utf8_length(known)).to_pylist())
    calendar = _is_calendar_name(name)
    if lengths == {8} or (lengths == {4} and calendar):
        moments = ISO.read(cells)
        years = moments.local[moments.valid].astype("datetime64[Y]").astype(np.int64) + 1970
        good = moments.valid.sum() >= _MOST * len(known)
        if good and years.min() >= 1700 and years.max() < 2300:
            return _finish(name, cells, moments, None)
    if lengths == {8} or (calendar and lengths == {6}):
        found = suggest_patterns(known)
        if found and not (found == ["%Y%m"]):
            raise DataError(_refuse(name, known, cells, None))
    if calendar and lengths == {7, 8}:
        padded = compute.utf8_lpad(known, 8, "0")
        if suggest_patterns(padded):
            raise DataError(
                f"column {name!r} holds dates that have lost their leading zero "
                f"({known[0].as_py()!r}); write them with 8 digits."
            )
    return None


def _is_calendar_name(name: str) -> bool:
    low = name.lower()
    return any(one in low for one in _CALENDAR_NAMES) and "update" not in low


def _refuse(name: str, wrong: pa.Array, cells: pa.Array, time_format: str | None) -> str:
    """Why a column holds no times, and what to say instead."""
    from pyarrow import compute

    known = cells.drop_null()
    if not len(known):
        return (
            f"column {name!r} is empty; {name_option('time')} names another, {suggest_no_time()}."
        )
    first = (wrong if len(wrong) else known)[0].as_py()
    found = suggest_patterns(known)
    number = f"all {len(known):,}" if len(known) > 1 else "it"
    if time_format is not None:
        hint = f"; {number} fit {_list_settings(found)}" if found else ""
        return (
            f"column {name!r} has {first!r}, which does not fit "
            f"{name_setting('time_format', time_format)}{hint}."
        )
    if len(found) == 1:
        return (
            f"column {name!r} holds dates that are not ISO 8601 ({first!r}); {number} fit "
            f"{found[0]}: say {name_setting('time_format', found[0])}, or {suggest_no_time()}."
        )
    if found:
        return (
            f"column {name!r} holds dates that can be read in several ways ({first!r}); say which: "
            f"{_list_settings(found)}; or {suggest_no_time()}."
        )
    if all(is_time_of_day(cell) for cell in compute.unique(known[:1000]).to_pylist()):
        return (
            f"column {name!r} holds times of day without a date ({first!r}), which give no order; "
            f"name all columns of the time, such as {name_setting('time', f'date,{name}')}, or "
            f"{suggest_no_time()}."
        )
    return (
        f"column {name!r} holds no times: {first!r} is neither a number nor an ISO date; "
        f"{name_option('time_format')} gives the format of other dates, "
        f"{name_option('time')} names another column, {suggest_no_time()}."
    )


def _list_settings(patterns: Sequence[str]) -> str:
    return " or ".join(name_setting("time_format", one) for one in patterns[:4])


def _finish(name: str, cells: pa.Array, moments: Moments, time_format: str | None) -> ParsedTimes:
    """UTC where cells have offsets, with the zone and the pattern to write such dates."""
    good = moments.valid
    bad = {}
    for row in np.flatnonzero(~good).tolist():
        cell = cells[row].as_py()
        expected = (
            "neither a number nor an ISO date" if time_format is None else f"not {time_format}"
        )
        bad[row] = "no time is given" if cell is None else f"the time {cell!r} is {expected}"
    first = int(np.argmax(good))
    pattern = describe_iso(cells[first].as_py()) if time_format is None else time_format
    zoned, notes, zone, local = moments.with_offset[good], [], "", moments.local
    if zoned.any() and not zoned.all():
        row = int(np.flatnonzero(good)[np.argmax(~zoned)])
        raise DataError(
            f"column {name!r} has times with an offset from UTC and others without, such as "
            f"{cells[row].as_py()!r}; write all in one way."
        )
    if zoned.any():
        offsets = np.unique(moments.offsets[good]).tolist()
        zone = _name_offset(offsets[0]) if len(offsets) == 1 else "UTC"
        shown = ", ".join(map(_name_offset, offsets))
        notes.append(f"Times with the offset {shown}, ordered as moments; given back in {zone}.")
        local = local - moments.offsets.astype("timedelta64[m]")
        if len(offsets) > 1 and pattern.endswith("Z"):
            pattern = pattern[:-1] + "%:z"
    values = local
    if moments.nanoseconds[good].any():
        values = local.astype("datetime64[ns]") + moments.nanoseconds.astype("timedelta64[ns]")
    return ParsedTimes(values, bad, zone, pattern, tuple(notes))


def _name_offset(minutes: int) -> str:
    if not minutes:
        return "UTC"
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
