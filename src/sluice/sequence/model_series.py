"""Tables for a trained model: read as its training read its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

from sluice.files import StrPath
from sluice.sequence.checkpoint import Checkpoint
from sluice.sequence.data.formats import detect_format, find_format, get_formats, load_data
from sluice.sequence.data.pairs import Pairs
from sluice.sequence.data.series import Series
from sluice.sequence.data.tokens import Tokens
from sluice.sequence.errors import DataError
from sluice.sequence.models import Forecaster

_TABLES = ("csv", "parquet")
_NOT_FOR_FORECASTS = ("label", "label_per", "target")


def load_model_series(checkpoint: Checkpoint, data: StrPath) -> Series:
    """Read a table with the columns and the options of a model's own training data.

    Args:
        checkpoint: a `Forecaster`, or a `Classifier` or `Tagger` of values.
        data: a table, or a folder of tables.

    Returns:
        Sequences with the model's features, in its order; a `Forecaster`'s targets are named, and
        labels, if there are any, are those of steps.

    Raises:
        DataError: a table that cannot be read, or that has other columns.
        MissingExtraError: a library that this format needs is not installed.
    """
    model, columns = checkpoint.model, checkpoint.columns
    options = get_load_options(checkpoint)
    kind = _find_kind(Path(data), options)
    given = {k: v for k, v in options.items() if k in get_formats()[kind].options}
    given |= {"inputs": columns} if columns else {}
    if isinstance(model, Forecaster):
        given = {k: v for k, v in given.items() if k not in _NOT_FOR_FORECASTS}
    else:
        # A sequence without a label can be read so; a reader of one per sequence would skip it.
        given["label_per"] = "step"
    try:
        series = _load_without_label(data, kind, given)
    except DataError as error:
        wanted = f"a {type(model).__name__} reads {describe_table(checkpoint)}"
        raise DataError(f"{str(error).removesuffix('.')}; {wanted}") from None
    assert isinstance(series, Series)
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


def _load_without_label(
    data: StrPath, kind: str, options: Mapping[str, object]
) -> Tokens | Series | Pairs:
    """Read a table; where it lacks the column of labels, without it."""
    label = options.get("label")
    try:
        return load_data(data, kind=kind, **options)
    except DataError as error:
        if label is None or repr(label) not in str(error):
            raise
    return load_data(data, kind=kind, **{**options, "label": None})


def get_load_options(checkpoint: Checkpoint) -> Mapping[str, object]:
    """How `load_data` read what the model was trained on; empty where the file does not say."""
    options = checkpoint.preprocessing.get("load_options", {})
    return cast("Mapping[str, object]", options) if isinstance(options, Mapping) else {}


def describe_table(checkpoint: Checkpoint) -> str:
    """What table a model reads, for messages."""
    columns = f" with the columns {', '.join(checkpoint.columns)}" if checkpoint.columns else ""
    return f"a table in CSV or Parquet{columns}"


def _find_kind(path: Path, options: Mapping[str, object]) -> str:
    """The format of a table: as detected, or as the training's own was named."""
    if path.is_file():
        found = detect_format(path)
        name = found.name if found else ""
    else:
        name = find_format(path).name
    return name if name in _TABLES else str(options.get("kind", "csv"))
