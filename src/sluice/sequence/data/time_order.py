"""The order of a table's rows: by series, then by time where that is certain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sluice.option_names import name_option, name_setting
from sluice.sequence.data.clocks import format_time
from sluice.sequence.data.distinct import find_distinct
from sluice.sequence.data.ragged import Array, Indices
from sluice.sequence.data.report import pluralize
from sluice.sequence.errors import DataError

_MOST_REPEATED = 0.1
"""The share of repeated times from which times that run back are not an order."""


class RowOrder(NamedTuple):
    """The rows of each series in order of time.

    Attributes:
        rows: their numbers, one series after the other; None if they stand so already.
        ends: the end of each series.
        notes: what was moved, as sentences.
    """

    rows: Indices | None
    ends: Indices
    notes: tuple[str, ...] = ()


def order_rows(
    codes: Indices,
    names: Sequence[str],
    times: Array | None = None,
    zone: str = "",
    pattern: str = "",
) -> RowOrder:
    """Order rows by series and, within each, by time; rows of one time keep their order.

    Args:
        codes: the number of each row's series, (rows,).
        names: of the series.
        times: of each row, (rows,); None to keep the order within each series.
        zone: the zone of dates.
        pattern: how times are written, as in `format_time`.

    Raises:
        DataError: the times of a series run back and forth, and repeat, as an hour of the day
            does, or the times of several series without ids.
    """
    if len(names) == 1 and (times is None or not (times[1:] < times[:-1]).any()):
        return RowOrder(None, np.array([len(codes)]))
    by_series = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(names)))
    notes = []
    rows = by_series
    if times is not None:
        moved = _find_moved(codes[by_series], times[by_series])
        if len(moved):
            _refuse_repeats(codes, names, times, by_series[moved[0]], zone, pattern)
            first = by_series[moved[0]]
            shown = format_time(times[first], zone, pattern)
            where = f" of series {names[codes[first]]}" if len(names) > 1 else ""
            notes.append(
                f"{pluralize(len(moved), 'row')} stood after later ones, the first at "
                f"{shown}{where}: sorted by time."
            )
            rows = np.lexsort((times, codes))
    in_order = bool((rows[1:] > rows[:-1]).all())
    return RowOrder(None if in_order else rows, ends, tuple(notes))


def _find_moved(codes: Indices, times: Array) -> Indices:
    """The places of rows with a time before that of a row above them in their series."""
    ranks = times.astype(np.int64) if times.dtype.kind == "M" else times
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    moved = []
    for start, end in zip(starts, [*starts[1:], len(codes)], strict=True):
        part = ranks[start:end]
        moved.append(start + np.flatnonzero(part < np.maximum.accumulate(part)))
    return np.concatenate(moved) if moved else np.zeros(0, np.int64)


def _refuse_repeats(
    codes: Indices, names: Sequence[str], times: Array, first: int, zone: str, pattern: str
) -> None:
    """Refuse times that run back and repeat: a part of the time, or several series."""
    code = codes[first]
    of_one = times[codes == code]
    repeated = len(of_one) - len(find_distinct(of_one))
    if repeated <= _MOST_REPEATED * len(of_one):
        return
    whose = f"series {names[code]}: the" if len(names) > 1 else "the"
    before = times[np.flatnonzero(codes[:first] == code)[-1]]
    raise DataError(
        f"{whose} times run back and forth ({format_time(times[first], zone, pattern)} after "
        f"{format_time(before, zone, pattern)}), and {repeated:,} of {len(of_one):,} repeat. If "
        f"more columns belong to the time, name all ({name_setting('time', 'date,hour')}); if "
        f"these are several series, name their column ({name_option('id')}); "
        f"{name_setting('no_time', True)} keeps the rows in their order."
    )
