"""The rows of a table that can be read: its columns as numbers, and what was assumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sluice.sequence.data.ragged import Array
from sluice.sequence.data.readers.categories import add_categories, match_category
from sluice.sequence.data.readers.columns import Rows, to_series
from sluice.sequence.data.readers.empty_columns import leave_out_empty
from sluice.sequence.data.readers.numbers import (
    NumberFormat,
    count_rounded,
    parse_numbers,
)
from sluice.sequence.data.readers.parsed_times import ParsedTimes
from sluice.sequence.data.readers.plain_times import PlainTimes
from sluice.sequence.data.readers.row_blocks import RowBlocks
from sluice.sequence.data.readers.table import Table, is_text
from sluice.sequence.data.readers.table_notes import describe_columns
from sluice.sequence.data.readers.table_options import (
    ColumnRoles,
    TableOptions,
    find_column,
)
from sluice.sequence.data.readers.table_reading import (
    TableReading,
    find_form,
    is_numeric,
    require_numbers,
    suggest_columns,
)
from sluice.sequence.data.readers.table_times import find_roles, get_time_options
from sluice.sequence.data.readers.time_parts import combine_times
from sluice.sequence.data.readers.time_refusals import suggest_no_time
from sluice.sequence.data.readers.time_zones import place_in_zone, require_times
from sluice.sequence.data.report import SkippedItem, pluralize
from sluice.sequence.data.series import Series
from sluice.sequence.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

_MAX_SKIPPED = 0.1
_MOVED_ROWS = 1 << 16
_SHOWN_LINES = 5
_LARGEST = 1e150
"""Larger numbers have no finite square, so that they could not be scaled."""


def read_tables(tables: Sequence[Table], options: TableOptions) -> Series:
    """Series from files of the same columns.

    Raises:
        DataError: as `read_rows`, or files of different columns.
    """
    options = add_categories(tables, options)
    rows = leave_out_empty([read_rows(table, options) for table in tables], options)
    return to_series(rows, options.get("label_per"), options.get("regular"))


def read_rows(table: Table, options: TableOptions) -> Rows:
    """Read the columns that have a role.

    Raises:
        DataError: a column that does not exist or cannot be read as asked, a number beyond 1e150,
            too many rows that cannot be read, or none.
    """
    reading = TableReading(table, options)
    columns = [name for name in table.types if name not in table.left_out]
    try:
        roles, note = find_roles(table, options)
        reading.form = find_form(reading, roles)
        numeric = [name for name in columns if is_numeric(reading, name)]
        roles = roles.resolve([*table.types], numeric)
        require_times(roles.time, options.get("time_zone"))
        require_numbers(reading, roles)
    except DataError as error:
        hint = suggest_columns(reading) if "is numeric" in str(error) else ""
        raise DataError(f"{table.path}: {error}{hint}") from None
    return _select_rows(reading, roles, _read_cells(reading, roles), note)


class _Cells(NamedTuple):
    """All rows of a table: its inputs, (rows, inputs), other columns by name, and the times."""

    values: Array
    texts: dict[str, pa.ChunkedArray]
    times: PlainTimes | None


def _read_cells(reading: TableReading, roles: ColumnRoles) -> _Cells:
    names = [*reading.table.types]
    sources = {name: find_column(name, names) or name for name in roles.inputs}
    plain = _start_plain_times(reading, roles)
    others = [name for name in (roles.id, *roles.time, roles.label) if name is not None]
    held = [name for name in others if plain is None or name not in roles.time]
    texts: dict[str, list[pa.Array]] = {name: [] for name in held}
    values = RowBlocks((len(sources),), np.float64)
    numbers = _list_missing_numbers(reading.missing)
    columns = list(dict.fromkeys((*sources.values(), *others)))
    for batch in reading.table.read(columns, _list_plain_numbers(reading, sources, others)):
        first = len(values)
        block = values.extend(batch.num_rows)
        for place, (name, source) in enumerate(sources.items()):
            column = batch.column(batch.schema.names.index(source))
            if name in names:
                block[:, place] = _parse_column(reading, name, column, first)
            else:
                listed = [
                    one.removeprefix(f"{source}=")
                    for one in sources
                    if one not in names and sources[one] == source
                ]
                block[:, place] = match_category(reading, name, source, column, listed)
        for name in held:
            column = batch.column(batch.schema.names.index(name))
            texts[name].append(column if name in roles.time else _encode_text(column))
        if plain is not None:
            plain.add(batch.column(batch.schema.names.index(roles.time[0])))
        for number in numbers:
            block[block == number] = np.nan
        _refuse_large(reading, block, [*sources], first)
        _stop_early(reading, len(values))
    whole = {name: _join_chunks(parts) for name, parts in texts.items() if parts}
    if plain is not None and not plain.are_known:
        plain = None
        whole |= _read_texts(reading, roles.time)
    return _Cells(values.finish(), whole, plain)


def _start_plain_times(reading: TableReading, roles: ColumnRoles) -> PlainTimes | None:
    """For one column of text whose times have no format and no other role; else None."""
    import pyarrow

    if len(roles.time) != 1 or reading.options.get("time_format"):
        return None
    (name,) = roles.time
    if name in (roles.id, roles.label) or not is_text(reading.table.types[name]):
        return None
    found = PlainTimes(reading.missing)
    found.add(pyarrow.array(reading.table.sample[name], "string"))
    return PlainTimes(reading.missing) if found.plain else None


def _list_plain_numbers(
    reading: TableReading, sources: Mapping[str, str], others: Sequence[str]
) -> list[str]:
    """The columns of text that may be read as numbers at once."""
    if reading.form != NumberFormat():
        return []
    kinds = reading.kinds
    return [
        name
        for name, source in sources.items()
        if name == source and name in kinds and kinds[name].name == "number" and name not in others
    ]


def _encode_text(column: pa.Array) -> pa.Array:
    """Text with each word once, which is small where words are few."""
    return column.dictionary_encode() if is_text(column.type) else column


def _join_chunks(parts: Sequence[pa.Array]) -> pa.ChunkedArray:
    import pyarrow

    return pyarrow.chunked_array(parts)


def _to_float64(column: pa.Array) -> Array:
    """Numbers or truth values as float64; whole numbers beyond 2^53 are rounded."""
    numbers = column.cast("float64", safe=False).to_numpy(zero_copy_only=False)
    return np.array(numbers, np.float64)


def _list_missing_numbers(words: Sequence[str]) -> list[float]:
    """The words for missing values that are numbers, such as -999."""
    found = []
    for word in words:
        try:
            found.append(float(word))
        except ValueError:
            continue
    return found


def _parse_column(reading: TableReading, name: str, column: pa.Array, first: int) -> Array:
    kind = reading.kinds.get(name)
    if kind is None or not is_text(column.type):
        values = _to_float64(column)
    else:
        values, invalid = parse_numbers(column, reading.form, kind, reading.missing)
        for row in np.flatnonzero(invalid).tolist():
            expected = f"a number with the unit {kind.unit}" if kind.unit else "a number"
            expected = "true or false" if kind.name == "boolean" else expected
            cell = column[row].as_py()
            reading.bad.setdefault(
                first + row, f"column {name!r} has {cell!r}, expected {expected}"
            )
    rounded = count_rounded(column, values)
    if rounded:
        reading.rounded[name] = reading.rounded.get(name, 0) + rounded
    return values


def _refuse_large(reading: TableReading, block: Array, names: Sequence[str], first: int) -> None:
    rows, columns = np.nonzero(np.abs(block) > _LARGEST)
    if len(rows):
        row = first + int(rows[0])
        (line, *_), _ = reading.table.find_lines([row])
        place = SkippedItem(
            str(reading.table.path),
            line,
            f"column {names[columns[0]]!r} is infinite or beyond {_LARGEST:g}"
            f"{'' if line else f', in row {row + 1}'}; correct it.",
        )
        raise DataError(str(place))


def _stop_early(reading: TableReading, rows: int) -> None:
    """Do not collect reasons for a large table that will be refused."""
    if len(reading.bad) > 1000 and len(reading.bad) > rows / 2:
        _require_few_skipped(reading, rows, _find_skipped(reading))


def _find_skipped(reading: TableReading) -> list[SkippedItem]:
    """All rows that cannot be read, in the order of their lines."""
    table = reading.table
    if not reading.bad and not table.count_skipped():
        return []
    lines, others = table.find_lines([*reading.bad])
    mine = [
        SkippedItem(str(table.path), line, reason)
        for line, reason in zip(lines, reading.bad.values(), strict=True)
    ]
    return sorted([*mine, *others], key=lambda item: item.line or 0)


def _select_rows(reading: TableReading, roles: ColumnRoles, cells: _Cells, note: str) -> Rows:
    """The rows that can be read, with what the report says of them."""
    import pyarrow

    table, values = reading.table, cells.values
    notes = [*table.notes, *table.describe_reading()]
    end = _find_end(reading, cells)
    if end < len(values):
        notes.append(f"Left out: {pluralize(len(values) - end, 'empty row')} at the end.")
    values, whole = values[:end], {name: column[:end] for name, column in cells.texts.items()}
    times = _read_times(reading, roles, cells, end) if roles.time and end else None
    notes += [note] if note else []
    skipped = _find_skipped(reading)
    bad = np.array(sorted(reading.bad), np.int64)
    _require_few_skipped(reading, end - len(bad), skipped)
    if len(bad):
        keep = np.ones(end, bool)
        keep[bad] = False
        values = _keep_rows(values, keep)
        times = times and replace(times, values=times.values[keep])
        whole = {name: column.filter(pyarrow.array(keep)) for name, column in whole.items()}
    return Rows(
        table.path,
        table.kind,
        roles,
        values,
        whole[roles.id] if roles.id else None,
        whole[roles.label] if roles.label else None,
        times,
        tuple(skipped),
        (*notes, *describe_columns(reading, roles, values)),
        {**_list_options(reading), **({"time": [*roles.time]} if roles.time else {})},
    )


def _keep_rows(values: Array, keep: Array) -> Array:
    """The rows to keep, moved up in place."""
    number = 0
    for first in range(0, len(values), _MOVED_ROWS):
        part = values[first : first + _MOVED_ROWS][keep[first : first + _MOVED_ROWS]]
        values[number : number + len(part)] = part
        number += len(part)
    return values[:number]


def _read_times(reading: TableReading, roles: ColumnRoles, cells: _Cells, end: int) -> ParsedTimes:
    """The times of all rows; those without one are noted as bad."""
    if cells.times is not None:
        times = cells.times.finish(end)
    else:
        try:
            times = combine_times(
                {name: cells.texts[name][:end] for name in roles.time},
                get_time_options(reading.table, reading.options),
            )
        except DataError as error:
            raise reading.fail(str(error)) from None
    for row, reason in times.bad.items():
        reading.bad.setdefault(row, reason)
    zone = reading.options.get("time_zone")
    return place_in_zone(times, zone, in_order=roles.id is None) if zone else times


def _read_texts(reading: TableReading, names: Sequence[str]) -> dict[str, pa.ChunkedArray]:
    """Columns once more, whose text was not held."""
    parts: dict[str, list[pa.Array]] = {name: [] for name in names}
    for batch in reading.table.read(names):
        for name in names:
            parts[name].append(batch.column(batch.schema.names.index(name)))
    return {name: _join_chunks(some) for name, some in parts.items() if some}


def _find_end(reading: TableReading, cells: _Cells) -> int:
    """The rows without those at the end in which nothing stands."""
    values, columns = cells.values, cells.texts.values()
    end = len(values)
    while end and np.isnan(values[end - 1]).all() and end - 1 not in reading.bad:
        if cells.times is not None and cells.times.has_cell(end - 1):
            break
        if any(column[end - 1].as_py() not in (None, "") for column in columns):
            break
        end -= 1
    return end


def _require_few_skipped(reading: TableReading, read: int, skipped: Sequence[SkippedItem]) -> None:
    if len(skipped) <= _MAX_SKIPPED * (read + len(skipped)) and read:
        return
    path = reading.table.path
    if not skipped:
        raise DataError(f"{path} has no rows of values; give a table with values.")
    some = ", ".join(str(one.line) for one in skipped[:_SHOWN_LINES])
    raise DataError(
        f"{path}: {len(skipped)} of {read + len(skipped)} rows cannot be read "
        f"(lines {some}{', ...' if len(skipped) > _SHOWN_LINES else ''}), the first: "
        f"{skipped[0].reason}; correct them{_suggest_order(skipped[0].reason)}."
    )


def _suggest_order(reason: str) -> str:
    return f", or {suggest_no_time()}" if reason == "no time is given" else ""


def _list_options(reading: TableReading) -> dict[str, object]:
    """What was found out of the notation, to read other files in the same way."""
    given = {name: reading.options.get(name) for name in ("decimal", "thousands")}
    if reading.form == NumberFormat() and not any(given.values()):
        return {}
    return {"decimal": reading.form.decimal, "thousands": reading.form.thousands}
