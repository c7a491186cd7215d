"""A model over a source: which figures, by the model's kind."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from sluice.sequence.batch import Batch, Source
from sluice.sequence.data.steps import IGNORED
from sluice.sequence.errors import SequenceError
from sluice.sequence.metrics.figures import MODEL, Figures
from sluice.sequence.metrics.forecasts import Forecasts, changes
from sluice.sequence.metrics.scores import confusion_of, scores_of
from sluice.sequence.models import (
    ChoraleModel,
    Classifier,
    Forecaster,
    LanguageModel,
    Seq2Seq,
    SequenceModel,
    Tagger,
)
from sluice.sequence.models.base import evaluating


def evaluate(
    model: SequenceModel,
    source: Source,
    *,
    characters: int | None = None,
    period: int | None = None,
    training: Source | None = None,
    labels: Sequence[str] = (),
) -> Figures:
    """The figures of a model over a source's epoch 0, in evaluation mode.

    =============================  =========================================================
    `LanguageModel`, `Seq2Seq`     nats per token, perplexity (its exponential), and bits per
                                   character where `characters` is given
    `Classifier`, `Tagger`         accuracy, macro F1 (the mean over the classes that occur),
                                   nats per label, confusion
    `Forecaster`                   MAE and RMSE in the units of the source; MASE
    `ChoraleModel`                 nats per step; frame accuracy, hits / (hits + misses + false
                                   alarms) of keys (Bay, Ehmann & Downie 2009)
    =============================  =========================================================

    Forecasts stand beside those of the last known value and, with `period`, of the last season.
    MASE is the absolute error over that of the naive forecast (the last value; with `period` the
    value a season before) in `training`, or in `source` itself where that is None, each feature
    apart (Hyndman & Koehler 2006).

    Args:
        model: a model of `sluice.sequence.models`, on any device.
        source: what to measure on; where it carries, so does the state.
        characters: how many characters the source's tokens stand for.
        period: the length of a season in steps, of forecasts.
        training: the data that a `Forecaster` was trained on.
        labels: the names of the classes.

    Raises:
        SequenceError: a source without a single item, a period below 1, or another model.

    >>> from sluice.sequence.batches import Bucketed
    >>> from sluice.sequence import ModelConfig
    >>> model = LanguageModel(ModelConfig(vocabulary_size=9, hidden_size=8))
    >>> figures = evaluate(model, Bucketed([[3, 4], [5]], batch_size=2, seed=0), characters=5)
    >>> figures.items, sorted(figures.of["model"])
    (5, ['bits per character', 'nats per token', 'perplexity'])
    """
    if period is not None and period < 1:
        raise SequenceError(f"A period is at least 1 step, but {period} came.")
    measure = _measure(model, source, characters, period, training, labels)
    device, state = next(model.parameters()).device, None
    with evaluating(model):
        for batch in source.batches(0):
            state = measure.add(batch.to(device), state)
            state = state if source.carries else None
    if not measure.items:
        raise SequenceError("There is nothing to foretell in this data; give it more.")
    return measure.figures()


class _Measure(Protocol):
    items: int

    def add(self, batch: Batch, state: Any) -> Any: ...
    def figures(self) -> Figures: ...


def _measure(
    model: SequenceModel,
    source: Source,
    characters: int | None,
    period: int | None,
    training: Source | None,
    labels: Sequence[str],
) -> _Measure:
    if isinstance(model, LanguageModel | Seq2Seq):
        return _Tokens(model, characters)
    if isinstance(model, Classifier | Tagger):
        names = tuple(labels) or tuple(str(n + 1) for n in range(model.config.classes))
        return _Labels(model, names)
    if isinstance(model, Forecaster):
        scale = changes(training or source, model.config.targets, period or 1)
        return Forecasts(model, source.carries, period, scale)
    if isinstance(model, ChoraleModel):
        return _Keys(model)
    raise SequenceError(f"No figures are known for a {type(model).__name__}.")


@dataclass
class _Tokens:
    model: SequenceModel
    characters: int | None
    total: float = 0.0
    items: int = 0

    def add(self, batch: Batch, state: Any) -> Any:
        loss, state = self.model.loss(batch, state)
        self.total, self.items = self.total + loss.total.item(), self.items + loss.items
        return state

    def figures(self) -> Figures:
        nats = self.total / self.items
        found = {"nats per token": nats, "perplexity": math.exp(min(nats, 700.0))}
        if self.characters is not None:
            found["bits per character"] = self.total / math.log(2) / self.characters
        return Figures(self.items, {MODEL: found})


@dataclass
class _Labels:
    model: Classifier | Tagger
    labels: tuple[str, ...]
    total: float = 0.0
    items: int = 0
    confusion: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.int64))

    def add(self, batch: Batch, state: Any) -> Any:
        logits, state = self.model(batch.inputs, state, batch.lengths, batch.resets)
        of_steps = isinstance(self.model, Tagger)
        truth = batch.targets - 1 if of_steps else batch.targets
        counts = truth != (-1 if of_steps else IGNORED)
        truth, logits = truth[counts], logits[counts].double()
        self.total += functional.cross_entropy(logits, truth, reduction="sum").item()
        self.items += len(truth)
        taken_for = logits.argmax(dim=1)
        self.confusion = self.confusion + confusion_of(truth, taken_for, len(self.labels))
        return state

    def figures(self) -> Figures:
        frequent = int(self.confusion.sum(dim=1).argmax())
        always = torch.zeros_like(self.confusion)
        always[:, frequent] = self.confusion.sum(dim=1)
        of = {
            MODEL: {**scores_of(self.confusion), "nats per label": self.total / self.items},
            f"always {self.labels[frequent]}": scores_of(always),
        }
        rows = tuple(tuple(row) for row in self.confusion.tolist())
        return Figures(self.items, of, rows, self.labels)


@dataclass
class _Keys:
    """The keys of the next step, beside those that sound now."""

    model: ChoraleModel
    total: float = 0.0
    items: int = 0
    hits: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, batch: Batch, state: Any) -> Any:
        logits, state = self.model(batch.inputs, state, batch.lengths, batch.resets)
        known = ~batch.targets.isnan().any(dim=-1)
        truth, logits = batch.targets[known], logits[known]
        self.total += functional.binary_cross_entropy_with_logits(
            logits.double(), truth.double(), reduction="sum"
        ).item()
        self.items += len(truth)
        self._count(MODEL, logits > 0, truth > 0.5)
        self._count("the step before", batch.inputs[known] > 0.5, truth > 0.5)
        return state

    def _count(self, who: str, foretold: Tensor, truth: Tensor) -> None:
        hits, either = self.hits.get(who, (0, 0))
        both, some = int((foretold & truth).sum()), int((foretold | truth).sum())
        self.hits[who] = hits + both, either + some

    def figures(self) -> Figures:
        of: dict[str, Mapping[str, float]] = {
            who: {"frame accuracy": hits / either if either else 1.0}
            for who, (hits, either) in self.hits.items()
        }
        of[MODEL] = {"nats per step": self.total / self.items, **of[MODEL]}
        return Figures(self.items, of)
