"""The labels of a table, in the numbers of a classifier or tagger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sluice.sequence import Checkpoint, CheckpointError, DataError, Series
from sluice.sequence.data.label_windows import LabelWindows
from sluice.sequence.data.ragged import Array, RaggedArray
from sluice.sequence.data.report import pluralize
from sluice.sequence.data.targets import (
    IGNORE_INDEX,
    SequenceLabels,
    StepLabels,
    SupervisedSequences,
)
from sluice.sequence.models import Classifier

_MAX_WINDOW, _MAX_COUNT = 1_000_000, 1 << 53


class LabelledSequences(NamedTuple):
    """Inputs with labels, whether there is any label, and sentences on those left out."""

    sequences: SupervisedSequences
    has_labels: bool
    notes: tuple[str, ...]


def label_sequences(
    checkpoint: Checkpoint, series: Series, inputs: RaggedArray, data: str, *, strict: bool
) -> LabelledSequences:
    """The sequences of a table with the labels of its steps, numbered as the model's.

    A classifier's sequence has a label if its steps have exactly one.

    Args:
        checkpoint: a `Classifier` or `Tagger` of values.
        series: with a label per step, or without any.
        inputs: the values, as the model reads them.
        data: the file, for messages.
        strict: refuse a label that the model does not have; else it is left out, with a note.

    Raises:
        DataError: an unknown label, if `strict`.
    """
    notes = list[str]()
    steps = _number_labels(checkpoint, series, data, strict, notes)
    has_labels = bool(steps.flat.any())
    if not isinstance(checkpoint.model, Classifier):
        return LabelledSequences(StepLabels(inputs, steps), has_labels, tuple(notes))
    found = [np.unique(one[one > 0]) for one in steps]
    several = [name for name, one in zip(series.names, found, strict=True) if len(one) > 1]
    if several:
        many = pluralize(len(several), "series")
        notes.append(f"{many} with more than one label are not compared: {_list(several)}.")
    labels = [int(one[0]) - 1 if len(one) == 1 else IGNORE_INDEX for one in found]
    lone = sum(not len(one) for one in found)
    if has_labels and lone:
        notes.append(f"{pluralize(lone, 'series')} without a label are not compared.")
    has_labels = any(label != IGNORE_INDEX for label in labels)
    return LabelledSequences(SequenceLabels(inputs, labels), has_labels, tuple(notes))


def cut_as_trained(checkpoint: Checkpoint, sequences: SupervisedSequences) -> SupervisedSequences:
    """Step labels in the windows that the model was trained on; other sequences unchanged.

    Raises:
        CheckpointError: the model's file does not give a window as training writes it.
    """
    window = checkpoint.preprocessing.get("label_window")
    if window is None or not isinstance(sequences, StepLabels):
        return sequences
    if not (isinstance(window, dict) and window.keys() == {"steps", "context"}):
        raise CheckpointError(f"label_window must have steps and context, got {window!r}.")
    if not all(isinstance(value, int) and 0 <= value <= _MAX_WINDOW for value in window.values()):
        raise CheckpointError(f"label_window must hold numbers of steps, got {window!r}.")
    return LabelWindows.cut(sequences, **window)


def get_class_counts(checkpoint: Checkpoint) -> tuple[int, ...]:
    """How often each label occurred in training; empty where the model's file does not say.

    Raises:
        CheckpointError: the file gives something else.
    """
    counts = checkpoint.preprocessing.get("class_counts", [])
    if not isinstance(counts, list) or len(counts) not in (0, checkpoint.model.config.classes):
        raise CheckpointError(f"class_counts must be a number for each label, got {counts!r}.")
    if not all(isinstance(one, int) and 0 <= one <= _MAX_COUNT for one in counts):
        raise CheckpointError(f"class_counts must be counts of labels, got {counts!r}.")
    return tuple(counts)


def _number_labels(
    checkpoint: Checkpoint, series: Series, data: str, strict: bool, notes: list[str]
) -> RaggedArray:
    """The labels of all steps from 1, as the model numbers them; 0 where there is none."""
    if not isinstance(series.labels, RaggedArray):
        return RaggedArray(
            np.zeros(len(series.values.flat), np.int64), series.values.starts, series.values.stops
        )
    known = checkpoint.labels or series.classes
    numbers = [known.index(name) + 1 if name in known else 0 for name in series.classes]
    unknown = [name for name in series.classes if name not in known]
    if unknown and strict:
        raise DataError(
            f"{data} has the label {unknown[0]!r}{_place(series, series.labels, unknown[0])}, but "
            f"the model's labels are {_list(known)}; give data with these"
        )
    if unknown:
        missing = [series.classes.index(name) + 1 for name in unknown]
        count = int(np.isin(series.labels.flat, missing).sum())
        notes.append(
            f"{pluralize(count, 'step')} with labels that the model does not know are not "
            f"compared: {_list(unknown)}."
        )
    flat = np.array([0, *numbers], np.int64)[series.labels.flat]
    return RaggedArray(flat, series.labels.starts, series.labels.stops)


def _place(series: Series, labels: RaggedArray, label: str) -> str:
    """Where a label stands first."""
    number = series.classes.index(label) + 1
    for name, steps in zip(series.names, labels, strict=True):
        found: Array = np.flatnonzero(steps == number)
        if len(found):
            return f" at step {found[0]} of series {name}"
    return ""


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more
