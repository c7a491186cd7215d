"""What a report says of the columns of a table."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sluice.option_names import name_option, name_setting
from sluice.sequence.data.ragged import Array
from sluice.sequence.data.readers.numbers import (
    NumberFormat,
    describe_rounded,
)
from sluice.sequence.data.readers.table_options import (
    ColumnRoles,
    find_column,
)
from sluice.sequence.data.readers.table_reading import (
    MAX_CATEGORIES,
    SHOWN_VALUES,
    TableReading,
    list_values,
)


def describe_columns(reading: TableReading, roles: ColumnRoles, values: Array) -> Iterator[str]:
    """What was assumed of the columns, and what is odd about them, as sentences."""
    form, table = reading.form, reading.table
    inputs = [find_column(name, [*table.types]) for name in roles.inputs]
    if form != NumberFormat():
        groups = f", thousands marked by {form.thousands!r}" if form.thousands else ""
        yield f"Numbers: decimals after {form.decimal!r}{groups}."
    for name, kind in reading.kinds.items():
        if name in roles.inputs and kind.name == "boolean":
            yield f"{name}: {', '.join(list_values(reading, name))} are read as 1 (true) or 0."
        elif name in roles.inputs and kind.unit:
            yield f"{name}: read without its unit, {kind.unit}."
    for name, number in reading.rounded.items():
        yield describe_rounded(name, number)
    with_values = zip(roles.inputs, np.transpose(values), strict=True)
    constant = [
        name
        for name, column in with_values
        if len(column) > 1 and (column == column[0]).all() and name in table.types
    ]
    if constant:
        yield f"Constant: {', '.join(constant)}."
    for name, others in reading.unknown.items():
        if others:
            shown = ", ".join(sorted(others)[:SHOWN_VALUES])
            yield f"{name}: values without an input, 0 in all of its inputs: {shown}."
    unused = [
        name for name in table.types if name not in {*inputs, *roles.role_columns, *table.left_out}
    ]
    if unused:
        yield f"Not used: {', '.join(_describe_unused(reading, name) for name in unused)}."


def _describe_unused(reading: TableReading, name: str) -> str:
    """A column's name, and how it could be used."""
    kind = reading.kinds.get(name)
    if kind is None or kind.name not in ("text", "unit"):
        return name
    cells = list_values(reading, name)
    if kind.name == "unit":
        way = name_setting("drop_units", True)
        return f"{name} (numbers with the unit {kind.unit}; {way} reads them)"
    if 1 < len(cells) <= MAX_CATEGORIES and 2 * len(cells) <= len(reading.table.sample[name]):
        shown = ", ".join(cells[:SHOWN_VALUES]) + (", ..." if len(cells) > SHOWN_VALUES else "")
        way = name_option("categories")
        return f"{name} (text with {len(cells)} values: {shown}; {way} reads them)"
    return f"{name} (text)"
