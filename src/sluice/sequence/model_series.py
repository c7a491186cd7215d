"""Tables for a trained model: read as its training read its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np

from sluice.files import StrPath
from sluice.sequence.checkpoint import Checkpoint
from sluice.sequence.data.calendar_fields import (
    CALENDAR_FIELDS,
    add_calendar,
    list_calendar_columns,
)
from sluice.sequence.data.formats import (
    TABLES,
    AnyData,
    detect_format,
    find_format,
    get_formats,
    load_data,
)
from sluice.sequence.data.series import Series
from sluice.sequence.errors import DataError
from sluice.sequence.models import Forecaster, ForecasterConfig

_NOT_FOR_FORECASTS = ("label", "label_per", "target")


def load_model_series(checkpoint: Checkpoint, data: StrPath) -> Series:
    """Read a table with the columns and the options of a model's own training data.

    Args:
        checkpoint: a `Forecaster`, or a `Classifier` or `Tagger` of values.
        data: a table, or a folder of tables.

    Returns:
        Sequences with the model's features, in its order; a `Forecaster`'s targets are named, and
        labels, if there are any, are those of steps. What the model reads from the calendar is
        added.

    Raises:
        DataError: a table that cannot be read, or that has other columns.
        MissingExtraError: a library that this format needs is not installed.
    """
    model = checkpoint.model
    fields = get_calendar_fields(checkpoint)
    calendar = list_calendar_columns(fields)
    columns = [name for name in checkpoint.columns if name not in calendar]
    try:
        series = add_calendar(_load_columns(checkpoint, Path(data), columns), fields)
    except DataError as error:
        wanted = f"a {type(model).__name__} reads {describe_table(checkpoint)}"
        raise DataError(f"{str(error).removesuffix('.')}; {wanted}") from None
    if len(series.features) != model.config.features:
        raise DataError(
            f"the model reads {model.config.features} columns, but {data} has "
            f"{len(series.features)} of numbers: {', '.join(series.features)}; give a table like "
            "the one it was trained on"
        )
    if not isinstance(model, Forecaster):
        return series
    targets = tuple(series.features[place] for place in model.config.targets)
    return replace(series, labels=None, targets=targets)


def load_known_ahead(checkpoint: Checkpoint, data: StrPath) -> Series:
    """Read a table of what is known ahead, for a `Forecaster` that reads such columns.

    Args:
        checkpoint: the forecaster.
        data: a table with its columns that are known ahead; others are not read.

    Returns:
        Sequences with all features of the model; those that are not known ahead are NaN.

    Raises:
        DataError: a model that reads nothing ahead; a table that cannot be read, or that lacks a
            column.
    """
    known = list_known_ahead(checkpoint)
    if not known:
        raise DataError(
            f"{data} would be of no use: this model reads no columns that are known ahead; leave "
            "it out"
        )
    columns = checkpoint.columns
    series = _load_columns(checkpoint, Path(data), known)
    flat = np.full((len(series.values.flat), len(columns)), np.nan)
    flat[:, [columns.index(name) for name in known]] = series.values.flat
    values = replace(series.values, flat=flat)
    return replace(series, features=columns, values=values, labels=None)


def _load_columns(checkpoint: Checkpoint, data: Path, columns: Sequence[str]) -> Series:
    """Read some columns with the options of the training."""
    options = get_load_options(checkpoint)
    kind = _find_kind(data, options)
    given = {k: v for k, v in options.items() if k in get_formats()[kind].options}
    given |= {"inputs": columns} if columns else {}
    if isinstance(checkpoint.model, Forecaster):
        given = {k: v for k, v in given.items() if k not in _NOT_FOR_FORECASTS}
    else:
        # A sequence without a label can be read so; a reader of one per sequence would skip it.
        given["label_per"] = "step"
    series = _load_without_label(data, kind, given)
    assert isinstance(series, Series)
    return series


def _load_without_label(data: StrPath, kind: str, options: Mapping[str, object]) -> AnyData:
    """Read a table; where it lacks the column of labels, without it."""
    label = options.get("label")
    try:
        return load_data(data, kind=kind, **options)
    except DataError as error:
        if label is None or repr(label) not in str(error):
            raise
    return load_data(data, kind=kind, **{**options, "label": None})


def get_calendar_fields(checkpoint: Checkpoint) -> tuple[str, ...]:
    """The fields of the calendar that a `Forecaster` reads."""
    fields = checkpoint.preprocessing.get("calendar", ())
    given = tuple(fields) if isinstance(fields, Sequence) else ()
    if any(name not in CALENDAR_FIELDS for name in given):
        raise DataError(f"The model reads {given} from the calendar, which is unknown here.")
    return given


def list_known_ahead(checkpoint: Checkpoint) -> tuple[str, ...]:
    """The columns known ahead that a table must give; those of the calendar are computed."""
    config = checkpoint.model.config
    if not isinstance(config, ForecasterConfig):
        return ()
    calendar = list_calendar_columns(get_calendar_fields(checkpoint))
    columns = checkpoint.columns or tuple(map(str, range(config.features)))
    return tuple(columns[place] for place in config.known if columns[place] not in calendar)


def get_load_options(checkpoint: Checkpoint) -> Mapping[str, object]:
    """How `load_data` read what the model was trained on; empty where the file does not say."""
    options = checkpoint.preprocessing.get("load_options", {})
    return cast("Mapping[str, object]", options) if isinstance(options, Mapping) else {}


def describe_table(checkpoint: Checkpoint) -> str:
    """What table a model reads, for messages."""
    calendar = list_calendar_columns(get_calendar_fields(checkpoint))
    names = [name for name in checkpoint.columns if name not in calendar]
    columns = f" with the columns {', '.join(names)}" if names else ""
    columns += " and dates" if calendar else ""
    return f"a table in CSV or Parquet{columns}"


def _find_kind(path: Path, options: Mapping[str, object]) -> str:
    """The format of a table: as detected, or as the training's own was named."""
    if path.is_file():
        found = detect_format(path)
        name = found.name if found else ""
    else:
        name = find_format(path).name
    return name if name in TABLES else str(options.get("kind", "csv"))
