"""Tables as series of numbers: Parquet, by the library pyarrow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sluice.extras import MissingExtraError
from sluice.files import StrPaths, to_paths
from sluice.sequence.data.ragged import Array
from sluice.sequence.data.readers.columns import ColumnRoles, LabelPer, Rows, to_series
from sluice.sequence.data.readers.csv import normalise_names
from sluice.sequence.data.report import make_read_error
from sluice.sequence.data.series import Series
from sluice.sequence.errors import DataError


def read_parquet(
    files: StrPaths,
    *,
    inputs: Sequence[str] = (),
    target: str | Sequence[str] = (),
    id: str | None = None,
    time: str | None = None,
    label: str | None = None,
    label_per: LabelPer | None = None,
) -> Series:
    """Series of numbers from Parquet files: options as in `read_csv`; nulls are missing values.

    Raises:
        MissingExtraError: pyarrow is not installed.
        DataError: no Parquet, a column that is not there, or one that should hold numbers or
            times and does not.
    """
    roles = ColumnRoles(tuple(inputs), normalise_names(target), id, time, label)
    return to_series([_read(path, roles) for path in to_paths(files)], "Parquet", label_per)


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
        raise DataError(f"{path} is no Parquet file that can be read ({error}).") from None
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    for name in roles.inputs:
        if name not in numeric:
            raise DataError(f"{path}: column {name!r} holds {table[name].type}, no numbers.")
    if not table.num_rows:
        raise DataError(f"{path} holds no row; give a table with values.")
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
    )


def _to_numbers(column: Any) -> Array:
    return np.asarray(column.cast("float64").to_numpy(), np.float32)


def _to_strings(column: Any) -> list[str]:
    return ["" if value is None else str(value) for value in column.to_pylist()]


def _parse_times(path: Path, column: Any) -> Array:
    import pyarrow

    try:
        whole = column.cast("timestamp[ns]").cast("int64") if _is_date(column) else column
        # Nanoseconds since 1970 are rounded to some hundreds, which the order bears.
        times = np.asarray(whole.cast("float64", safe=False).to_numpy(), np.float64)
    except pyarrow.ArrowException as error:
        raise DataError(f"{path}: the column of times holds {column.type} ({error}).") from None
    if np.isnan(times).any():
        raise DataError(f"{path}: a time is missing; give each row one, or name another column.")
    return times


def _is_date(column: Any) -> bool:
    from pyarrow import types

    return bool(types.is_temporal(column.type) or types.is_string(column.type))
