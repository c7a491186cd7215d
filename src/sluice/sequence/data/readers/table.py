"""A table as every reader of tables gives it: columns of text or of types, in blocks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sluice.files import StrPath
from sluice.sequence.data.report import SkippedItem

if TYPE_CHECKING:
    import pyarrow as pa

SAMPLE_ROWS = 1000
"""Rows that decide how a table is read."""
FindLines = Callable[[Sequence[int]], tuple[list[int | None], list[SkippedItem]]]


class ReadBlocks(Protocol):
    """Yields the rows of the named columns in blocks.

    Where columns are text, those of `numbers` may come as float64 instead, as exact as their text.
    """

    def __call__(
        self, columns: Sequence[str], numbers: Collection[str] = ()
    ) -> Iterator[pa.RecordBatch]: ...


@dataclass(frozen=True)
class Table:
    """The columns of one file, read when they are asked for.

    Attributes:
        path: of the file.
        kind: the name of its format, for the report.
        types: of each column, by name, those that are left out too.
        sample: the first cells of the columns of text; empty where missing.
        read: yields the rows in blocks.
        find_lines: the lines of rows (counted from 0 over all blocks), and the rows that `read`
            skipped, with their lines.
        count_skipped: how many rows `read` has skipped so far.
        left_out: columns that hold no data.
        notes: what was assumed of the layout.
        describe_reading: further notes, once the rows are read.
        dot_is_certain: whether `1.234` can only be a decimal number.
    """

    path: Path
    kind: str
    types: Mapping[str, pa.DataType]
    sample: Mapping[str, Sequence[str]]
    read: ReadBlocks
    find_lines: FindLines
    count_skipped: Callable[[], int] = lambda: 0
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    dot_is_certain: bool = True
    describe_reading: Callable[[], Sequence[str]] = tuple


def make_typed_table(
    path: StrPath,
    kind: str,
    types: Mapping[str, pa.DataType],
    read: Callable[[Sequence[str]], Iterator[pa.RecordBatch]],
    find_line: Callable[[int], int | None] = lambda row: None,
    layout: tuple[tuple[str, ...], tuple[str, ...]] = ((), ()),
) -> Table:
    """A table of a format with types of its own, whose rows are all as wide as its header.

    Args:
        path: of the file.
        kind: the name of the format.
        types: of each column, as the file has them.
        read: yields the rows of the named columns in blocks.
        find_line: the line of a row; None where rows have no lines.
        layout: the columns that hold no data, and notes on the layout.
    """
    import pyarrow

    def read_plain(
        columns: Sequence[str], numbers: Collection[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        for batch in read(columns):
            arrays = [
                column.cast("string") if is_text(column.type) else column
                for column in batch.columns
            ]
            yield pyarrow.RecordBatch.from_arrays(arrays, batch.schema.names)

    def find_lines(rows: Sequence[int]) -> tuple[list[int | None], list[SkippedItem]]:
        return [find_line(row) for row in rows], []

    words = [name for name, one in types.items() if is_text(one)]
    first = next(read_plain(words), None) if words else None
    sample = {
        name: []
        if first is None
        else [cell or "" for cell in first[name][:SAMPLE_ROWS].to_pylist()]
        for name in words
    }
    return Table(
        Path(path), kind, types, sample, read_plain, find_lines, left_out=layout[0], notes=layout[1]
    )


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds text, of whatever encoding."""
    from pyarrow import types

    if types.is_dictionary(kind):
        return is_text(kind.value_type)
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))
