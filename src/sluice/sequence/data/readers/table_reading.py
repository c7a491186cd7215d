"""How the columns of a table are read: which hold numbers, and in which notation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sluice.option_names import name_option, name_setting
from sluice.sequence.data.readers.numbers import (
    CellKind,
    NumberFormat,
    find_cell_kind,
    find_number_format,
    is_missing,
)
from sluice.sequence.data.readers.table import Table
from sluice.sequence.data.readers.table_options import (
    ColumnRoles,
    TableOptions,
    find_column,
)
from sluice.sequence.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


MAX_CATEGORIES = 100
"""Values of a column that may become inputs of 0 and 1."""
SHOWN_VALUES = 5


@dataclass
class TableReading:
    """How the columns of a table are read, and what was found on the way.

    `kinds` are those of the columns of text; `bad` are the reasons why rows are skipped, by row.
    """

    table: Table
    options: TableOptions
    form: NumberFormat = field(default_factory=NumberFormat)
    kinds: dict[str, CellKind] = field(default_factory=dict)
    bad: dict[int, str] = field(default_factory=dict)
    rounded: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, set[str]] = field(default_factory=dict)

    @property
    def missing(self) -> Sequence[str]:
        return self.options.get("missing") or ()

    def fail(self, message: str) -> DataError:
        return DataError(f"{self.table.path}: {message}")


def find_form(reading: TableReading, roles: ColumnRoles) -> NumberFormat:
    """How numbers are written in the columns that may be inputs."""
    table, options = reading.table, reading.options
    others = {roles.id, *roles.time, roles.label, *table.left_out}
    asked = {find_column(name, [*table.types]) for name in roles.inputs}
    known = {
        name: [cell for cell in cells if not is_missing(cell, reading.missing)]
        for name, cells in table.sample.items()
        if name not in others and (not asked or name in asked or name in roles.target)
    }
    form = find_number_format(
        known,
        options.get("decimal"),
        options.get("thousands"),
        dot_is_certain=table.dot_is_certain,
    )
    for name, cells in table.sample.items():
        cells = [cell for cell in cells if not is_missing(cell, reading.missing)]
        reading.kinds[name] = find_cell_kind(cells, form) if cells else CellKind("number")
    return form


def is_numeric(reading: TableReading, name: str) -> bool:
    """Whether a column can be read as numbers without being asked for."""
    if name in reading.kinds:
        kind = reading.kinds[name]
        wanted = reading.options.get("drop_units") or kind.unit == "%"
        return kind.name in ("number", "boolean") or (kind.name == "unit" and bool(wanted))
    return _has_numbers(reading.table.types[name])


def _has_numbers(kind: pa.DataType) -> bool:
    from pyarrow import types

    return bool(
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_decimal(kind)
        or types.is_boolean(kind)
        or types.is_null(kind)
    )


def require_numbers(reading: TableReading, roles: ColumnRoles) -> None:
    """Refuse an input that holds no numbers, and say what to do."""
    for name in roles.inputs:
        if name not in reading.table.types or is_numeric(reading, name):
            continue
        if name not in reading.kinds:
            raise DataError(f"column {name!r} holds {reading.table.types[name]}, expected numbers.")
        cells = list_values(reading, name)
        if reading.kinds[name].name == "unit":
            raise DataError(
                f"column {name!r} has numbers with a unit ({cells[0]!r}); "
                f"{name_setting('drop_units', True)} reads the numbers."
            )
        raise DataError(
            f"column {name!r} holds text ({', '.join(map(repr, cells[:3]))}), expected numbers; "
            f"{name_option('categories')} makes an input of 0 and 1 of each value."
        )


def list_values(reading: TableReading, name: str) -> list[str]:
    """The different cells of a column of text, in the order of the sample."""
    cells = dict.fromkeys(reading.table.sample[name])
    return [cell for cell in cells if not is_missing(cell, reading.missing)]


def suggest_columns(reading: TableReading) -> str:
    """What can be done if no column is numeric."""
    united = [name for name, kind in reading.kinds.items() if kind.name == "unit"]
    if united:
        cell = list_values(reading, united[0])[0]
        return f" {united[0]} has a unit ({cell!r}); {name_setting('drop_units', True)} reads it."
    if len(reading.table.types) == 1 and " " in next(iter(reading.table.types)):
        return f" Are cells separated by blanks? Say {name_setting('delimiter', ' ')}."
    return (
        f" Name columns of text with few values as {name_option('categories')}; "
        f"{name_setting('kind', 'labels')} reads texts with labels."
    )
