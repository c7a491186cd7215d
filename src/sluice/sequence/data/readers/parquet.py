"""Series of numbers from Parquet files, read with pyarrow."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Unpack

import numpy as np

from sluice.extras import MissingExtraError
from sluice.files import StrPaths, to_paths
from sluice.sequence.data.ragged import Array
from sluice.sequence.data.readers.columns import ColumnRoles, Rows, TableOptions, to_series
from sluice.sequence.data.report import make_read_error
from sluice.sequence.data.series import Series
from sluice.sequence.errors import DataError


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
    roles = ColumnRoles.from_options(options)
    return to_series(
        [_read(path, roles) for path in to_paths(files)], "Parquet", options.get("label_per")
    )


def _read(path: Path, roles: ColumnRoles) -> Rows:
    try:
        import pyarrow
        from pyarrow import parquet, types
    except ImportError:
        raise MissingExtraError("pyarrow", "data") from None
    try:
        schema = parquet.read_schema(path)
        numeric = [
            field.name
            for field in schema
            if types.is_integer(field.type)
            or types.is_floating(field.type)
            or types.is_decimal(field.type)
            or types.is_boolean(field.type)
        ]
        roles = roles.resolve(schema.names, numeric)
        table = parquet.read_table(path, columns=[name for name in roles.role_columns if name])
    except OSError as error:
        raise make_read_error(path, error) from None
    except pyarrow.ArrowException as error:
        raise DataError(f"{path} is not a valid Parquet file ({error}).") from None
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    for name in roles.inputs:
        if name not in numeric:
            raise DataError(f"{path}: column {name!r} holds {table[name].type}, expected numbers.")
    if not table.num_rows:
        raise DataError(f"{path} has no rows; give a table with values.")
    times = _parse_times(path, table[roles.time]) if roles.time else np.zeros(table.num_rows)
    return Rows(
        path,
        roles,
        np.stack([_to_numbers(table[name]) for name in roles.inputs], axis=1),
        _to_strings(table[roles.id]) if roles.id else (),
        _to_strings(table[roles.label]) if roles.label else (),
        times,
        tuple(name for name in schema.names if name not in roles.role_columns),
        (),
        bool(roles.time) and _is_date(table[roles.time]),
    )


def _to_numbers(column: Any) -> Array:
    return np.asarray(column.cast("float64").to_numpy(), np.float64)


def _to_strings(column: Any) -> list[str]:
    return ["" if value is None else str(value) for value in column.to_pylist()]


def _parse_times(path: Path, column: Any) -> Array:
    import pyarrow

    try:
        whole = column.cast("timestamp[ns]").cast("int64") if _is_date(column) else column
        # Rounding nanoseconds since 1970 to some hundreds does not change the order.
        times = np.asarray(whole.cast("float64", safe=False).to_numpy(), np.float64)
        times = times / 1e9 if _is_date(column) else times
    except pyarrow.ArrowException as error:
        raise DataError(f"{path}: the time column holds {column.type} ({error}).") from None
    if np.isnan(times).any():
        raise DataError(f"{path}: a time is missing; fill it in, or name another column.")
    return times


def _is_date(column: Any) -> bool:
    from pyarrow import types

    return bool(types.is_temporal(column.type) or types.is_string(column.type))
