"""Tables and piano rolls, in the values of a model of series or chords."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from sluice.report.model_data.model_data import ModelData
from sluice.sequence import Checkpoint, DataError, Series, load_data
from sluice.sequence.data.feature_statistics import FeatureStatistics
from sluice.sequence.data.formats import detect_format, find_format, get_formats
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.data.targets import NextChord, SupervisedSequences
from sluice.sequence.forecast_sources import make_next_values
from sluice.sequence.models import Classifier, Forecaster

_TABLES = ("csv", "parquet")


def load_roll_data(checkpoint: Checkpoint, data: str) -> ModelData:
    """Piano rolls for a `ChoraleModel`."""
    series = load_data(data, kind="chorales")
    assert isinstance(series, Series)
    if len(series.features) != checkpoint.model.config.features:
        raise DataError(
            f"the model reads {checkpoint.model.config.features} keys, but {data} has "
            f"{len(series.features)}; give piano rolls like those it was trained on"
        )
    return _build(series, NextChord(series.values), data)


def load_table_data(checkpoint: Checkpoint, data: str, options: Mapping[str, object]) -> ModelData:
    """A table for a `Forecaster`, a `Classifier` or a `Tagger` of values."""
    model, series = checkpoint.model, _load_series(checkpoint, data, options)
    if isinstance(model, Forecaster):
        return _build(series, _supervise_forecasts(model, series, data), data, is_stream=True)
    series = _match_labels(series, checkpoint.labels, data)
    normal = series
    if "mean" in checkpoint.preprocessing:
        kept = {name: checkpoint.preprocessing[name] for name in ("features", "mean", "deviation")}
        scale = FeatureStatistics(**kept)  # type: ignore[arg-type]
        values = replace(series.values, flat=scale.normalise(series.values.flat))
        normal = series.with_values(values)
    made = _build(series, _without_labels(normal).to_supervised(), data)
    return made if series.labels is not None else replace(made, has_targets=False)


def _load_series(checkpoint: Checkpoint, data: str, options: Mapping[str, object]) -> Series:
    model, columns = checkpoint.model, checkpoint.columns
    kind = _find_kind(Path(data), options)
    given = {k: v for k, v in options.items() if k in get_formats()[kind].options}
    given |= {"inputs": columns} if columns else {}
    if not isinstance(model, Forecaster):
        given["label_per"] = "sequence" if isinstance(model, Classifier) else "step"
    else:
        given = {k: v for k, v in given.items() if k not in ("label", "label_per", "target")}
    try:
        series = load_data(data, kind=kind, **given)
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
    return series


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


def _supervise_forecasts(model: Forecaster, series: Series, data: str) -> SupervisedSequences:
    if int(series.values.lengths.max()) < 2:
        raise DataError(f"{data} has series of one row; a forecast needs at least 2")
    return make_next_values(series, model.config)


def _match_labels(series: Series, labels: tuple[str, ...], data: str) -> Series:
    """The series with its labels numbered as the model's; steps' labels from 1."""
    if series.labels is None or not labels:
        return series
    unknown = [name for name in series.classes if name not in labels]
    if unknown:
        raise DataError(
            f"{data} has the label {unknown[0]!r}{_place(series, unknown[0])}, but the model's "
            f"labels are {', '.join(labels)}; give data with these"
        )
    numbers = np.array([labels.index(name) for name in series.classes], np.int64)
    if isinstance(series.labels, RaggedArray):
        flat = np.concatenate(([0], numbers + 1))[series.labels.flat]
        return replace(series, labels=replace(series.labels, flat=flat), classes=labels)
    return replace(series, labels=tuple(int(numbers[one]) for one in series.labels), classes=labels)


def _place(series: Series, label: str) -> str:
    """Where a label stands first."""
    number, labels = series.classes.index(label), series.labels
    if isinstance(labels, RaggedArray):
        for name, steps in zip(series.names, labels, strict=True):
            found = np.flatnonzero(steps == number + 1)
            if len(found):
                return f" at step {found[0]} of series {name}"
    elif labels is not None:
        return f" at series {series.names[labels.index(number)]}"
    return ""


def _without_labels(series: Series) -> Series:
    """A series without labels gets missing ones, so that it is no forecast."""
    if series.labels is not None:
        return series
    none = np.zeros(len(series.values.flat), np.int64)
    return replace(series, labels=replace(series.values, flat=none))


def _build(
    series: Series, sequences: SupervisedSequences, data: str, is_stream: bool = False
) -> ModelData:
    skipped = len(series.skipped_items)
    note = f"{skipped} skipped, the first: {series.skipped_items[0]}" if skipped else ""
    return ModelData(sequences, series.names, data, is_stream=is_stream, series=series, note=note)
