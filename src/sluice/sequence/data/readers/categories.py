"""Columns of categories as inputs of 0 and 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sluice.option_names import name_option
from sluice.sequence.data.ragged import Array
from sluice.sequence.data.readers.numbers import (
    is_missing,
)
from sluice.sequence.data.readers.table import Table
from sluice.sequence.data.readers.table_options import (
    TableOptions,
    sort_naturally,
)
from sluice.sequence.data.readers.table_reading import (
    MAX_CATEGORIES,
    TableReading,
    find_form,
    is_numeric,
)
from sluice.sequence.data.readers.table_times import find_roles
from sluice.sequence.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


def add_categories(tables: Sequence[Table], options: TableOptions) -> TableOptions:
    """The options with an input `kind=a` for each value `a` of each column of categories.

    Raises:
        DataError: a column that does not exist, or with more than a hundred values.
    """
    wanted = options.get("categories")
    if not wanted:
        return options
    names = [wanted] if isinstance(wanted, str) else [*wanted]
    inputs = list(options.get("inputs") or ())
    if not inputs:
        reading = TableReading(tables[0], options)
        roles, _ = find_roles(tables[0], options)
        reading.form = find_form(reading, roles)
        numeric = [
            name
            for name in tables[0].types
            if name not in (*tables[0].left_out, *names) and is_numeric(reading, name)
        ]
        inputs = list(roles.resolve_inputs([*tables[0].types], numeric))
    for name in names:
        values = sorted(_collect_values(tables, name, options), key=sort_naturally)
        inputs += [f"{name}={value}" for value in values if f"{name}={value}" not in inputs]
    return {**options, "inputs": [name for name in inputs if name not in names]}


def _collect_values(tables: Sequence[Table], name: str, options: TableOptions) -> set[str]:
    from pyarrow import compute

    found: set[str] = set()
    for table in tables:
        if name not in table.types:
            raise DataError(
                f"{table.path}: column must be one of {', '.join(table.types)}, got {name!r}."
            )
        for batch in table.read([name]):
            cells = compute.utf8_trim_whitespace(batch.column(0).cast("string"))
            found.update(compute.unique(cells).to_pylist())
            if len(found) > MAX_CATEGORIES + 10:
                raise DataError(
                    f"{table.path}: column {name!r} has more than {MAX_CATEGORIES} values; "
                    f"{name_option('categories')} takes columns with few."
                )
    return {cell for cell in found if cell and not is_missing(cell, options.get("missing") or ())}


def match_category(
    reading: TableReading, name: str, source: str, column: pa.Array, listed: Sequence[str]
) -> Array:
    """1 where a cell holds the value that the input is named after, else 0; NaN if missing."""
    import pyarrow
    from pyarrow import compute

    cells = compute.utf8_trim_whitespace(column.cast("string"))
    values = compute.equal(cells, name.removeprefix(f"{source}=")).cast("float64")
    found = set(compute.unique(cells).to_pylist()) - {None}
    absent = [cell for cell in found if is_missing(cell, reading.missing)]
    reading.unknown.setdefault(source, set()).update(found - {*listed, *absent})
    values = np.array(values.to_numpy(zero_copy_only=False), np.float64)
    values[np.asarray(compute.is_in(cells, pyarrow.array(absent, cells.type)))] = np.nan
    return values
