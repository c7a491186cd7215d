"""Confusion matrix, accuracy and F1."""

from __future__ import annotations

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

    >>> classification_scores(torch.tensor([[1, 1], [0, 1]]))["accuracy"]
    0.6666666865348816
    """
    hits = confusion.diagonal()
    occurrences = confusion.sum(dim=0) + confusion.sum(dim=1)
    occurs = occurrences > 0
    f1 = (2 * hits[occurs] / occurrences[occurs]).mean()
    return {"accuracy": float(hits.sum() / confusion.sum()), "macro F1": float(f1)}
