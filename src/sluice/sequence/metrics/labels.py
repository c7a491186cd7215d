"""Errors of labels, beside those of constant answers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from sluice.sequence.batch import Batch, ModelState
from sluice.sequence.data.targets import IGNORE_INDEX
from sluice.sequence.metrics.metrics import MODEL, Metrics
from sluice.sequence.metrics.scores import classification_scores, confusion_matrix
from sluice.sequence.models import Classifier, Tagger


class LabelScores:
    """Counts hits and errors of probabilities, beside those of the most frequent class.

    >>> scores = LabelScores(("A", "B"))
    >>> scores.add(torch.tensor([[0.5, 0.5], [0.75, 0.25]]).log(), torch.tensor([1, 0]))
    >>> metrics = scores.compute()
    >>> metrics["accuracy"], round(metrics["Brier score"], 4)   # (1/2 + 1/8) / 2
    (0.5, 0.3125)

    Args:
        labels: the names of the classes.
        class_counts: how often each occurs in the training data; empty: in the data themselves.
    """

    def __init__(self, labels: tuple[str, ...], class_counts: Sequence[int] = ()) -> None:
        self.labels, self.class_counts = labels, class_counts
        self.items = 0
        self._nats = self._squares = 0.0
        self._confusion = torch.zeros(len(labels), len(labels), dtype=torch.int64)

    def add(self, log_probabilities: Tensor, truth: Tensor) -> None:
        """Count items: (items, classes), float, and their classes from 0, (items,), int64."""
        logs = log_probabilities.double()
        self.items += len(truth)
        self._nats += functional.nll_loss(logs, truth, reduction="sum").item()
        self._squares += float(_sum_squared_errors(logs.exp(), truth))
        self._confusion += confusion_matrix(truth, logs.argmax(dim=1), len(self.labels))

    def compute(self) -> Metrics:
        """The scores of the model and of constant answers."""
        support = self._confusion.sum(dim=1)
        counts = torch.tensor(self.class_counts) if len(self.class_counts) else support
        frequent = int(counts.argmax())
        always = torch.zeros_like(self._confusion)
        always[:, frequent] = support
        of = {
            MODEL: {
                **classification_scores(self._confusion),
                "nats per label": self._nats / self.items,
                "Brier score": self._squares / self.items,
            },
            f"always {self.labels[frequent]}": classification_scores(always),
            "class frequencies": _score_constant(counts, support),
        }
        rows = tuple(tuple(row) for row in self._confusion.tolist())
        return Metrics(self.items, of, rows, self.labels)


class LabelMetrics:
    """The scores of a `Classifier` or `Tagger` over batches; arguments as in `LabelScores`."""

    def __init__(
        self, model: Classifier | Tagger, labels: tuple[str, ...], class_counts: Sequence[int] = ()
    ) -> None:
        self.model, self._scores = model, LabelScores(labels, class_counts)

    @property
    def items(self) -> int:
        """The labels so far."""
        return self._scores.items

    def update(self, batch: Batch, state: ModelState) -> ModelState:
        """Add a batch; takes and returns a state as a model's `loss` does."""
        logits, state = self.model(batch.inputs, state, batch.lengths, batch.resets)
        of_steps = isinstance(self.model, Tagger)
        truth = batch.targets - 1 if of_steps else batch.targets
        counts = truth != (-1 if of_steps else IGNORE_INDEX)
        self._scores.add(logits[counts].double().log_softmax(dim=-1), truth[counts])
        return state

    def compute(self) -> Metrics:
        """The scores of the model and of constant answers."""
        return self._scores.compute()


def _sum_squared_errors(probabilities: Tensor, truth: Tensor) -> Tensor:
    """Of the probabilities (items, classes) of all classes, summed."""
    right = probabilities.gather(1, truth[:, None]).squeeze(1)
    return (probabilities.square().sum(dim=1) - 2 * right + 1).sum()


def _score_constant(counts: Tensor, support: Tensor) -> dict[str, float]:
    """The scores of the same probabilities for all: the frequencies, with one more of each class.

    Without the one more, a class that training lacks would cost infinitely much.
    """
    chances = (counts.double() + 1) / (counts.sum() + len(counts))
    shares = support.double() / support.sum()
    nats = -(shares * chances.log()).sum()
    brier = chances.square().sum() - 2 * (shares * chances).sum() + 1
    return {"nats per label": float(nats), "Brier score": float(brier)}
