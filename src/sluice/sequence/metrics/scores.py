"""Confusion matrix, accuracy, and precision, recall and F1 of each class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


def confusion_matrix(truth: Tensor, predicted: Tensor, classes: int) -> Tensor:
    """Counts of true (row) and predicted (column) classes: (classes, classes), int64.

    `truth` and `predicted` are classes from 0 on, (items,), int64.

    >>> confusion_matrix(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    pairs = torch.bincount(truth * classes + predicted, minlength=classes**2)
    return pairs.view(classes, classes).cpu()


def classification_scores(confusion: Tensor) -> dict[str, float]:
    """Accuracy, and the mean F1 of the classes that occur as true or predicted.

    F1 is 2 hits / (2 hits + misses + false alarms).

    >>> classification_scores(torch.tensor([[1, 1], [0, 1]]))
    {'accuracy': 0.6666666666666666, 'macro F1': 0.6666666666666666}
    """
    counts = confusion.double()
    hits = counts.diagonal()
    occurrences = counts.sum(dim=0) + counts.sum(dim=1)
    occurs = occurrences > 0
    f1 = (2 * hits[occurs] / occurrences[occurs]).mean()
    return {"accuracy": float(hits.sum() / counts.sum()), "macro F1": float(f1)}


class ClassScores(NamedTuple):
    """How well one class is found; None for a ratio of nothing to nothing.

    Attributes:
        label: the name of the class, or of a mean over classes.
        precision: hits / (hits + false alarms); None for a class that was never predicted.
        recall: hits / (hits + misses); None for a class that does not occur.
        f1: 2 hits / (2 hits + misses + false alarms).
        support: how often the class occurs.
    """

    label: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


def compute_class_scores(
    confusion: Sequence[Sequence[int]], labels: Sequence[str]
) -> list[ClassScores]:
    """The scores of each class, from counts of true (row) and predicted (column) classes.

    >>> compute_class_scores([[1, 1], [0, 2]], ["A", "B"])[0]
    ClassScores(label='A', precision=1.0, recall=0.5, f1=0.6666666666666666, support=2)
    """
    predicted = [sum(column) for column in zip(*confusion, strict=True)]
    return [
        _score_class(label, row[number], sum(row), predicted[number])
        for number, (label, row) in enumerate(zip(labels, confusion, strict=True))
    ]


def average_class_scores(scores: Sequence[ClassScores]) -> list[ClassScores]:
    """The macro mean, over the classes that occur or were predicted, and the mean by support.

    A ratio of nothing to nothing counts as 0, as in scikit-learn's `classification_report`.

    >>> scores = compute_class_scores([[1, 1], [0, 2]], ["A", "B"])
    >>> [(one.label, one.recall) for one in average_class_scores(scores)]
    [('macro mean', 0.75), ('weighted mean', 0.75)]
    """
    found = [one for one in scores if one.f1 is not None]
    total = sum(one.support for one in found)
    return [
        _average("macro mean", found, [1] * len(found), total),
        _average("weighted mean", found, [one.support for one in found], total),
    ]


def _average(
    name: str, scores: Sequence[ClassScores], weights: Sequence[int], support: int
) -> ClassScores:
    def mean(values: Iterable[float | None]) -> float:
        return sum(w * (value or 0.0) for w, value in zip(weights, values, strict=True)) / sum(
            weights
        )

    return ClassScores(
        name,
        mean(one.precision for one in scores),
        mean(one.recall for one in scores),
        mean(one.f1 for one in scores),
        support,
    )


def _score_class(label: str, hits: int, support: int, predicted: int) -> ClassScores:
    return ClassScores(
        label,
        hits / predicted if predicted else None,
        hits / support if support else None,
        2 * hits / (support + predicted) if support + predicted else None,
        support,
    )
