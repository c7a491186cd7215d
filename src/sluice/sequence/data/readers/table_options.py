"""The options of tables, and which column has which role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypedDict

from sluice.sequence.errors import DataError

LabelPer = Literal["sequence", "step"]
_ID_NAMES = ("id", "series_id", "unique_id", "series")
_LABEL_NAMES = ("label", "class")


class TableOptions(TypedDict, total=False):
    """The options of every table, whatever its format.

    Attributes:
        inputs: the columns to read; default all numeric ones without another role. `kind=a` is 1
            where the column `kind` holds `a`, else 0.
        target: the column or columns to forecast, which are inputs too; default all inputs.
        id: the column that separates several series in a file; default a column named id,
            series_id, unique_id or series, if there is one.
        time: the column or columns that order the steps, of numbers or dates, in a list or between
            commas; default those that are certain by name and content.
        time_format: of dates that are not ISO 8601, as of `strptime`; or "unix", "unix-ms",
            "unix-us" or "excel" for numbers that count from a date.
        time_zone: of dates without an offset, such as Europe/Berlin, UTC or +01:00; others are
            given back in it.
        no_time: keep the rows in their order, whatever the columns hold.
        regular: make the times regular by a rule such as "hour:mean", see `make_regular`.
        label: the column with the class of each row or sequence; default one named label or class.
        label_per: "sequence" or "step"; default "sequence" if no sequence has two labels.
        categories: columns of text to read as inputs, one of 0 and 1 for each value (one-hot).
        drop_units: read `12 kWh` as 12, in columns whose cells all have the same unit.
        decimal: the mark before decimals, "." or ","; default the one that the cells show.
        thousands: the mark between groups of three digits, "," "." " " "'", or "" for none;
            default the one that the cells show.
        missing: words for missing values, beside an empty cell, NA, N/A, NaN, NaT, null, None
            and ?.
    """

    inputs: Sequence[str] | None
    target: str | Sequence[str] | None
    id: str | None
    time: str | Sequence[str] | None
    time_format: str | None
    time_zone: str | None
    no_time: bool
    regular: str | None
    label: str | None
    label_per: LabelPer | None
    categories: Sequence[str] | None
    drop_units: bool
    decimal: str | None
    thousands: str | None
    missing: Sequence[str] | None


@dataclass(frozen=True)
class ColumnRoles:
    """Which column has which role; after `resolve` all roles in a file are filled in."""

    inputs: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    id: str | None = None
    time: tuple[str, ...] = ()
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
            tuple(options.get("inputs") or ()),
            normalise_names(options.get("target")),
            options.get("id"),
            label=options.get("label"),
        )

    def resolve(self, columns: Sequence[str], numeric: Sequence[str]) -> ColumnRoles:
        """The roles with the missing ones filled in from a table's columns.

        Raises:
            DataError: a column that does not exist, or no numeric column.
        """
        for name in (*self.inputs, *self.target, self.id, *self.time, self.label):
            if name is not None and find_column(name, columns) is None:
                raise DataError(f"column must be one of {', '.join(columns)}, got {name!r}.")
        inputs = self.inputs or self.resolve_inputs(columns, numeric)
        inputs += tuple(name for name in self.target if name not in inputs)
        if not inputs:
            raise DataError(f"None of the columns {', '.join(columns)} is numeric.")
        return replace(self.with_defaults(columns), inputs=inputs)

    def resolve_inputs(self, columns: Sequence[str], numeric: Sequence[str]) -> tuple[str, ...]:
        """The numeric columns without another role."""
        roles = self.with_defaults(columns)
        others = {roles.id, *roles.time, roles.label}
        return tuple(name for name in numeric if name not in others)

    def with_defaults(self, columns: Sequence[str]) -> ColumnRoles:
        """The columns of ids and labels, as named or by their usual names."""
        return replace(
            self,
            id=self.id or _find_default(_ID_NAMES, columns),
            label=self.label or _find_default(_LABEL_NAMES, columns),
        )

    @property
    def role_columns(self) -> set[str | None]:
        """All columns that have a role; an input `kind=a` is one here."""
        return {*self.inputs, self.id, *self.time, self.label}


def _find_default(names: Sequence[str], columns: Sequence[str]) -> str | None:
    lower = {column.lower(): column for column in columns}
    return next((lower[name] for name in names if name in lower), None)


def find_column(name: str, columns: Sequence[str]) -> str | None:
    """The column that an input is read from: itself, or `kind` for `kind=a`.

    >>> find_column("kind=a", ["level", "kind"])
    'kind'
    """
    if name in columns:
        return name
    found = [column for column in columns if name.startswith(f"{column}=")]
    return max(found, key=len) if found else None


def normalise_names(names: str | Sequence[str] | None) -> tuple[str, ...]:
    """One name or several as a tuple; an empty one for None."""
    if names is None:
        return ()
    return (names,) if isinstance(names, str) else tuple(names)


def sort_naturally(name: str) -> tuple[int, float, str]:
    """A key that sorts numbers by value, before words."""
    try:
        return 0, float(name), name
    except ValueError:
        return 1, 0.0, name
