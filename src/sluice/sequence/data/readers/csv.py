"""Series of numbers from CSV files, read with pyarrow behind a report of what was understood."""

from __future__ import annotations

import codecs
from itertools import islice
from pathlib import Path
from typing import TypedDict, Unpack

from sluice.extras import MissingExtraError
from sluice.files import StrPaths, to_paths
from sluice.sequence.data.readers.csv_file import BLOCK_BYTES, CsvFile, OnBytes
from sluice.sequence.data.readers.csv_layout import HasHeader, find_layout
from sluice.sequence.data.readers.encodings import open_text, scan_text
from sluice.sequence.data.readers.file_kinds import read_head
from sluice.sequence.data.readers.table import Table
from sluice.sequence.data.readers.table_options import TableOptions
from sluice.sequence.data.readers.table_rows import read_tables
from sluice.sequence.data.report import (
    LoadProgress,
    OnReading,
    ignore_progress,
    make_read_error,
)
from sluice.sequence.data.series import Series
from sluice.sequence.errors import DataError


class LayoutOptions(TypedDict):
    """What the caller says of a file's layout; None where nothing."""

    delimiter: str | None
    comment: str | None
    header: HasHeader | None


_HEAD_LINES = 3000


def read_csv(
    files: StrPaths,
    *,
    delimiter: str | None = None,
    comment: str | None = None,
    header: HasHeader | None = None,
    encoding: str | None = None,
    on_reading: OnReading = ignore_progress,
    **options: Unpack[TableOptions],
) -> Series:
    """Series of numbers from CSV files: a row is a step; a sequence is a file, or an id in it.

    The first row names the columns unless all its cells are numbers. Empty cells, NA, NaN, null,
    None and ? are missing values. A row with another number of cells, or text instead of a number,
    is skipped; if that happens to more than one row in ten, the file is refused. Whatever is
    assumed stands in `report()`; what has two readings is refused with the option that decides.

    Args:
        files: tables with the same columns.
        delimiter: between cells; default that of , ; tab | with which all rows have as many cells.
        comment: what starts a line that is left out, "" for nothing; default # or %, if the first
            line starts with it or such lines stand between the rows.
        header: "yes" or "no": whether the first row names the columns; default unless all its
            cells are numbers.
        encoding: as in `read_text`.
        on_reading: called with the progress.
        options: the roles and the notation of columns, see `TableOptions`.

    Raises:
        DataError: a column that does not exist, no row that can be read, a table with two
            readings, or a number beyond 1e150.
        MissingExtraError: pyarrow is not installed.
    """
    files = to_paths(files)
    total, before, tables = sum(path.stat().st_size for path in files), 0, []
    for path in files:

        def show(done: int, before: int = before) -> None:
            on_reading(LoadProgress("reading", before + done, total))

        asked = LayoutOptions(delimiter=delimiter, comment=comment, header=header)
        tables.append(_open(path, encoding, show, **asked))
        before += path.stat().st_size
    return read_tables(tables, options)


def _open(
    path: Path, encoding: str | None, on_bytes: OnBytes, **asked: Unpack[LayoutOptions]
) -> Table:
    """The table in a CSV file, of which only the first lines have been read."""
    try:
        import pyarrow
    except ImportError:
        raise MissingExtraError("pyarrow", "data") from None
    found = _find_encoding(path, encoding)
    try:
        with open_text(path, found) as file:
            layout = find_layout(list(islice(file, _HEAD_LINES)), **asked)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    source = CsvFile(path, found, layout, on_bytes)
    notes = layout.notes
    if found not in ("utf-8", "utf-8-sig"):
        notes = (f"Encoding: {found}.", *notes)
    width = len(layout.names)
    rows = [record.cells for record in layout.sample if len(record.cells) == width]
    return Table(
        path,
        "CSV",
        dict.fromkeys(layout.names, pyarrow.string()),
        dict(zip(layout.names, zip(*rows, strict=True), strict=True))
        if rows
        else dict.fromkeys(layout.names, ()),
        source.read,
        source.find_lines,
        source.count_skipped,
        layout.left_out,
        notes,
        dot_is_certain=layout.delimiter == ",",
        describe_reading=source.describe_reading,
    )


def _find_encoding(path: Path, encoding: str | None) -> str:
    """UTF-8 if the file is, which is quickly seen; else what `scan_text` says."""
    if encoding is None and _is_utf8(path):
        return "utf-8-sig" if read_head(path, 3) == codecs.BOM_UTF8 else "utf-8"
    return scan_text(path, encoding).encoding


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            empty = True
            while block := file.read(BLOCK_BYTES):
                empty = False
                if b"\0" in block:
                    return False
                if not block.isascii() or decoder.getstate()[0]:
                    decoder.decode(block)
            decoder.decode(b"", True)
    except OSError as error:
        raise make_read_error(path, error) from None
    except UnicodeDecodeError:
        return False
    return not empty
