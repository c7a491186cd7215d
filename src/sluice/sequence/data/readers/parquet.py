"""Series of numbers from Parquet files, read with pyarrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from sluice.extras import MissingExtraError
from sluice.files import StrPaths, to_paths
from sluice.sequence.data.readers.table import Table, make_typed_table
from sluice.sequence.data.readers.table_options import TableOptions
from sluice.sequence.data.readers.table_rows import read_tables
from sluice.sequence.data.report import make_read_error
from sluice.sequence.data.series import Series
from sluice.sequence.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


def read_parquet(files: StrPaths, **options: Unpack[TableOptions]) -> Series:
    """Series of numbers from Parquet files; nulls are missing values.

    Args:
        files: tables with the same columns.
        options: the roles of columns, see `TableOptions`.

    Raises:
        MissingExtraError: pyarrow is not installed.
        DataError: not Parquet, a column that does not exist, or one that is not numeric (or of
            times) but has to be.
    """
    return read_tables([_open(path) for path in to_paths(files)], options)


def _open(path: Path) -> Table:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise MissingExtraError("pyarrow", "data") from None

    def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        try:
            with parquet.ParquetFile(path) as file:
                yield from file.iter_batches(columns=[*columns])
        except (pyarrow.ArrowException, OSError) as error:
            raise _make_error(path, error) from None

    try:
        with parquet.ParquetFile(path) as file:
            types = {field.name: field.type for field in file.schema_arrow}
    except (pyarrow.ArrowException, OSError) as error:
        raise _make_error(path, error) from None
    return make_typed_table(path, "Parquet", types, read)


def _make_error(path: Path, error: Exception) -> DataError:
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
        return make_read_error(path, error)
    return DataError(f"{path} is not a valid Parquet file ({error}).")
