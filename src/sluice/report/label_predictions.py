"""The classes of sequences or steps that a trained model finds, with their probabilities."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sluice.files import StrPath, write_atomically
from sluice.report.model_data import (
    ModelData,
    cut_as_trained,
    get_class_counts,
    load_model_data,
)
from sluice.report.seen_data import describe_seen_data
from sluice.sequence import Checkpoint, DataError
from sluice.sequence.data.label_windows import LabelWindows
from sluice.sequence.data.ragged import Indices
from sluice.sequence.data.report import pluralize
from sluice.sequence.data.targets import IGNORE_INDEX, SequenceLabels, SupervisedSequences, collate
from sluice.sequence.metrics.labels import LabelScores
from sluice.sequence.metrics.metrics import Metrics
from sluice.sequence.metrics.score_table import ScoreTable
from sluice.sequence.models import Classifier, Tagger
from sluice.sequence.models.base import evaluation_mode

_BATCH = 32
_OTHER_COMMANDS = {
    "Forecaster": "sluice forecast",
    "LanguageModel": "sluice generate",
    "Seq2Seq": "sluice generate",
    "ConvSeq2Seq": "sluice generate",
    "TransformerSeq2Seq": "sluice generate",
}


@dataclass(frozen=True)
class LabelPredictions:
    """Probabilities of the classes of each sequence, or of each step of the sequences.

    Attributes:
        labels: the names of the classes.
        sequences: what each row's sequence is called: its id, file or line.
        steps: each row's step in its sequence, from 0, int64; None for one row a sequence.
        times: each row's time; None without steps or times.
        time_name: the name of the column of times.
        log_probabilities: (rows, classes), float64.
        truth: each row's class from 0, int64; -1 where the data give none.
        class_counts: how often each class occurred in training; empty if that is not known.
        notes: sentences on what was read and left out.
    """

    labels: tuple[str, ...]
    sequences: Sequence[str]
    steps: Indices | None
    times: NDArray[Any] | None
    time_name: str
    log_probabilities: NDArray[np.float64]
    truth: Indices
    class_counts: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """The probabilities of the classes, (rows, classes)."""
        return np.exp(self.log_probabilities)

    @property
    def best_labels(self) -> list[str]:
        """The most likely label of each row."""
        return [self.labels[k] for k in self.log_probabilities.argmax(axis=1)]

    @property
    def has_labels(self) -> bool:
        """Whether there is a label to compare with."""
        return bool((self.truth >= 0).any())

    def compute_metrics(self) -> Metrics:
        """Accuracy, scores by class and confusion, of the rows whose label is known.

        Raises:
            DataError: there is none.
        """
        if not self.has_labels:
            raise DataError("These data have no labels to compare with.")
        scores = LabelScores(self.labels, self.class_counts)
        known = self.truth >= 0
        scores.add(
            torch.from_numpy(self.log_probabilities[known]), torch.from_numpy(self.truth[known])
        )
        return scores.compute()

    def list_columns(self) -> list[str]:
        """The columns of `list_rows`."""
        of_steps = [] if self.steps is None else ["step"]
        of_times = [] if self.times is None else [self.time_name or "time"]
        of_truth = ["label"] if self.has_labels else []
        chances = [f"probability {label}" for label in self.labels]
        return ["sequence", *of_steps, *of_times, "predicted", *of_truth, *chances]

    def list_rows(self) -> Iterator[list[str]]:
        """Each row as text: where it is, the most likely label, the true one, probabilities."""
        has_labels, times = self.has_labels, _format_times(self.times)
        for row, (name, best) in enumerate(zip(self.sequences, self.best_labels, strict=True)):
            cells = [name]
            cells += [] if self.steps is None else [str(self.steps[row])]
            cells += [] if times is None else [times[row]]
            cells.append(best)
            if has_labels:
                cells.append(self.labels[self.truth[row]] if self.truth[row] >= 0 else "")
            yield [*cells, *(f"{chance:.6g}" for chance in np.exp(self.log_probabilities[row]))]

    def save(self, path: StrPath) -> None:
        """Write a CSV file with a line for each row.

        Raises:
            OSError: the file cannot be written.
        """
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(self.list_columns())
        writer.writerows(self.list_rows())
        write_atomically(path, file.getvalue().encode())

    def count_predicted(self) -> ScoreTable:
        """How often each class is the most likely one, and its mean probability."""
        counts = np.bincount(self.log_probabilities.argmax(axis=1), minlength=len(self.labels))
        means = self.probabilities.mean(axis=0)
        rows = tuple(
            (label, int(count), float(mean))
            for label, count, mean in zip(self.labels, counts, means, strict=True)
        )
        return ScoreTable("predicted", ("class", "predicted", "mean probability"), rows)


def predict_labels(
    checkpoint: Checkpoint, data: StrPath, *, unknown_labels: bool = True
) -> LabelPredictions:
    """Predict the class of each sequence, or of each step, of a file or folder.

    The data need no labels. Where they have some, `compute_metrics` compares.

    Args:
        checkpoint: a `Classifier` or `Tagger`, from `Checkpoint.load`.
        data: a table, or lines of text for a model of tokens.
        unknown_labels: leave labels out that the model does not have, with a note, instead of
            refusing them.

    Raises:
        DataError: another kind of model; data that cannot be read, lack columns of the model, or
            are empty; tokens that the model does not know.
        CheckpointError: the model's file does not say correctly how it was trained.
    """
    model = checkpoint.model
    if not isinstance(model, Classifier | Tagger):
        kind = type(model).__name__
        hint = _OTHER_COMMANDS.get(kind, "sluice evaluate")
        raise DataError(
            f"Labels are predicted by a Classifier or a Tagger, but this is a {kind}; use `{hint}`."
        )
    given = load_model_data(checkpoint, data, unknown_labels=unknown_labels)
    for index in range(len(given)):
        given.require_known(index, given.count_steps(index), checkpoint.vocabulary)
    logs, truth = _run(checkpoint, given)
    names = checkpoint.labels or tuple(str(k + 1) for k in range(model.config.classes))
    return LabelPredictions(
        names,
        *_list_places(given, of_steps=isinstance(model, Tagger)),
        logs,
        truth,
        get_class_counts(checkpoint),
        (
            _describe(given, len(truth)),
            *_list_load_notes(given),
            *filter(None, [given.note]),
            *describe_seen_data(checkpoint, given),
        ),
    )


def _run(checkpoint: Checkpoint, given: ModelData) -> tuple[NDArray[np.float64], Indices]:
    """Log-probabilities (rows, classes), and the classes from 0, -1 where none is given."""
    model, sequences = checkpoint.model, given.sequences
    cut = cut_as_trained(checkpoint, sequences)
    starts, rows = _find_rows(cut, isinstance(model, Tagger))
    logs = np.empty((rows, model.config.classes))
    truth = np.full(rows, -1, np.int64)
    order = np.argsort(cut.lengths, kind="stable")
    with evaluation_mode(model):
        for first in range(0, len(order), _BATCH):
            places = order[first : first + _BATCH].tolist()
            examples = [cut.read(place, 0, int(cut.lengths[place])) for place in places]
            batch = collate(cut, examples)
            outputs = model(batch.inputs, lengths=batch.lengths)[0].double().log_softmax(dim=-1)
            for column, place in enumerate(places):
                _, targets = examples[column]
                if targets.ndim == 0:
                    logs[place] = outputs[column].numpy()
                    truth[place] = -1 if targets == IGNORE_INDEX else targets
                    continue
                begin, end = _find_labelled(cut, place)
                row = starts[place]
                logs[row : row + end - begin] = outputs[begin:end, column].numpy()
                truth[row : row + end - begin] = targets[begin:end] - 1
    return logs, truth


def _find_rows(cut: SupervisedSequences, of_steps: bool) -> tuple[Indices, int]:
    """The first row of each sequence or window, and the number of rows."""
    if not of_steps:
        return np.arange(len(cut.lengths)), len(cut.lengths)
    sizes = cut.count_labels() if isinstance(cut, LabelWindows) else cut.lengths
    return np.cumsum(sizes) - sizes, int(sizes.sum())


def _find_labelled(cut: SupervisedSequences, place: int) -> tuple[int, int]:
    """The first step of a sequence or window that is labelled, and the one after the last."""
    if isinstance(cut, LabelWindows):
        return cut.find_labelled(place)
    return 0, int(cut.lengths[place])


def _list_places(
    given: ModelData, of_steps: bool
) -> tuple[Sequence[str], Indices | None, NDArray[Any] | None, str]:
    """Of each row its sequence, step and time, and the name of the times."""
    names = [given.get_name(index) for index in range(len(given))]
    if not of_steps:
        return names, None, None, ""
    lengths = given.sequences.lengths
    rows = [name for name, length in zip(names, lengths, strict=True) for _ in range(length)]
    steps = np.concatenate([np.arange(length) for length in lengths])
    series = given.series
    if series is None or series.times is None:
        return rows, steps, None, ""
    return rows, steps, np.concatenate(list(series.times)), series.time_name


def _format_times(times: NDArray[Any] | None) -> list[str] | None:
    if times is None:
        return None
    if np.issubdtype(times.dtype, np.datetime64):
        return [str(one) for one in np.datetime_as_string(times)]
    return [f"{one:.15g}" for one in times.tolist()]


def _describe(given: ModelData, rows: int) -> str:
    noun = "text" if given.series is None else "series"
    steps = "" if isinstance(given.sequences, SequenceLabels) else f", {pluralize(rows, 'step')}"
    return f"{given.source}: {pluralize(len(given), noun)}{steps}."


def _list_load_notes(given: ModelData) -> list[str]:
    """What reading the table assumed; its classes are the model's here."""
    notes = given.series.load_report.notes if given.series is not None else ()
    return [note for note in notes if not note.startswith("Classes")]
