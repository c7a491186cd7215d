"""Series from rows of named columns: which column does what, in which order, with labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple, TypedDict

import numpy as np

from sluice.sequence.data.ragged import Array, Indices, RaggedArray
from sluice.sequence.data.report import LoadReport, SkippedItem, pluralize
from sluice.sequence.data.series import Series
from sluice.sequence.data.splits import split_from_names
from sluice.sequence.errors import DataError

LabelPer = Literal["sequence", "step"]
_DEFAULT_NAMES = {
    "id": ("id", "series_id", "unique_id", "series"),
    "time": ("time", "date", "datetime", "timestamp", "ds"),
    "label": ("label", "class"),
}


class TableOptions(TypedDict, total=False):
    """The options of `read_csv` and `read_parquet` on columns.

    Attributes:
        inputs: the columns to read; default all numeric ones without another role.
        target: the column or columns to forecast, which are inputs too; default all inputs.
        id: the column that separates several series in a file; default a column named id,
            series_id, unique_id or series, if there is one.
        time: the column that orders the steps, of numbers or ISO dates; default a column named
            time, date, datetime, timestamp or ds.
        label: the column with the class of each row or sequence; default one named label or class.
        label_per: "sequence" or "step"; default "sequence" if no sequence has two labels.
    """

    inputs: Sequence[str]
    target: str | Sequence[str] | None
    id: str | None
    time: str | None
    label: str | None
    label_per: LabelPer | None


@dataclass(frozen=True)
class ColumnRoles:
    """Which column has which role; after `resolve` all roles in a file are filled in."""

    inputs: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    id: str | None = None
    time: str | None = None
    label: str | None = None

    @classmethod
    def from_options(cls, options: TableOptions) -> ColumnRoles:
        """The roles that the caller names.

        Raises:
            TypeError: an option that does not exist.

        >>> ColumnRoles.from_options({"target": "level"}).target
        ('level',)
        """
        unknown = sorted(options.keys() - TableOptions.__annotations__.keys())
        if unknown:
            raise TypeError(f"Tables have no option {unknown[0]!r}.")
        return cls(
            tuple(options.get("inputs", ())),
            normalise_names(options.get("target")),
            options.get("id"),
            options.get("time"),
            options.get("label"),
        )

    def resolve(self, columns: Sequence[str], numeric: Sequence[str]) -> ColumnRoles:
        """The roles with the missing ones filled in from a table's columns.

        Raises:
            DataError: a column that does not exist, or no numeric column.
        """
        for name in (*self.inputs, *self.target, self.id, self.time, self.label):
            if name is not None and name not in columns:
                raise DataError(f"column must be one of {', '.join(columns)}, got {name!r}.")
        known: dict[str, str | None] = {
            role: getattr(self, role) or _find_default(names, columns)
            for role, names in _DEFAULT_NAMES.items()
        }
        inputs = self.inputs or tuple(name for name in numeric if name not in known.values())
        inputs += tuple(name for name in self.target if name not in inputs)
        if not inputs:
            raise DataError(
                f"None of the columns {', '.join(columns)} is numeric; name the inputs."
            )
        return ColumnRoles(inputs, self.target, **known)

    @property
    def role_columns(self) -> set[str | None]:
        """All columns that have a role."""
        return {*self.inputs, self.id, self.time, self.label}


def _find_default(names: Sequence[str], columns: Sequence[str]) -> str | None:
    lower = {column.lower(): column for column in columns}
    return next((lower[name] for name in names if name in lower), None)


def normalise_names(names: str | Sequence[str] | None) -> tuple[str, ...]:
    """One name or several as a tuple; an empty one for None."""
    if names is None:
        return ()
    return (names,) if isinstance(names, str) else tuple(names)


class Rows(NamedTuple):
    """The rows of one file that could be read.

    `values` are (rows, inputs) float64, `ids` and `labels` a string per row if there is such a
    column, `times` float64, seconds since 1970 if `has_dates`; `unused` are the other columns.
    """

    path: Path
    roles: ColumnRoles
    values: Array
    ids: Sequence[str]
    labels: Sequence[str]
    times: Array
    unused: tuple[str, ...]
    skipped_items: tuple[SkippedItem, ...]
    has_dates: bool = False


class _RowOrder(NamedTuple):
    """The rows of each series in order of time: row indices, and the end of each series."""

    rows: Indices
    names: tuple[str, ...]
    ends: Indices


def to_series(tables: Sequence[Rows], kind: str, label_per: LabelPer | None) -> Series:
    """Series from the rows of files of the same columns.

    Raises:
        DataError: files of different columns, or no series left.
    """
    first = tables[0]
    for table in tables[1:]:
        if table.roles != first.roles:
            raise DataError(
                f"{table.path} has other columns than {first.path}; load the files separately."
            )
    order = _order_rows(tables)
    values = np.concatenate([table.values for table in tables])[order.rows]
    _require_finite(values, first.roles.inputs, order, tables)
    starts = np.concatenate((np.zeros(1, np.int64), order.ends[:-1]))
    series = Series(
        first.roles.inputs,
        RaggedArray(values, starts, order.ends),
        targets=first.roles.target,
        names=order.names,
        times=_order_times(tables, order, starts),
        time_name=first.roles.time or "",
        predefined_split=split_from_names([table.path for table in tables])
        if len(order.names) == len(tables)
        else {},
    )
    refused = [one for table in tables for one in table.skipped_items]
    if first.roles.label is not None:
        labels = np.array([label for table in tables for label in table.labels])[order.rows]
        series, skipped = _attach_labels(series, labels, label_per, tables)
        refused += skipped
    return replace(series, load_report=_build_report(series, tables, kind, tuple(refused)))


def _order_rows(tables: Sequence[Rows]) -> _RowOrder:
    numbers: dict[str, int] = {}
    keys = [
        numbers.setdefault(key, len(numbers))
        for table in tables
        for key in _name_series(table, tables)
    ]
    codes = np.array(keys, np.int64)
    times = np.concatenate([table.times for table in tables])
    rows = np.lexsort((times, codes))
    return _RowOrder(rows, tuple(numbers), np.cumsum(np.bincount(codes)))


def _require_finite(
    values: Array, names: Sequence[str], order: _RowOrder, tables: Sequence[Rows]
) -> None:
    """Refuse infinity."""
    rows, columns = np.nonzero(np.isinf(values))
    if len(rows):
        number = int(np.searchsorted(order.ends, rows[0], side="right"))
        step = rows[0] - (order.ends[number - 1] if number else 0)
        raise DataError(
            f"{tables[0].path}: column {names[columns[0]]!r} at step {step} of series "
            f"{order.names[number]} is infinite, or beyond 1.8e308; correct it."
        )


def _order_times(tables: Sequence[Rows], order: _RowOrder, starts: Indices) -> RaggedArray | None:
    """The times of all steps: dates if every file has dates; None without a column of times."""
    if tables[0].roles.time is None:
        return None
    times = np.concatenate([table.times for table in tables])[order.rows]
    if all(table.has_dates for table in tables):
        times = np.round(times * 1e3).astype("datetime64[ms]")
    return RaggedArray(times, starts, order.ends)


def _name_series(table: Rows, tables: Sequence[Rows]) -> Iterable[str]:
    """The name of the series of each row: its id, its file, or both."""
    if not table.ids:
        return [table.path.stem] * len(table.values)
    if len(tables) == 1:
        return table.ids
    return [f"{table.path.stem}/{name}" for name in table.ids]


def _attach_labels(
    series: Series, labels: Array, per: LabelPer | None, tables: Sequence[Rows]
) -> tuple[Series, list[SkippedItem]]:
    """Add labels; with one label per series, series with none or several are skipped."""
    classes = tuple(sorted(set(labels.tolist()) - {""}, key=_sort_key))
    numbers = {name: number for number, name in enumerate(("", *classes))}
    flat = np.array([numbers[label] for label in labels.tolist()], np.int64)
    steps = replace(series.values, flat=flat)
    found = [np.unique(one[one > 0]) for one in steps]
    one_each = len(found) > 1 and all(len(one) == 1 for one in found)
    if per == "step" or (per is None and not one_each):
        return replace(series, labels=steps, classes=classes), []
    source = str(tables[0].path if len(tables) == 1 else tables[0].path.parent)
    kept = [place for place, one in enumerate(found) if len(one) == 1]
    refused = [
        SkippedItem(source, None, f"series {name}: {len(one) or 'no'} labels, expected one")
        for name, one in zip(series.names, found, strict=True)
        if len(one) != 1
    ]
    if not kept:
        raise DataError(f"No series has exactly one label; the first: {refused[0]}.")
    chosen = series.select(kept)
    ones = tuple(int(found[place][0]) - 1 for place in kept)
    return replace(chosen, labels=ones, classes=classes), refused


def _sort_key(name: str) -> tuple[int, float, str]:
    try:
        return 0, float(name), name
    except ValueError:
        return 1, 0.0, name


def _build_report(
    series: Series, tables: Sequence[Rows], kind: str, skipped_items: tuple[SkippedItem, ...]
) -> LoadReport:
    shortest, longest = series.values.lengths.min(), series.values.lengths.max()
    named = tables[0].path.name if len(tables) == 1 else pluralize(len(tables), "file")
    steps = (f"{shortest:,} to " if shortest < longest else "") + pluralize(int(longest), "step")
    per = "step" if isinstance(series.labels, RaggedArray) else "series"
    missing = int(np.isnan(series.values.flat).sum())
    notes = [f"Inputs: {', '.join(series.features)}."]
    for role, names in (
        ("Targets", series.targets),
        ("Ordered by", (tables[0].roles.time,)),
        ("Series by", (tables[0].roles.id,)),
        ("Not used", tables[0].unused),
    ):
        if any(names):
            notes.append(f"{role}: {', '.join(filter(None, names))}.")
    if series.labels is not None:
        notes.append(f"Classes, one per {per}: {', '.join(series.classes)}.")
    if missing:
        notes.append(f"{pluralize(missing, 'value')} missing of {series.values.flat.size:,}.")
    understood = (
        f"{named}: {kind}, {pluralize(len(series), 'series')} of {steps}, "
        f"{pluralize(len(series.features), 'column')}."
    )
    return LoadReport(understood, tuple(notes), skipped_items)
