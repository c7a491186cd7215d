"""Evaluation: the metrics of each kind of model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor
from torch.nn import functional

from sluice.sequence.batch import Batch, BatchSource, ModelState
from sluice.sequence.data.ragged import Array
from sluice.sequence.errors import SequenceError
from sluice.sequence.metrics.forecasts import ForecastMetrics
from sluice.sequence.metrics.labels import LabelMetrics
from sluice.sequence.metrics.metrics import MODEL, Metrics
from sluice.sequence.metrics.ngrams import NgramBaselines
from sluice.sequence.models import (
    ChoraleModel,
    Classifier,
    Forecaster,
    LanguageModel,
    PairModel,
    SequenceModel,
    Tagger,
)
from sluice.sequence.models.base import evaluation_mode
from sluice.sequence.vocabulary import PADDING


def evaluate(
    model: SequenceModel,
    source: BatchSource,
    *,
    characters: int | None = None,
    period: int | None = None,
    training: BatchSource | None = None,
    before: Sequence[Array] | None = None,
    labels: Sequence[str] = (),
    class_counts: Sequence[int] = (),
) -> Metrics:
    """The metrics of a model over a source's epoch 0, in evaluation mode.

    =============================  =========================================================
    `LanguageModel`, `PairModel`   nats per token, perplexity (its exponential), and bits per
                                   character where `characters` is given
    `PairModel`                    also token accuracy: how often the most likely token is the
                                   target's, given the target's tokens before it
    `Classifier`, `Tagger`         accuracy, macro F1 (the mean over the classes that occur),
                                   nats per label, Brier score (Brier 1950: the squared
                                   error of the probabilities, from 0 to 2), confusion
    `Forecaster`                   MAE and RMSE in the units of the source; MASE; with
                                   quantiles CRPS, and each interval's coverage (the share of
                                   values inside it) and mean width; the same by step ahead
    `ChoraleModel`                 nats per step; frame accuracy, hits / (hits + misses + false
                                   alarms) of keys (Bay, Ehmann & Downie 2009)
    =============================  =========================================================

    Baselines of a language model are unigrams and bigrams that learn from `source` as they read it
    (`NgramBaselines`). Those of labels are the most frequent class, and the frequency of each as
    its probability. Those of a forecast are the last known value, with `period` the last season
    and, with `training`, a linear model of the last values; their intervals are quantiles of their
    errors on `training`. CRPS is the continuous ranked probability score (Gneiting & Raftery 2007),
    from quantiles. MASE is the absolute error divided by that of the naive forecast (the last
    value; with `period` the value a season before) on `before`, else on `training`, else on
    `source`, for each feature (Hyndman & Koehler 2006).

    Args:
        model: a model of `sluice.sequence.models`, on any device.
        source: the data; if it is stateful, the state is carried over.
        characters: the number of characters in the source's tokens.
        period: the length of a season in steps, for forecasts.
        training: the data that a `Forecaster` was trained on.
        before: the targets of the rows before those of `source`, (rows, targets) of each series.
        labels: the names of the classes.
        class_counts: how often each class occurs in the training data, for the baselines; default
            in `source`.

    Raises:
        SequenceError: a source without a single item, a period below 1, or another model.

    >>> from sluice.sequence.batching.bucketed import BucketBatches
    >>> from sluice.sequence import LanguageModelConfig
    >>> model = LanguageModel(LanguageModelConfig(vocabulary_size=9, hidden_size=8))
    >>> metrics = evaluate(model, BucketBatches([[3, 4], [5]], batch_size=2, seed=0), characters=5)
    >>> metrics.items, sorted(metrics.by_method["model"])
    (5, ['bits per character', 'nats per token', 'perplexity'])
    """
    if period is not None and period < 1:
        raise SequenceError(f"period must be at least 1 step, got {period}.")
    measure = _make_accumulator(
        model, source, characters, period, training, before, labels, class_counts
    )
    device = next(model.parameters()).device
    state: ModelState = None
    with evaluation_mode(model):
        for batch in source.batches(0):
            state = measure.update(batch.to(device), state)
            state = state if source.stateful else None
    if not measure.items:
        raise SequenceError("This data has nothing to predict; add more.")
    return measure.compute()


class _MetricAccumulator(Protocol):
    @property
    def items(self) -> int: ...

    def update(self, batch: Batch, state: ModelState) -> ModelState: ...
    def compute(self) -> Metrics: ...


def _make_accumulator(
    model: SequenceModel,
    source: BatchSource,
    characters: int | None,
    period: int | None,
    training: BatchSource | None,
    before: Sequence[Array] | None,
    labels: Sequence[str],
    class_counts: Sequence[int],
) -> _MetricAccumulator:
    if isinstance(model, LanguageModel):  # PADDING and START are never predicted
        ngrams = NgramBaselines(max(1, model.config.vocabulary_size - 2))
        return _TokenMetrics(model, characters, ngrams)
    if isinstance(model, PairModel):
        return _PairMetrics(model, characters)
    if isinstance(model, Classifier | Tagger):
        names = tuple(labels) or tuple(str(n + 1) for n in range(model.config.classes))
        return LabelMetrics(model, names, class_counts)
    if isinstance(model, Forecaster):
        return ForecastMetrics(model, source, period, training, before)
    if isinstance(model, ChoraleModel):
        return _ChordMetrics(model)
    raise SequenceError(
        f"evaluate has no metrics for a {type(model).__name__}; pass a model of "
        "sluice.sequence.models."
    )


@dataclass
class _TokenMetrics:
    model: SequenceModel
    characters: int | None
    ngrams: NgramBaselines | None = None
    total: float = 0.0
    items: int = 0

    def update(self, batch: Batch, state: ModelState) -> ModelState:
        loss, state = self.model.loss(batch, state)
        self.total, self.items = self.total + loss.total.item(), self.items + loss.items
        if self.ngrams is not None:
            counts = (batch.targets != PADDING).T
            before, targets = (one.T[counts].cpu().numpy() for one in (batch.inputs, batch.targets))
            self.ngrams.add(before, targets)
        return state

    def compute(self) -> Metrics:
        costs = {MODEL: self.total, **(self.ngrams.compute() if self.ngrams else {})}
        return Metrics(self.items, {who: self._score(total) for who, total in costs.items()})

    def _score(self, total: float) -> dict[str, float]:
        nats = total / self.items
        found = {"nats per token": nats, "perplexity": math.exp(min(nats, 700.0))}
        if self.characters is not None:
            found["bits per character"] = total / math.log(2) / self.characters
        return found


@dataclass
class _PairMetrics(_TokenMetrics):
    hits: int = 0

    def update(self, batch: Batch, state: ModelState) -> ModelState:
        steps = self.model.step_losses(batch)
        assert steps.truth is not None
        self.total += float(steps.losses.double().sum())
        self.items += int(steps.items.sum())
        self.hits += int((steps.outputs.argmax(dim=-1) == steps.truth).sum())
        return None

    def compute(self) -> Metrics:
        metrics = super().compute()
        found = {**metrics.by_method[MODEL], "token accuracy": self.hits / self.items}
        return Metrics(self.items, {MODEL: found})


@dataclass
class _ChordMetrics:
    """The keys of the next step; the baseline is those of the current step."""

    model: ChoraleModel
    total: float = 0.0
    items: int = 0
    hits: dict[str, tuple[int, int]] = field(default_factory=dict)

    def update(self, batch: Batch, state: ModelState) -> ModelState:
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

    def _count(self, who: str, predicted: Tensor, truth: Tensor) -> None:
        hits, either = self.hits.get(who, (0, 0))
        both, some = int((predicted & truth).sum()), int((predicted | truth).sum())
        self.hits[who] = hits + both, either + some

    def compute(self) -> Metrics:
        of: dict[str, Mapping[str, float]] = {
            who: {"frame accuracy": hits / either if either else 1.0}
            for who, (hits, either) in self.hits.items()
        }
        of[MODEL] = {"nats per step": self.total / self.items, **of[MODEL]}
        return Metrics(self.items, of)
