"""The rows of values in a CSV file, in blocks: numbers parsed by pyarrow where they are plain."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.files import StrPath
from sluice.sequence.data.readers.csv_layout import CsvLayout, iterate_records
from sluice.sequence.data.readers.encodings import open_text
from sluice.sequence.data.readers.numbers import LARGEST_EXACT
from sluice.sequence.data.report import SkippedItem, pluralize
from sluice.sequence.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa
    from _typeshed import WriteableBuffer
    from pyarrow import csv

OnBytes = Callable[[int], None]
BLOCK_BYTES = 1 << 23
"""Bytes that are read and converted at a time; a row cannot be longer."""


class CsvFile:
    """The rows of values in a CSV file, read as often as they are asked for."""

    def __init__(self, path: StrPath, encoding: str, layout: CsvLayout, on_bytes: OnBytes) -> None:
        self.path, self.encoding, self.layout, self.on_bytes = (
            Path(path),
            encoding,
            layout,
            on_bytes,
        )
        self.skipped = self.blank = 0

    def count_skipped(self) -> int:
        return self.skipped

    def read(
        self, columns: Sequence[str], numbers: Collection[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        """The named columns in blocks of rows with as many cells as names.

        Columns are text, those of `numbers` float64 up to the first cell that is no plain number.
        """
        import pyarrow

        self.skipped = self.blank = 0
        plain = set(numbers)
        blocks = self._iterate_bytes()
        try:
            for block in blocks:
                if b'"' in block:  # a row may go on in the next block
                    yield from self._read_stream(chain([block], blocks), columns)
                elif block:
                    yield from self._read_block(block, columns, plain)
        except pyarrow.ArrowInvalid as error:
            raise self._refuse_row(str(error)) from None

    def _refuse_row(self, reason: str) -> DataError:
        return DataError(
            f"{self.path} has a row of more than {BLOCK_BYTES >> 20} MB, or is not CSV "
            f"({reason}); is a quote not closed?"
        )

    def _read_block(
        self, block: bytes, columns: Sequence[str], plain: set[str]
    ) -> Iterator[pa.RecordBatch]:
        """The rows of a block of whole lines; what is no plain number is taken out of `plain`."""
        import pyarrow

        before = self.skipped
        typed = [name for name in columns if name in plain]
        if typed:
            try:
                table = self._parse(block, columns, typed)
            except pyarrow.ArrowInvalid as error:
                if _is_empty(error):
                    return
            else:
                if all(_are_exact(table.column(name)) for name in typed):
                    yield from table.to_batches()
                    return
            self.skipped = before
        try:
            table = self._parse(block, columns, ())
        except pyarrow.ArrowInvalid as error:
            if _is_empty(error):
                return
            raise
        for name in typed:
            try:
                exact = _are_exact(table.column(name).cast("float64"))
            except pyarrow.ArrowInvalid:
                exact = False
            if not exact:
                plain.discard(name)
        yield from table.to_batches()

    def _parse(self, block: bytes, columns: Sequence[str], typed: Sequence[str]) -> pa.Table:
        import pyarrow
        from pyarrow import csv

        read, parse, convert = self._make_options(columns, typed, len(block) + 1)
        return csv.read_csv(pyarrow.BufferReader(block), read, parse, convert).combine_chunks()

    def _read_stream(
        self, blocks: Iterator[bytes], columns: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        """The rows of blocks in which quotes stand, as text."""
        import pyarrow
        from pyarrow import csv

        stream = io.BufferedReader(_ByteStream(blocks), BLOCK_BYTES)
        read, parse, convert = self._make_options(columns, (), BLOCK_BYTES)
        read.use_threads, parse.newlines_in_values = False, True
        try:
            yield from csv.open_csv(stream, read, parse, convert)
        except pyarrow.ArrowInvalid as error:
            if not _is_empty(error):
                raise

    def _make_options(
        self, columns: Sequence[str], typed: Sequence[str], block_size: int
    ) -> tuple[csv.ReadOptions, csv.ParseOptions, csv.ConvertOptions]:
        import pyarrow
        from pyarrow import csv

        text, number = pyarrow.string(), pyarrow.float64()
        return (
            csv.ReadOptions(column_names=[*self.layout.names], block_size=block_size),
            csv.ParseOptions(delimiter=self.layout.delimiter, invalid_row_handler=self._skip),
            csv.ConvertOptions(
                include_columns=[*columns],
                column_types={name: number if name in typed else text for name in columns},
                strings_can_be_null=True,
                null_values=["", "NA", "NaN", "nan", "null", "NULL"],
            ),
        )

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
            while piece := file.read(BLOCK_BYTES):
                done += len(piece)
                block = piece if self.encoding == "utf-8" else decoder.decode(piece).encode()
                block = rest + block
                end = block.rfind(b"\n") + 1 or block.rfind(b"\r", 0, -1) + 1
                block, rest = block[:end], block[end:]
                if len(rest) > BLOCK_BYTES:
                    raise self._refuse_row("no line ends")
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


def _is_empty(error: Exception) -> bool:
    return "Empty CSV" in str(error)


def _are_exact(column: pa.ChunkedArray) -> bool:
    """Whether numbers are finite, and whole ones as they are written."""
    from pyarrow import compute

    extremes = compute.min_max(column)
    return not any(
        one.as_py() is not None and abs(one.as_py()) >= LARGEST_EXACT for one in extremes.values()
    )
