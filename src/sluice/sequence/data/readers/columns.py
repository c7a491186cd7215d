"""Series from rows of named columns: in which order, with which labels, and a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sluice.sequence.data.ragged import Array, Indices, RaggedArray
from sluice.sequence.data.readers.numbers import is_missing
from sluice.sequence.data.readers.parsed_times import ParsedTimes
from sluice.sequence.data.readers.table_options import ColumnRoles, LabelPer, sort_naturally
from sluice.sequence.data.regular import make_regular
from sluice.sequence.data.report import LoadReport, SkippedItem, pluralize
from sluice.sequence.data.series import Series
from sluice.sequence.data.splits import split_from_names
from sluice.sequence.data.time_findings import describe_steps
from sluice.sequence.data.time_order import RowOrder, order_rows
from sluice.sequence.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN_CLASSES = 10


class Rows(NamedTuple):
    """The rows of one file that could be read.

    `values` are (rows, inputs) float64, `ids` and `labels` a column of text or None; `notes` are
    what was assumed of the file, `options` what was found out of its notation.
    """

    path: Path
    kind: str
    roles: ColumnRoles
    values: Array
    ids: pa.ChunkedArray | None
    labels: pa.ChunkedArray | None
    times: ParsedTimes | None
    skipped_items: tuple[SkippedItem, ...] = ()
    notes: tuple[str, ...] = ()
    options: Mapping[str, object] = MappingProxyType({})


def to_series(
    tables: Sequence[Rows], label_per: LabelPer | None, regular: str | None = None
) -> Series:
    """Series from the rows of files of the same columns, made regular by a rule.

    Raises:
        DataError: files of different columns or times, times that give no order, no series left,
            or a rule that cannot be followed.
    """
    first = tables[0]
    for table in tables[1:]:
        if table.roles != first.roles:
            raise DataError(
                f"{table.path} has other columns than {first.path}; load the files separately."
            )
    names, codes = _number_series(tables)
    times = _join_times(tables)
    try:
        order = (
            order_rows(codes, names)
            if times is None
            else order_rows(codes, names, times.values, times.zone, times.pattern)
        )
    except DataError as error:
        raise DataError(f"{first.path}: {error}") from None
    values = first.values if len(tables) == 1 else np.concatenate([one.values for one in tables])
    values = values if order.rows is None else values[order.rows]
    starts = np.concatenate((np.zeros(1, np.int64), order.ends[:-1]))
    series = Series(
        first.roles.inputs,
        RaggedArray(values, starts, order.ends),
        targets=first.roles.target,
        names=names,
        times=_order_times(times, order, starts),
        time_name=" ".join(first.roles.time),
        time_zone=times.zone if times else "",
        time_format=times.pattern if times else "",
        load_options={name: value for one in tables for name, value in one.options.items()},
        predefined_split=split_from_names([table.path for table in tables])
        if len(names) == len(tables)
        else {},
    )
    refused = [one for table in tables for one in table.skipped_items]
    if first.roles.label is not None:
        series, skipped = _attach_labels(series, order, label_per, tables)
        refused += skipped
    notes = order.notes
    if series.times is not None:
        found = describe_steps(series.times, series.names, series.time_zone, series.time_format)
        notes += found if regular is None else ()
    if regular is not None:
        try:
            series, made = make_regular(series, regular)
        except DataError as error:
            raise DataError(f"{first.path}: {error}") from None
        notes += made
    return replace(series, load_report=_build_report(series, tables, tuple(refused), notes))


def _join_times(tables: Sequence[Rows]) -> ParsedTimes | None:
    """The times of all files; those of different zones are given back in UTC."""
    times = [table.times for table in tables if table.times is not None]
    if not times:
        return None
    first = times[0]
    for table in tables:
        one = table.times
        if one is None or (one.values.dtype.kind == "M", bool(one.zone)) != (
            first.values.dtype.kind == "M",
            bool(first.zone),
        ):
            raise DataError(
                f"{table.path} has other times than {tables[0].path} (numbers, dates, or dates "
                "with an offset); load the files separately."
            )
    zone = first.zone if all(one.zone == first.zone for one in times) else "UTC"
    whole = first.values if len(times) == 1 else np.concatenate([one.values for one in times])
    return ParsedTimes(whole, zone=zone, pattern=first.pattern)


def _number_series(tables: Sequence[Rows]) -> tuple[tuple[str, ...], Indices]:
    """The names of all series, by id, by file or by both, and the number of each row's series."""
    numbers: dict[str, int] = {}
    codes = []
    for table in tables:
        if table.ids is None:
            number = numbers.setdefault(table.path.stem, len(numbers))
            codes.append(np.full(len(table.values), number, np.int64))
            continue
        places, words = _encode([table.ids])
        before = f"{table.path.stem}/" if len(tables) > 1 else ""
        known = [numbers.setdefault(before + word, len(numbers)) for word in words]
        codes.append(np.array(known, np.int64)[places])
    return tuple(numbers), np.concatenate(codes)


def _encode(columns: Sequence[pa.ChunkedArray | None]) -> tuple[Indices, list[str]]:
    """The number of each row's word, and the words as they appear; a missing one is empty."""
    import pyarrow
    from pyarrow import compute

    chunks = [part for one in columns if one is not None for part in _to_dictionaries(one)]
    if not chunks:
        return np.zeros(0, np.int64), []
    chunks = pyarrow.chunked_array(chunks).unify_dictionaries().chunks
    words = compute.utf8_trim_whitespace(chunks[0].dictionary).to_pylist()
    numbers = {word: place for place, word in enumerate(dict.fromkeys([*words, ""]))}
    renumbered = np.array([numbers[word] for word in (*words, "")], np.int64)  # the last if missing
    places = np.concatenate(
        [renumbered[np.asarray(part.indices.fill_null(len(words)))] for part in chunks]
    )
    first = np.full(len(numbers), len(places))
    first[places[::-1]] = np.arange(len(places))[::-1]
    order = np.argsort(first)[: np.count_nonzero(first < len(places))]
    ranks = np.empty(len(numbers), np.int64)
    ranks[order] = np.arange(len(order))
    known = [*numbers]
    return ranks[places], [known[place] for place in order.tolist()]


def _to_dictionaries(column: pa.ChunkedArray) -> Sequence[pa.Array]:
    from pyarrow import types

    encoded = types.is_dictionary(column.type)
    found = column if encoded else column.cast("string").dictionary_encode()
    return [*found.chunks]


def _order_times(times: ParsedTimes | None, order: RowOrder, starts: Indices) -> RaggedArray | None:
    """The times of all steps; None without a column of times."""
    if times is None:
        return None
    values = times.values if order.rows is None else times.values[order.rows]
    return RaggedArray(values, starts, order.ends)


def _attach_labels(
    series: Series, order: RowOrder, per: LabelPer | None, tables: Sequence[Rows]
) -> tuple[Series, list[SkippedItem]]:
    """Add labels; with one label per series, series with none or several are skipped."""
    places, words = _encode([one.labels for one in tables])
    words = ["" if is_missing(word) else word for word in words]
    classes = tuple(sorted(set(words) - {""}, key=sort_naturally))
    numbers = {name: number for number, name in enumerate(("", *classes))}
    flat = np.array([numbers[word] for word in words], np.int64)[places]
    flat = flat if order.rows is None else flat[order.rows]
    steps = replace(series.values, flat=flat)
    found = [np.unique(one[one > 0]) for one in steps]
    one_each = len(found) > 1 and (
        all(len(one) == 1 for one in found)
        # Some series without any label, the others with the same one at every step.
        or (flat.any() and all(len(np.unique(one)) == 1 for one in steps))
    )
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


def _merge_notes(tables: Sequence[Rows]) -> list[str]:
    """The notes on all files; one that is not on all of them says on which it is."""
    files: dict[str, list[str]] = {}
    for table in tables:
        for note in (*table.notes, *(table.times.notes if table.times else ())):
            files.setdefault(note, []).append(table.path.name)
    return [
        note if len(names) == len(tables) else f"{note} ({_name_files(names)})"
        for note, names in files.items()
    ]


def _name_files(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _build_report(
    series: Series,
    tables: Sequence[Rows],
    skipped_items: tuple[SkippedItem, ...],
    time_notes: tuple[str, ...],
) -> LoadReport:
    shortest, longest = series.values.lengths.min(), series.values.lengths.max()
    named = tables[0].path.name if len(tables) == 1 else pluralize(len(tables), "file")
    steps = (f"{shortest:,} to " if shortest < longest else "") + pluralize(int(longest), "step")
    per = "step" if isinstance(series.labels, RaggedArray) else "series"
    missing = int(np.isnan(series.values.flat).sum())
    notes = [f"Inputs: {', '.join(series.features)}."]
    for role, names in (
        ("Targets", series.targets),
        ("Ordered by", tables[0].roles.time),
        ("Series by", (tables[0].roles.id,)),
    ):
        if any(names):
            notes.append(f"{role}: {', '.join(filter(None, names))}.")
    notes += _merge_notes(tables)
    notes += time_notes
    if series.labels is not None:
        listed, others = series.classes[:_SHOWN_CLASSES], len(series.classes) - _SHOWN_CLASSES
        more = f" and {others:,} more" if others > 0 else ""
        notes.append(f"Classes, one per {per}: {', '.join(listed)}{more}.")
    if missing:
        notes.append(f"{pluralize(missing, 'value')} missing of {series.values.flat.size:,}.")
    understood = (
        f"{named}: {tables[0].kind}, {pluralize(len(series), 'series')} of {steps}, "
        f"{pluralize(len(series.features), 'column')}."
    )
    return LoadReport(understood, tuple(notes), skipped_items)
