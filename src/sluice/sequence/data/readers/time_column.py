"""The times of rows, as numbers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from sluice.sequence.data.ragged import Array
from sluice.sequence.data.readers.numbers import is_missing

if TYPE_CHECKING:
    import pyarrow as pa


def parse_times(column: pa.ChunkedArray) -> tuple[Array, bool, dict[int, str]]:
    """Times as float64 (seconds since 1970 if they are dates), whether so, and bad rows."""
    from pyarrow import types

    if types.is_temporal(column.type):
        whole = column.cast("timestamp[ns]").cast("int64").cast("float64", safe=False)
        times, dates = np.array(whole.to_numpy(), np.float64) / 1e9, True
        cells = None
    elif not types.is_string(column.type):
        times, dates = np.array(column.cast("float64", safe=False).to_numpy(), np.float64), False
        cells = None
    else:
        cells = [cell or "" for cell in column.to_pylist()]
        dates = next((not _is_number(cell) for cell in cells if not is_missing(cell)), False)
        times = np.array([_parse_time(cell) for cell in cells], np.float64)
    bad = {}
    for row in np.flatnonzero(~np.isfinite(times)).tolist():
        cell = cells[row] if cells is not None else None
        bad[row] = (
            f"the time {cell!r} is neither a number nor an ISO date" if cell else "no time is given"
        )
    return times, dates, bad


def _is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False


def _parse_time(cell: str) -> float:
    if _is_number(cell):
        return float(cell)
    try:
        moment = datetime.fromisoformat(cell.strip())
    except ValueError:
        return float("nan")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
