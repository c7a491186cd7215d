"""Series of numbers from CSV files, read with pyarrow behind a report of what was understood."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from sluice.extras import MissingExtraError
from sluice.files import StrPaths, to_paths
from sluice.sequence.data.readers.csv_layout import (
    CsvLayout,
    HasHeader,
    find_layout,
    iterate_records,
)
from sluice.sequence.data.readers.encodings import open_text, scan_text
from sluice.sequence.data.readers.file_kinds import read_head
from sluice.sequence.data.readers.table import Table
from sluice.sequence.data.readers.table_options import TableOptions
from sluice.sequence.data.readers.table_rows import read_tables
from sluice.sequence.data.report import (
    LoadProgress,
    OnReading,
    SkippedItem,
    ignore_progress,
    make_read_error,
    pluralize,
)
from sluice.sequence.data.series import Series
from sluice.sequence.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa
    from _typeshed import WriteableBuffer

OnBytes = Callable[[int], None]


class LayoutOptions(TypedDict):
    """What the caller says of a file's layout; None where nothing."""

    delimiter: str | None
    comment: str | None
    header: HasHeader | None


_HEAD_LINES = 3000
_BLOCK = 1 << 23
"""Bytes that are read and converted at a time; a row cannot be longer."""


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
    source = _CsvFile(path, found, layout, on_bytes)
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
            while block := file.read(_BLOCK):
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


class _CsvFile:
    """The rows of values in a CSV file, read as often as they are asked for."""

    def __init__(self, path: Path, encoding: str, layout: CsvLayout, on_bytes: OnBytes) -> None:
        self.path, self.encoding, self.layout, self.on_bytes = path, encoding, layout, on_bytes
        self.skipped = self.blank = 0

    def count_skipped(self) -> int:
        return self.skipped

    def read(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The named columns as text, in blocks of rows with as many cells as names."""
        import pyarrow
        from pyarrow import csv

        self.skipped = self.blank = 0
        names = [*self.layout.names]
        stream = io.BufferedReader(_ByteStream(self._iterate_bytes()), _BLOCK)
        try:
            reader = csv.open_csv(
                stream,
                csv.ReadOptions(column_names=names, block_size=_BLOCK, use_threads=False),
                csv.ParseOptions(
                    delimiter=self.layout.delimiter,
                    newlines_in_values=True,
                    invalid_row_handler=self._skip,
                ),
                csv.ConvertOptions(
                    include_columns=[*columns],
                    column_types=dict.fromkeys(columns, pyarrow.string()),
                    strings_can_be_null=True,
                    null_values=["", "NA", "NaN", "nan", "null", "NULL"],
                ),
            )
            yield from reader
        except pyarrow.ArrowInvalid as error:
            if "Empty CSV" in str(error):
                return
            raise DataError(
                f"{self.path} has a row of more than {_BLOCK >> 20} MB, or is not CSV ({error}); "
                "is a quote not closed?"
            ) from None

    def describe_reading(self) -> list[str]:
        """What is to be said of all rows."""
        single = "; write NA for a missing value" if len(self.layout.names) == 1 else ""
        return [f"Left out: {pluralize(self.blank, 'blank line')}{single}."] if self.blank else []

    def _skip(self, row: object) -> str:
        self.skipped += 1
        return "skip"

    def find_lines(self, rows: Sequence[int]) -> tuple[list[int | None], list[SkippedItem]]:
        """The lines of rows that `read` gave, and what it skipped."""
        lines, skipped, wanted = dict[int, int](), list[SkippedItem](), set(rows)
        layout, width, number = self.layout, len(self.layout.names), 0
        with open_text(self.path, self.encoding) as file:
            records = iterate_records(file, layout.delimiter, layout.comment, layout.first_line)
            try:
                for line, cells in records:
                    if len(cells) != width:
                        reason = f"expected {width} cells as in the first row, got {len(cells)}"
                        skipped.append(SkippedItem(str(self.path), line, reason))
                        continue
                    if number in wanted:
                        lines[number] = line
                    number += 1
                    if len(lines) == len(wanted) and len(skipped) >= self.skipped:
                        break
            except DataError as error:
                raise DataError(f"{self.path}: {error}") from None
        return [lines[row] for row in rows], skipped

    def _iterate_bytes(self) -> Iterator[bytes]:
        """The rows as UTF-8 in blocks of whole lines, which end with a line feed."""
        skip, rest, done = self.layout.first_line - 1, b"", 0
        decoder = codecs.getincrementaldecoder(self.encoding)()
        with self.path.open("rb") as file:
            while piece := file.read(_BLOCK):
                done += len(piece)
                block = piece if self.encoding == "utf-8" else decoder.decode(piece).encode()
                block = rest + block
                end = block.rfind(b"\n") + 1 or block.rfind(b"\r", 0, -1) + 1
                block, rest = block[:end], block[end:]
                if skip:
                    block, skip = _drop_lines(block, skip)
                yield self._clean(block)
                self.on_bytes(done)
        last, _ = _drop_lines(rest, skip)
        yield self._clean(last)

    def _clean(self, block: bytes) -> bytes:
        """Lines that end with a line feed, without comments; blank ones are counted."""
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if self.layout.comment:
            mark = re.escape(self.layout.comment.encode())
            block = re.sub(rb"(?m)^" + mark + rb"[^\n]*(?:\n|\Z)", b"", block)
        if (b"\n\n" in block or block.startswith(b"\n")) and b'"' not in block:
            self.blank += len(re.findall(rb"(?m)^\n", block))
        return block


def _drop_lines(block: bytes, number: int) -> tuple[bytes, int]:
    """The block without its first lines, and how many are still to be dropped."""
    lines = block.splitlines(keepends=True)[:number] if number else []
    return block[sum(map(len, lines)) :], number - len(lines)


class _ByteStream(io.RawIOBase):
    """Blocks of bytes as a file."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks, self._block = blocks, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        target = memoryview(buffer)
        while not self._block:
            following = next(self._blocks, None)
            if following is None:
                return 0
            self._block = memoryview(following)
        size = min(len(target), len(self._block))
        target[:size] = self._block[:size]
        self._block = self._block[size:]
        return size
