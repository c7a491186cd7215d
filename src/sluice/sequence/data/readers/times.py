"""The times in one column of a table: numbers, ISO dates, or dates by a format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sluice.option_names import name_option
from sluice.sequence.data.readers.parsed_times import ParsedTimes
from sluice.sequence.data.readers.time_numbers import COUNTED, read_numbers
from sluice.sequence.data.readers.time_refusals import suggest_no_time
from sluice.sequence.data.readers.time_text import drop_missing, parse_text
from sluice.sequence.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


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
    from pyarrow import compute, types

    ((name, column),) = columns.items()
    if isinstance(column, pyarrow.ChunkedArray):
        column = column.combine_chunks()
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if types.is_timestamp(column.type) or types.is_date(column.type):
        return _read_dates(column)
    if types.is_string(column.type) or types.is_large_string(column.type):
        return parse_text(name, drop_missing(column, missing), time_format)
    if not (
        types.is_integer(column.type)
        or types.is_floating(column.type)
        or types.is_decimal(column.type)
    ):
        raise DataError(
            f"column {name!r} holds {column.type}, expected dates or numbers; "
            f"{name_option('time')} names another, {suggest_no_time()}."
        )
    if time_format is None or time_format in COUNTED:
        return read_numbers(name, column, time_format)
    known = compute.is_finite(column.cast("float64"))
    return parse_text(name, compute.if_else(known, column.cast("string"), None), time_format)


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
