"""Times of day in a column beside that of the date."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sluice.sequence.data.ragged import Array
from sluice.sequence.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

_CLOCK = r"^(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,](?P<f>\d{1,6}))?)?$"
_HOUR = 3_600_000_000
_MINUTE = 60_000_000
_MOST = 0.9


class ClockTimes(NamedTuple):
    """Times of day in microseconds since midnight, bad rows, and how they are written."""

    microseconds: Array
    bad: Mapping[int, str]
    pattern: str
    notes: tuple[str, ...] = ()


def read_clock(name: str, column: pa.ChunkedArray | pa.Array) -> ClockTimes:
    """Times of day: `9:30`, `09:30:15`, hours from 0 to 24, or hours and minutes as `930`.

    Raises:
        DataError: other cells.
    """
    import pyarrow
    from pyarrow import compute, types

    if isinstance(column, pyarrow.ChunkedArray):
        column = column.combine_chunks()
    if types.is_time(column.type):
        counts = column.cast("time64[us]").cast("int64")
        nulls = np.flatnonzero(np.asarray(counts.is_null()))
        bad = dict.fromkeys(nulls.tolist(), "no time is given")
        return ClockTimes(np.array(counts.fill_null(0), np.int64), bad, "%H:%M:%S")
    cells = compute.utf8_trim_whitespace(column.cast("string"))
    known = np.asarray(compute.fill_null(compute.greater(compute.utf8_length(cells), 0), False))
    found = compute.extract_regex(cells, _CLOCK)
    if np.asarray(found.is_valid()).sum() >= max(_MOST * known.sum(), 1):
        return _read_marked(cells, found)
    whole = compute.fill_null(compute.match_substring_regex(cells, r"^\d{1,4}(\.0+)?$"), False)
    if np.asarray(whole).sum() < max(_MOST * known.sum(), 1):
        raise DataError(_refuse(name, cells))
    numbers = compute.if_else(whole, cells, "0").cast("float64")
    return _read_hours(
        name, np.array(numbers, np.float64).astype(np.int64), cells, np.asarray(whole)
    )


def _read_marked(cells: pa.Array, found: pa.StructArray) -> ClockTimes:
    from pyarrow import compute

    def read(part: str) -> Array:
        texts = compute.fill_null(found.field(part), "")
        texts = compute.utf8_rpad(texts, 6, "0") if part == "f" else texts
        return np.asarray(compute.if_else(compute.equal(texts, ""), "0", texts).cast("int64"))

    hour, minute, second = read("H"), read("M"), read("S")
    good = np.asarray(found.is_valid()) & (minute < 60) & (second < 60)
    good &= (hour < 24) | ((hour == 24) & (minute == 0) & (second == 0))
    times = hour * _HOUR + minute * _MINUTE + second * 1_000_000 + read("f")
    bad = _list_bad(cells, good)
    seconds = np.asarray(compute.fill_null(compute.utf8_length(found.field("S")), 0))
    fractions = np.asarray(compute.fill_null(compute.utf8_length(found.field("f")), 0))
    pattern = "%H:%M" + (":%S" if seconds.any() else "") + (".%f" if fractions.any() else "")
    return ClockTimes(np.where(good, times, 0), bad, pattern)


def _read_hours(name: str, numbers: Array, cells: pa.Array, whole: Array) -> ClockTimes:
    known = numbers[whole]
    if known.max() <= 24:
        notes: tuple[str, ...] = ()
        if known.max() == 24 and known.min() >= 1:
            notes = (f"{name}: hours 1 to 24; 24 is midnight at the end of the day.",)
        return ClockTimes(numbers * _HOUR, _list_bad(cells, whole), "%H:%M", notes)
    if known.max() >= 100 and (known % 100 < 60).all() and known.max() <= 2400:
        times = numbers // 100 * _HOUR + numbers % 100 * _MINUTE
        note = f"{name}: hours and minutes, such as {cells[int(np.argmax(whole))].as_py()}."
        return ClockTimes(times, _list_bad(cells, whole), "%H:%M", (note,))
    raise DataError(_refuse(name, cells))


def _list_bad(cells: pa.Array, good: Array) -> dict[int, str]:
    return {
        row: f"the time of day {cells[row].as_py()!r} is none"
        if cells[row].as_py()
        else "no time is given"
        for row in np.flatnonzero(~good).tolist()
    }


def _refuse(name: str, cells: pa.Array) -> str:
    first = next((cell for cell in cells[:1000].to_pylist() if cell), "")
    last = next((cell for cell in reversed(cells[-1000:].to_pylist()) if cell), "")
    return (
        f"column {name!r} holds {first!r} ... {last!r}, expected times of day such as 09:30, or "
        "hours from 0 to 24."
    )
