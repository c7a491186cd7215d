"""Times in the text of cells: numbers, ISO dates, and dates by a format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sluice.sequence.data.ragged import Array
from sluice.sequence.data.readers.numbers import is_missing
from sluice.sequence.data.readers.parsed_times import ParsedTimes
from sluice.sequence.data.readers.time_numbers import COUNTED, is_calendar_name, read_numbers
from sluice.sequence.data.readers.time_patterns import ISO, Moments, compile_form, describe_iso
from sluice.sequence.data.readers.time_refusals import describe_refusal
from sluice.sequence.data.readers.time_suggestions import suggest_patterns
from sluice.sequence.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_WHOLE = r"^[+-]?\d{1,18}$"
_MOST = 0.9
"""The share of cells that decides what a column holds; the others are rows that are not read."""


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


def parse_text(name: str, cells: pa.Array, time_format: str | None) -> ParsedTimes:
    """The times in cells of text without blanks around them, null for a missing one.

    Raises:
        DataError: as `parse_times`.
    """
    import pyarrow
    from pyarrow import compute

    known = np.asarray(cells.is_valid())
    numeric = np.asarray(compute.fill_null(compute.match_substring_regex(cells, _NUMBER), False))
    if time_format in COUNTED or (
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
            describe_refusal(name, cells.filter(pyarrow.array(known & ~good)), cells, time_format)
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
    parsed = read_numbers(name, plain.cast("int64" if whole else "float64"), time_format)
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
    calendar = is_calendar_name(name)
    if lengths == {8} or (lengths == {4} and calendar):
        moments = ISO.read(cells)
        years = moments.local[moments.valid].astype("datetime64[Y]").astype(np.int64) + 1970
        good = moments.valid.sum() >= _MOST * len(known)
        if good and years.min() >= 1700 and years.max() < 2300:
            return _finish(name, cells, moments, None)
    if lengths == {8} or (calendar and lengths == {6}):
        found = suggest_patterns(known)
        if found and not (found == ["%Y%m"]):
            raise DataError(describe_refusal(name, known, cells, None))
    if calendar and lengths == {7, 8}:
        padded = compute.utf8_lpad(known, 8, "0")
        if suggest_patterns(padded):
            raise DataError(
                f"column {name!r} holds dates that have lost their leading zero "
                f"({known[0].as_py()!r}); write them with 8 digits."
            )
    return None


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
