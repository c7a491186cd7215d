"""From data that was read to a model for it and the batches that it learns from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from sluice.sequence.batch import BatchSource
from sluice.sequence.batching.bucketed import BucketBatches
from sluice.sequence.batching.streams import StreamBatches, WindowBatches
from sluice.sequence.checkpoint import Checkpoint
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.data.series import Series
from sluice.sequence.data.splits import Split
from sluice.sequence.data.targets import SupervisedSequences
from sluice.sequence.data.tokens import Tokens
from sluice.sequence.metrics.evaluation import evaluate
from sluice.sequence.metrics.figures import Metrics
from sluice.sequence.models import (
    ChoraleConfig,
    ChoraleModel,
    Classifier,
    Forecaster,
    ForecasterConfig,
    LabelsConfig,
    LanguageModel,
    LanguageModelConfig,
    Tagger,
)

LONG_SEQUENCE = 2_000
"""Sequences of more steps, on average, are read in streams; shorter ones whole."""


@dataclass(frozen=True)
class Task:
    """A model, not yet trained, and what it learns from.

    Attributes:
        checkpoint: the model with its vocabulary, labels or columns, to be saved.
        training, validation: batches.
        unit: what the loss is in.
        report: how the data was split and will be cut.
        naive: more arguments for `metrics.evaluate`, such as a period.
    """

    checkpoint: Checkpoint
    training: BatchSource
    validation: BatchSource
    loss_unit: str
    report: str
    evaluation_options: dict[str, Any]

    @property
    def model(self) -> Any:
        return self.checkpoint.model

    def compute_metrics(self) -> Metrics:
        """The model's figures on the validation data, beside naive ones."""
        return evaluate(self.model, self.validation, **self.evaluation_options)


def make_task(
    data: Tokens | Series,
    *,
    batch_size: int = 32,
    chunk: int = 100,
    horizon: int = 1,
    period: int | None = None,
    valid: float = 0.1,
    seed: int = 0,
    **shape: Any,
) -> Task:
    """What is learnt from a kind of data: the next token, the next chord, labels, or forecasts.

    Long sequences are read in streams of `chunk` steps with their state carried on (or, for
    forecasts, in windows of so many), short ones whole.

    Args:
        data: as `load` gives it.
        batch_size: sequences, streams or windows side by side.
        chunk: steps of a stream's batch, or of a window.
        horizon: how many steps to forecast.
        period: a season's length, for the naive forecast.
        valid: the part that is kept for validation, where the data has no split of its own.
        seed: decides the split, the order and the first weights.
        shape: of the model: cell, hidden_size, num_layers, dropout and what else its config has.

    Raises:
        DataError: data that cannot be split.
        SequenceError: a shape or size that cannot be.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from sluice.sequence import load_data
    >>> file = Path(tempfile.mkdtemp()) / "poem.txt"
    >>> _ = file.write_text("Tyger Tyger, burning bright, " * 9)
    >>> task = make_task(load_data(file), hidden_size=8)
    >>> type(task.model).__name__, task.loss_unit, task.training.stateful
    ('LanguageModel', 'nats per character', True)
    """
    torch.manual_seed(seed)
    cuts = _BatchOptions(batch_size, chunk, seed)
    if isinstance(data, Tokens):
        return _make_token_task(data.split(valid=valid, seed=seed), cuts, shape)
    split = data.split(valid=valid, seed=seed)
    if data.multi_hot:
        return _make_chord_task(split, cuts, shape)
    if data.labels is not None:
        return _make_label_task(split.normalise(), cuts, shape)
    return _make_forecast_task(split, cuts, horizon, period, shape)


@dataclass(frozen=True)
class _BatchOptions:
    """The ways to cut sequences into batches."""

    batch_size: int
    chunk: int
    seed: int

    def make_buckets(self, steps: SupervisedSequences) -> BatchSource:
        return BucketBatches(steps, self.batch_size, self.seed)

    def make_streams(self, steps: SupervisedSequences) -> BatchSource:
        # Each stream has a few chunks at least, where the data is small.
        streams = max(1, min(self.batch_size, int(steps.lengths.sum()) // (2 * self.chunk)))
        return StreamBatches(steps, streams, self.chunk, self.seed)

    def make_windows(self, steps: SupervisedSequences) -> BatchSource:
        stride = max(1, self.chunk // 4)
        return WindowBatches(steps, self.chunk, self.batch_size, self.seed, stride=stride)


def _make_token_task(split: Split[Tokens], cuts: _BatchOptions, shape: dict[str, Any]) -> Task:
    vocabulary, ids = split.train.vocabulary, split.train.ids
    made = Checkpoint(LanguageModel(LanguageModelConfig(len(vocabulary), **shape)), vocabulary)
    mean = float(ids.lengths.mean())
    cut = (
        cuts.make_streams
        if len(ids) < cuts.batch_size or mean > LONG_SEQUENCE
        else cuts.make_buckets
    )
    unit = "nats per character" if vocabulary.unit == "characters" else "nats per token"
    return _assemble_task(made, split, cut, unit)


def _make_chord_task(split: Split[Series], cuts: _BatchOptions, shape: dict[str, Any]) -> Task:
    features = split.train.features
    made = Checkpoint(ChoraleModel(ChoraleConfig(len(features), **shape)), columns=features)
    return _assemble_task(made, split, cuts.make_buckets, "nats per step")


def _make_label_task(split: Split[Series], cuts: _BatchOptions, shape: dict[str, Any]) -> Task:
    data, scale = split.train, split.statistics
    kind = Tagger if isinstance(data.labels, RaggedArray) else Classifier
    made = Checkpoint(
        kind(LabelsConfig(len(data.classes), features=len(data.features), **shape)),
        labels=data.classes,
        columns=data.features,
        preprocessing=asdict(scale) if scale else {},
    )
    return _assemble_task(made, split, cuts.make_buckets, "nats per label", labels=data.classes)


def _make_forecast_task(
    split: Split[Series],
    cuts: _BatchOptions,
    horizon: int,
    period: int | None,
    shape: dict[str, Any],
) -> Task:
    data = split.train
    targets = tuple(data.features.index(name) for name in data.targets)
    config = ForecasterConfig(
        len(data.features), targets=targets, horizon=horizon, indicate=False, **shape
    )
    model = Forecaster(config)
    made = _assemble_task(
        Checkpoint(model, columns=data.features),
        split,
        cuts.make_windows,
        "squared error, in deviations",
        horizon=horizon,
    )
    model.fit_scale(made.training)
    return replace(made, evaluation_options={"period": period, "training": made.training})


def _assemble_task(
    checkpoint: Checkpoint,
    split: Split[Any],
    cut: Callable[[SupervisedSequences], BatchSource],
    unit: str,
    horizon: int | None = None,
    **naive: Any,
) -> Task:
    more = {} if horizon is None else {"horizon": horizon}
    training, validation = (cut(part.to_supervised(**more)) for part in (split.train, split.valid))
    return Task(checkpoint, training, validation, unit, split.report(), naive)
