"""Tables and piano rolls, in the values of a model of series or chords."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sluice.report.model_data.label_data import label_sequences
from sluice.report.model_data.model_data import ModelData
from sluice.sequence import Checkpoint, DataError, Series, load_data
from sluice.sequence.data.feature_statistics import FeatureStatistics
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.data.targets import NextChord, StepLabels, SupervisedSequences
from sluice.sequence.forecast_sources import make_next_values
from sluice.sequence.model_series import load_model_series
from sluice.sequence.models import Forecaster


def load_roll_data(checkpoint: Checkpoint, data: str) -> ModelData:
    """Piano rolls for a `ChoraleModel`."""
    series = load_data(data, kind="rolls")
    assert isinstance(series, Series)
    if len(series.features) != checkpoint.model.config.features:
        raise DataError(
            f"the model reads {checkpoint.model.config.features} keys, but {data} has "
            f"{len(series.features)}; give piano rolls like those it was trained on"
        )
    return _build(series, NextChord(series.values), data)


def load_table_data(
    checkpoint: Checkpoint, data: str, *, unknown_labels: bool = False
) -> ModelData:
    """A table for a `Forecaster`, a `Classifier` or a `Tagger` of values.

    Args:
        checkpoint: the model.
        data: the file or folder.
        unknown_labels: leave labels out that the model does not have, instead of refusing them.
    """
    model, series = checkpoint.model, load_model_series(checkpoint, data)
    if isinstance(model, Forecaster):
        return _build(series, _supervise_forecasts(model, series, data), data, is_stream=True)
    normal = series
    if "mean" in checkpoint.preprocessing:
        kept = {name: checkpoint.preprocessing[name] for name in ("features", "mean", "deviation")}
        scale = FeatureStatistics(**kept)  # type: ignore[arg-type]
        values = replace(series.values, flat=scale.normalise(series.values.flat))
        normal = series.with_values(values)
    inputs = _fill_inputs(normal)
    labelled = label_sequences(checkpoint, series, inputs, data, strict=not unknown_labels)
    made = _build(series, labelled.sequences, data)
    note = " ".join(filter(None, (made.note, *labelled.notes)))
    return replace(made, has_targets=labelled.has_labels, note=note)


def _fill_inputs(series: Series) -> RaggedArray:
    """The values as training reads them, missing ones filled."""
    none = replace(series.values, flat=np.zeros(len(series.values.flat), np.int64))
    steps = replace(series, labels=none).to_supervised()
    assert isinstance(steps, StepLabels)
    return steps.inputs


def _supervise_forecasts(model: Forecaster, series: Series, data: str) -> SupervisedSequences:
    if int(series.values.lengths.max()) < 2:
        raise DataError(f"{data} has series of one row; a forecast needs at least 2")
    return make_next_values(series, model.config)


def _build(
    series: Series, sequences: SupervisedSequences, data: str, is_stream: bool = False
) -> ModelData:
    skipped = len(series.skipped_items)
    note = f"{skipped} skipped, the first: {series.skipped_items[0]}" if skipped else ""
    return ModelData(sequences, series.names, data, is_stream=is_stream, series=series, note=note)
