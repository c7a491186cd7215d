"""Series of numbers from CSV files."""

from __future__ import annotations

import csv
import math
from array import array
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import TextIO, Unpack

import numpy as np

from sluice.files import StrPaths, to_paths
from sluice.sequence.data.readers.columns import ColumnRoles, Rows, TableOptions, to_series
from sluice.sequence.data.readers.encodings import open_text, scan_text
from sluice.sequence.data.report import (
    LoadProgress,
    OnReading,
    SkippedItem,
    ignore_progress,
)
from sluice.sequence.data.series import Series
from sluice.sequence.errors import DataError

_MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "?"))
_SAMPLE_ROWS = 200
"""Rows that decide which columns hold numbers."""
_MAX_SKIPPED = 0.1
_SHOWN_LINES = 5
Row = tuple[int, list[str]]


def read_csv(
    files: StrPaths,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    on_reading: OnReading = ignore_progress,
    **options: Unpack[TableOptions],
) -> Series:
    """Series of numbers from CSV files: a row is a step; a sequence is a file, or an id in it.

    The first row names the columns unless all its cells are numbers. Empty cells, NA, NaN, null,
    None and ? are missing values. A row with another number of cells, or text instead of a number,
    is skipped; if that happens to more than one row in ten, the file is refused.

    Args:
        files: tables with the same columns.
        delimiter: between cells; default the most frequent of , ; tab | in the first line.
        encoding: as in `read_text`.
        on_reading: called with the progress.
        options: the roles of columns: `inputs`, `target`, `id`, `time`, `label` and `label_per`,
            see `TableOptions`.

    Raises:
        DataError: a column that does not exist, or no row that can be read.
    """
    files = to_paths(files)
    roles = ColumnRoles.from_options(options)
    total, before, tables = sum(path.stat().st_size for path in files), 0, []
    for path in files:
        found = scan_text(path, encoding)
        with open_text(path, found.encoding) as file:
            rows = _iterate_rows(path, file, delimiter)
            tables.append(_read(path, rows, roles))
        before += path.stat().st_size
        on_reading(LoadProgress("reading", before, total))
    return to_series(tables, "CSV", options.get("label_per"))


def _iterate_rows(path: Path, file: TextIO, delimiter: str | None) -> Iterator[Row]:
    """Each row that is not empty, with its line number."""
    head = file.readline()
    delimiter = delimiter or max(",;\t|", key=head.count)
    reader = csv.reader(chain([head], file), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if any(row):
                yield reader.line_num, [cell.strip() for cell in row]
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: not CSV ({error}).") from None


class _RowError(DataError):
    """The reason why a row cannot be read."""


def _read(path: Path, rows: Iterator[Row], roles: ColumnRoles) -> Rows:
    header, rows = _split_header(path, rows)
    sample = list(islice(rows, _SAMPLE_ROWS))
    numeric = _find_numeric(header, [row for _, row in sample])
    try:
        roles = roles.resolve(header, numeric)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    place = {name: number for number, name in enumerate(header)}
    columns = [place[name] for name in roles.inputs]
    values, times, has_dates = array("d"), array("d"), False
    ids, labels, refused = list[str](), list[str](), list[SkippedItem]()
    for line, row in chain(sample, rows):
        try:
            if len(row) != len(header):
                raise _RowError(f"expected {len(header)} cells as in the first row, got {len(row)}")
            read = [_parse_number(row[column], header[column]) for column in columns]
            when = _parse_time(row[place[roles.time]]) if roles.time else 0.0
            if roles.time and not times:
                has_dates = not _is_number(row[place[roles.time]])
        except _RowError as error:
            refused.append(SkippedItem(str(path), line, str(error)))
            continue
        values.extend(read)
        times.append(when)
        if roles.id:
            ids.append(row[place[roles.id]])
        if roles.label:
            name = row[place[roles.label]]
            labels.append("" if name.lower() in _MISSING else name)
    _require_few_skipped(path, refused, len(times))
    return Rows(
        path,
        roles,
        np.frombuffer(values, np.float64).reshape(-1, len(columns)),
        ids,
        labels,
        np.frombuffer(times, np.float64),
        tuple(name for name in header if name not in roles.role_columns),
        tuple(refused),
        has_dates,
    )


def _split_header(path: Path, rows: Iterator[Row]) -> tuple[list[str], Iterator[Row]]:
    """The names of the columns, and the rows of values."""
    first = next(rows, None)
    if first is None:
        raise DataError(f"{path} has no rows; give a table with values.")
    line, cells = first
    if all(_is_number(cell) or cell.lower() in _MISSING for cell in cells):
        names = [f"column {number}" for number in range(1, len(cells) + 1)]
        return names, chain([(line, cells)], rows)
    twice = next((cell for cell in cells if cells.count(cell) > 1), None)
    if twice is not None:
        raise DataError(f"{path}: two columns are named {twice!r}; rename one.")
    return cells, rows


def _find_numeric(header: Sequence[str], rows: Sequence[list[str]]) -> list[str]:
    """The columns in which most known values are numbers."""
    found = []
    for place, name in enumerate(header):
        cells = [row[place] for row in rows if len(row) == len(header)]
        known = [cell for cell in cells if cell.lower() not in _MISSING]
        if 2 * sum(map(_is_number, known)) > len(known) or not known:
            found.append(name)
    return found


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def _parse_number(cell: str, column: str) -> float:
    if cell.lower() in _MISSING:
        return np.nan
    if not _is_number(cell):
        raise _RowError(f"column {column!r} has {cell!r}, expected a number")
    return float(cell)


def _parse_time(cell: str) -> float:
    """A number, or seconds since 1970 of an ISO date."""
    if _is_number(cell):
        return float(cell)
    try:
        moment = datetime.fromisoformat(cell)
    except ValueError:
        raise _RowError(f"the time {cell!r} is neither a number nor an ISO date") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _require_few_skipped(path: Path, skipped_items: Sequence[SkippedItem], read_rows: int) -> None:
    if len(skipped_items) <= _MAX_SKIPPED * (read_rows + len(skipped_items)) and read_rows:
        return
    if not skipped_items:
        raise DataError(f"{path} has no rows after its first; give a table with values.")
    some = ", ".join(str(one.line) for one in skipped_items[:_SHOWN_LINES])
    raise DataError(
        f"{path}: {len(skipped_items)} of {read_rows + len(skipped_items)} rows cannot be read "
        f"(lines {some}{', ...' if len(skipped_items) > _SHOWN_LINES else ''}), the first: "
        f"{skipped_items[0].reason}; correct them."
    )
