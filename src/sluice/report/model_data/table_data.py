"""Tables and piano rolls, in the values of a model of series or chords."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sluice.report.model_data.model_data import ModelData
from sluice.sequence import Checkpoint, DataError, Series, load_data
from sluice.sequence.data.feature_statistics import FeatureStatistics
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.data.targets import NextChord, NextValues, SupervisedSequences
from sluice.sequence.model_series import load_model_series
from sluice.sequence.models import Forecaster


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


def load_table_data(checkpoint: Checkpoint, data: str) -> ModelData:
    """A table for a `Forecaster`, a `Classifier` or a `Tagger` of values."""
    model, series = checkpoint.model, load_model_series(checkpoint, data)
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


def _supervise_forecasts(model: Forecaster, series: Series, data: str) -> SupervisedSequences:
    config = model.config
    if int(series.values.lengths.max()) < 2:
        raise DataError(f"{data} has series of one row; a forecast needs at least 2")
    if config.indicate:  # the model itself fills missing values, and says which they are
        columns = list(config.targets)
        targets = replace(series.values, flat=series.values.flat[:, columns])
        return NextValues(series.values, targets, config.horizon)
    return series.to_supervised(config.horizon)


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
