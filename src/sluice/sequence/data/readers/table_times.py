"""The time of a table's rows: which columns hold it, and what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sluice.sequence.data.readers.table import SAMPLE_ROWS, Table
from sluice.sequence.data.readers.table_options import ColumnRoles, TableOptions
from sluice.sequence.data.readers.time_columns import find_time_columns, split_time_names
from sluice.sequence.data.readers.time_parts import TimeOptions

if TYPE_CHECKING:
    import pyarrow as pa


def get_time_options(table: Table, options: TableOptions) -> TimeOptions:
    """What the caller says of the time."""
    return TimeOptions(
        split_time_names(options.get("time"), [*table.types]),
        options.get("time_format"),
        bool(options.get("no_time")),
        options.get("missing") or (),
    )


def find_roles(table: Table, options: TableOptions) -> tuple[ColumnRoles, str]:
    """The roles that the caller names, with the columns of ids and times; and a note on the time.

    Raises:
        DataError: a column that does not exist, or a time with several readings.
        TypeError: an option that does not exist.
    """
    roles = ColumnRoles.from_options(options).with_defaults([*table.types])
    asked = get_time_options(table, options)._replace(id=roles.id)
    other = {roles.id, roles.label}
    sample = {name: one for name, one in _read_sample(table).items() if name not in other}
    chosen = find_time_columns(sample, asked)
    return replace(roles, time=chosen.columns), chosen.note


def _read_sample(table: Table) -> Mapping[str, pa.Array]:
    """The first cells of all columns, as arrow arrays."""
    import pyarrow

    typed = [
        name for name in table.types if name not in table.sample and name not in table.left_out
    ]
    batch = next(iter(table.read(typed)), None) if typed else None
    sample = {}
    for name in table.types:
        if name in table.left_out:
            continue
        if name in table.sample:
            sample[name] = pyarrow.array(table.sample[name], "string")
        elif batch is not None:
            sample[name] = batch.column(batch.schema.names.index(name))[:SAMPLE_ROWS]
        else:
            sample[name] = pyarrow.array([], table.types[name])
    return sample
