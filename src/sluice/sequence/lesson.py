"""From data that was read to a model for it and the batches that it learns from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from sluice.sequence.batch import Source
from sluice.sequence.batches import Bucketed
from sluice.sequence.checkpoint import Checkpoint
from sluice.sequence.data.ragged import Ragged
from sluice.sequence.data.series import Series
from sluice.sequence.data.sources import Streams, Windows
from sluice.sequence.data.splits import Split
from sluice.sequence.data.steps import Steps
from sluice.sequence.data.tokens import Tokens
from sluice.sequence.metrics.evaluate import evaluate
from sluice.sequence.metrics.figures import Figures
from sluice.sequence.models import (
    ChoraleConfig,
    ChoraleModel,
    Classifier,
    Forecaster,
    ForecasterConfig,
    LabelsConfig,
    LanguageModel,
    ModelConfig,
    Tagger,
)

LONG = 2_000
"""Sequences of more steps, on average, are read in streams; shorter ones whole."""


@dataclass(frozen=True)
class Lesson:
    """A model, not yet trained, and what it learns from.

    Attributes:
        checkpoint: the model with its vocabulary, labels or columns, to be saved.
        training, validation: batches.
        unit: what the loss is in.
        report: how the data was split and will be cut.
        naive: more arguments for `metrics.evaluate`, such as a period.
    """

    checkpoint: Checkpoint
    training: Source
    validation: Source
    unit: str
    report: str
    naive: dict[str, Any]

    @property
    def model(self) -> Any:
        return self.checkpoint.model

    def figures(self) -> Figures:
        """The model's figures on the validation data, beside naive ones."""
        return evaluate(self.model, self.validation, **self.naive)


def lesson(
    data: Tokens | Series,
    *,
    batch_size: int = 32,
    chunk: int = 100,
    horizon: int = 1,
    period: int | None = None,
    valid: float = 0.1,
    seed: int = 0,
    **shape: Any,
) -> Lesson:
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
    >>> from sluice.sequence import load
    >>> file = Path(tempfile.mkdtemp()) / "poem.txt"
    >>> _ = file.write_text("Tyger Tyger, burning bright, " * 9)
    >>> made = lesson(load(file), hidden_size=8)
    >>> type(made.model).__name__, made.unit, made.training.carries
    ('LanguageModel', 'nats per character', True)
    """
    torch.manual_seed(seed)
    cuts = _Cuts(batch_size, chunk, seed)
    if isinstance(data, Tokens):
        return _of_tokens(data.split(valid=valid, seed=seed), cuts, shape)
    split = data.split(valid=valid, seed=seed)
    if data.multi_hot:
        return _of_chords(split, cuts, shape)
    if data.labels is not None:
        return _of_labels(split.normalised(), cuts, shape)
    return _of_values(split, cuts, horizon, period, shape)


@dataclass(frozen=True)
class _Cuts:
    """The ways to cut sequences into batches."""

    batch_size: int
    chunk: int
    seed: int

    def whole(self, steps: Steps) -> Source:
        return Bucketed(steps, self.batch_size, self.seed)

    def streams(self, steps: Steps) -> Source:
        # Each stream has a few chunks at least, where the data is small.
        streams = max(1, min(self.batch_size, int(steps.lengths.sum()) // (2 * self.chunk)))
        return Streams(steps, streams, self.chunk, self.seed)

    def windows(self, steps: Steps) -> Source:
        stride = max(1, self.chunk // 4)
        return Windows(steps, self.chunk, self.batch_size, self.seed, stride=stride)


def _of_tokens(split: Split[Tokens], cuts: _Cuts, shape: dict[str, Any]) -> Lesson:
    vocabulary, ids = split.train.vocabulary, split.train.ids
    made = Checkpoint(LanguageModel(ModelConfig(len(vocabulary), **shape)), vocabulary)
    mean = float(ids.lengths.mean())
    cut = cuts.streams if len(ids) < cuts.batch_size or mean > LONG else cuts.whole
    unit = "nats per character" if vocabulary.unit == "characters" else "nats per token"
    return _made(made, split, cut, unit)


def _of_chords(split: Split[Series], cuts: _Cuts, shape: dict[str, Any]) -> Lesson:
    features = split.train.features
    made = Checkpoint(ChoraleModel(ChoraleConfig(len(features), **shape)), columns=features)
    return _made(made, split, cuts.whole, "nats per step")


def _of_labels(split: Split[Series], cuts: _Cuts, shape: dict[str, Any]) -> Lesson:
    data, scale = split.train, split.statistics
    kind = Tagger if isinstance(data.labels, Ragged) else Classifier
    made = Checkpoint(
        kind(LabelsConfig(len(data.classes), features=len(data.features), **shape)),
        labels=data.classes,
        columns=data.features,
        preprocessing=asdict(scale) if scale else {},
    )
    return _made(made, split, cuts.whole, "nats per label", labels=data.classes)


def _of_values(
    split: Split[Series], cuts: _Cuts, horizon: int, period: int | None, shape: dict[str, Any]
) -> Lesson:
    data = split.train
    targets = tuple(data.features.index(name) for name in data.targets)
    config = ForecasterConfig(
        len(data.features), targets=targets, horizon=horizon, indicate=False, **shape
    )
    model = Forecaster(config)
    made = _made(
        Checkpoint(model, columns=data.features),
        split,
        cuts.windows,
        "squared error, in deviations",
        horizon=horizon,
    )
    model.learn_scale(made.training)
    return replace(made, naive={"period": period, "training": made.training})


def _made(
    checkpoint: Checkpoint,
    split: Split[Any],
    cut: Callable[[Steps], Source],
    unit: str,
    horizon: int | None = None,
    **naive: Any,
) -> Lesson:
    more = {} if horizon is None else {"horizon": horizon}
    training, validation = (cut(part.steps(**more)) for part in (split.train, split.valid))
    return Lesson(checkpoint, training, validation, unit, split.report(), naive)
