"""Series of numbers from spreadsheets (.xlsx, .ods), read with python-calamine."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from sluice.extras import MissingExtraError
from sluice.files import StrPaths, to_paths
from sluice.option_names import name_option
from sluice.sequence.data.readers.csv_layout import CsvRow, HasHeader, find_columns
from sluice.sequence.data.readers.table import SAMPLE_ROWS, Table, make_typed_table
from sluice.sequence.data.readers.table_options import TableOptions
from sluice.sequence.data.readers.table_rows import read_tables
from sluice.sequence.data.report import make_read_error
from sluice.sequence.data.series import Series
from sluice.sequence.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

_MAX_PACKED = 100
"""How much smaller a file may be than its content, beyond `_USUAL_BYTES`."""
_USUAL_BYTES = 1 << 26
_USUAL_CELLS = 5_000_000
_MAX_EMPTY = 20
"""Cells of the rectangle of a sheet for each that holds something, beyond `_USUAL_CELLS`."""
_CELL = re.compile(rb'<(?:\w+:)?c\s[^>]*?\br="([A-Z]{1,3})(\d{1,7})"')
_REPEATED = re.compile(rb"<table:(table-row|table-cell)\b([^>]*)>")
_REPEATS = re.compile(rb'number-(?:columns|rows)-repeated="(\d{1,9})"')
_PIECE = 1 << 20
_ZIP_ERRORS = (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, zlib.error)


def read_spreadsheet(
    files: StrPaths,
    *,
    sheet: str | None = None,
    header: HasHeader | None = None,
    **options: Unpack[TableOptions],
) -> Series:
    """Series of numbers from a sheet of a spreadsheet; empty cells and errors are missing values.

    Args:
        files: spreadsheets with the same columns.
        sheet: its name; default the only one that holds something.
        header: "yes" or "no": whether the first row names the columns; default unless all its
            cells are numbers.
        options: the roles of columns, see `TableOptions`.

    Raises:
        MissingExtraError: python-calamine is not installed.
        DataError: not a spreadsheet, one whose content is far larger than its file, no such sheet,
            several sheets to choose from, or an error of `read_csv`.
    """
    return read_tables([_open(path, sheet, header) for path in to_paths(files)], options)


def _open(path: Path, sheet: str | None, header: HasHeader | None) -> Table:
    import pyarrow

    name, grid = _read_grid(path, sheet)
    rows = [(line, row) for line, row in enumerate(grid, 1) if any(cell != "" for cell in row)]
    records = [CsvRow(line, [_to_text(cell) for cell in row]) for line, row in rows[:SAMPLE_ROWS]]
    try:
        if not records:
            raise DataError("has no rows; give a table with values.")
        layout = find_columns(records, header)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    rows = [(line, row) for line, row in rows if line >= layout.first_line]
    columns = zip(*(row for _, row in rows), strict=True) if rows else ((),) * len(layout.names)
    table = pyarrow.table(
        {one: _to_column(cells) for one, cells in zip(layout.names, columns, strict=True)}
    )

    def read(names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        yield from table.select(list(names)).to_batches()

    types = {field.name: field.type for field in table.schema}
    notes = (f"Sheet: {name}.", *layout.notes)
    return make_typed_table(
        path, "spreadsheet", types, read, lambda row: rows[row][0], (layout.left_out, notes)
    )


def _read_grid(path: Path, sheet: str | None) -> tuple[str, Sequence[Sequence[object]]]:
    """The name of the sheet, and all its cells from the first one on."""
    try:
        import python_calamine as calamine
    except ImportError:
        raise MissingExtraError("python-calamine", "data") from None
    _require_modest(path)
    try:
        book = calamine.CalamineWorkbook.from_path(str(path))
        names = book.sheet_names
        if sheet is not None and sheet not in names:
            raise DataError(
                f"{path}: {name_option('sheet')} must be one of {', '.join(names)}, got {sheet!r}."
            )
        grids: dict[str, Sequence[Sequence[object]]] = {}
        for name in names if sheet is None else [sheet]:
            cells = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
            if any(cell != "" for row in cells for cell in row):
                grids[name] = cells
    except calamine.CalamineError as error:
        raise DataError(f"{path} is not a spreadsheet ({error}).") from None
    except OSError as error:
        raise make_read_error(path, error) from None
    except BaseException as error:  # a fault inside the library, which is no Exception
        if type(error).__name__ != "PanicException":
            raise
        raise DataError(f"{path} is not a spreadsheet ({error}).") from None
    if not grids:
        raise DataError(f"{path} has no cells with content; give a table with values.")
    if len(grids) > 1:
        raise DataError(
            f"{path} has several sheets: {', '.join(grids)}; choose with {name_option('sheet')}."
        )
    return next(iter(grids.items()))


def _to_text(cell: object) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return cell.strip() if isinstance(cell, str) else str(cell)


def _to_column(cells: Sequence[object]) -> pa.Array:
    """A column of numbers, of truth values or of times if all cells are; else of text."""
    import pyarrow

    known = [cell for cell in cells if cell != ""]
    kinds = {type(cell) for cell in known}
    values = [None if cell == "" else cell for cell in cells]
    if kinds == {bool}:
        return pyarrow.array(values, pyarrow.bool_())
    if kinds <= {int, float}:
        return pyarrow.array(values, pyarrow.float64())
    if kinds <= {dt.datetime, dt.date}:
        return pyarrow.array([_to_datetime(value) for value in values], pyarrow.timestamp("us"))
    return pyarrow.array([None if value is None else _to_text(value) for value in values])


def _to_datetime(value: object) -> object:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return dt.datetime(value.year, value.month, value.day)
    return value


def _require_modest(path: Path) -> None:
    """Refuse what would take far more memory than the file: its sizes, its repeated cells."""
    try:
        packed = path.stat().st_size
        with zipfile.ZipFile(path) as archive:
            total = sum(one.file_size for one in archive.infolist())
            if total > max(_USUAL_BYTES, _MAX_PACKED * packed):
                raise DataError(f"{path} unpacks to {total:,} bytes; it is no usual spreadsheet.")
            for one in archive.infolist():
                if one.filename.startswith("xl/worksheets/") or one.filename == "content.xml":
                    _require_few_cells(path, archive, one)
    except _ZIP_ERRORS as error:
        raise DataError(f"{path} is not a spreadsheet ({error}).") from None
    except OSError as error:
        raise make_read_error(path, error) from None


def _require_few_cells(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    filled = width = height = area = 0
    rows, rest = 1, b""
    with archive.open(member) as file:
        while piece := file.read(_PIECE):
            text = rest + piece
            end = text.rfind(b">") + 1
            text, rest = text[:end], text[end:]
            for column, row in _CELL.findall(text):
                filled += 1
                width, height = max(width, _number_column(column)), max(height, int(row))
            for kind, attributes in _REPEATED.findall(text):
                found = _REPEATS.search(attributes)
                repeats = int(found.group(1)) if found else 1
                if kind == b"table-row":
                    rows = repeats
                elif b"value-type" in attributes:
                    area += rows * repeats
                    filled += 1
    area = max(area, width * height)
    if area > max(_USUAL_CELLS, _MAX_EMPTY * filled):
        raise DataError(
            f"{path}: the sheet spans {area:,} cells, of which {filled:,} hold something; remove "
            "those far from the table."
        )


def _number_column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number
