"""Columns of numbers that hold no value in any row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sluice.sequence.data.readers.columns import Rows
from sluice.sequence.data.readers.table_options import TableOptions, normalise_names


def leave_out_empty(tables: Sequence[Rows], options: TableOptions) -> list[Rows]:
    """The rows of files of the same columns, without those that are empty in all of them.

    Columns that the caller names stay, and so do all where none holds a value.
    """
    first = tables[0].roles
    asked = {*(options.get("inputs") or ()), *normalise_names(options.get("target"))}
    if any(table.roles != first for table in tables):
        return [*tables]
    empty = np.logical_and.reduce([np.isnan(one.values).all(axis=0) for one in tables])
    keep = ~empty | np.array([name in asked for name in first.inputs])
    if keep.all() or empty.all():
        return [*tables]
    names = [name for name, kept in zip(first.inputs, keep, strict=True) if not kept]
    note = f"Left out: {', '.join(names)}, without a value in any row."
    roles = replace(
        first, inputs=tuple(name for name, kept in zip(first.inputs, keep, strict=True) if kept)
    )
    return [
        one._replace(
            roles=roles,
            values=one.values[:, keep],
            notes=(*one.notes, note) if place == 0 else one.notes,
        )
        for place, one in enumerate(tables)
    ]
