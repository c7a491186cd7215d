"""Series of numbers from JSON lines: an object for each row, read with pyarrow."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from sluice.extras import MissingExtraError
from sluice.files import StrPaths, to_paths
from sluice.sequence.data.readers.numbers import LARGEST_EXACT, describe_rounded
from sluice.sequence.data.readers.table import Table, make_typed_table
from sluice.sequence.data.readers.table_options import TableOptions
from sluice.sequence.data.readers.table_rows import read_tables
from sluice.sequence.data.report import make_read_error
from sluice.sequence.data.series import Series
from sluice.sequence.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

_BLOCK = 1 << 24
"""Bytes that are read at a time; a line cannot be longer."""
_KINDS = {bool: "true or false", str: "text", list: "a list", dict: "an object"}


def read_json_lines(files: StrPaths, **options: Unpack[TableOptions]) -> Series:
    """Series of numbers from JSON lines; null, or no value, is a missing value.

    Args:
        files: tables with the same columns, an object a line.
        options: the roles of columns, see `TableOptions`.

    Raises:
        MissingExtraError: pyarrow is not installed.
        DataError: not JSON lines, values that are lists or objects, a value of another kind than
            those above it, or an error of `read_csv`.
    """
    return read_tables([_open(path) for path in to_paths(files)], options)


def _open(path: Path) -> Table:
    try:
        import pyarrow
        from pyarrow import json as json_reader
        from pyarrow import types
    except ImportError:
        raise MissingExtraError("pyarrow", "data") from None
    try:
        table = json_reader.read_json(
            str(path),
            json_reader.ReadOptions(block_size=_BLOCK),
            json_reader.ParseOptions(newlines_in_values=False),
        )
    except FileNotFoundError as error:
        raise make_read_error(path, error) from None
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}{_find_fault(path) or f': not JSON lines ({error}).'}") from None
    for field in table.schema:
        if types.is_nested(field.type):
            raise DataError(
                f"{path}: {field.name!r} holds {field.type}, but a row must be flat; write each "
                "part as a value of its own."
            )

    def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        yield from table.select(list(columns)).to_batches()

    kinds = {field.name: field.type for field in table.schema}
    notes = _describe_rounded(path, table)
    return make_typed_table(
        path, "JSON lines", kinds, read, lambda row: _find_line(path, row), ((), notes)
    )


def _describe_rounded(path: Path, table: pa.Table) -> tuple[str, ...]:
    """Of columns with decimals, how many whole numbers they hold that float64 cannot."""
    from pyarrow import compute, types

    large = [
        field.name
        for field in table.schema
        if types.is_floating(field.type)
        and (compute.max(compute.abs(table[field.name])).as_py() or 0) >= LARGEST_EXACT
    ]
    if not large:
        return ()
    rounded = Counter[str]()
    for _, line in _iterate_lines(path):
        row = json.loads(line)
        held = {name: row.get(name) for name in large}
        rounded.update(
            name
            for name, value in held.items()
            if isinstance(value, int) and int(float(value)) != value
        )
    return tuple(describe_rounded(name, number) for name, number in rounded.items())


def _iterate_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Each line that is not blank, with its number."""
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, line


def _find_line(path: Path, row: int) -> int:
    return next(line for number, (line, _) in enumerate(_iterate_lines(path)) if number == row)


def _find_fault(path: Path) -> str:
    """What is wrong with the first line that is no row like those above it."""
    before: dict[str, str] = {}
    line = 0
    try:
        for line, text in _iterate_lines(path):
            row = json.loads(text)
            if not isinstance(row, dict):
                return f":{line}: expected an object in braces, got {text.strip()[:40]!r}."
            for name, value in row.items():
                if isinstance(value, float) and math.isinf(value):
                    return f":{line}: {name!r} is infinite, or too large; correct it."
                kind = _KINDS.get(type(value), "a number")
                if value is not None and before.setdefault(name, kind) != kind:
                    return f":{line}: {name!r} is {kind}, above it was {before[name]}."
    except UnicodeDecodeError as error:
        return f" is not UTF-8 ({error}), as JSON must be."
    except (ValueError, RecursionError) as error:
        return f":{line}: not JSON ({error})."
    return " is empty; give a file with content." if not line else ""
