"""From a collection of tunes to a file of weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from sluice.sequence import (
    Checkpoint,
    LanguageModel,
    ModelConfig,
    Outcome,
    Plan,
    Progress,
    Vocabulary,
)
from sluice.sequence import train as train_sequences
from sluice.sequence.batches import Bucketed
from sluice.tunes import corpora, families, measures
from sluice.tunes.corpora import Collection


@dataclass(frozen=True)
class Shape:
    """The sizes of a model of tunes, and how many tunes a batch holds."""

    embedding_size: int = 64
    hidden_size: int = 256
    num_layers: int = 1
    dropout: float = 0.2
    embedding_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    batch_size: int = 16


QUICK = Shape()
"""Learns in minutes."""


@dataclass(frozen=True)
class Prepared:
    """Tunes read and split by family."""

    collection: Collection
    split: families.Split

    def report(self) -> str:
        """What was read and dropped, and how it was split, as text of some lines."""
        return f"{self.collection.report()}\n{self.split.report()}"


def prepare(paths: Sequence[Path] | None = None, *, seed: int = 0) -> Prepared:
    """Read tunes (the three collections if no path is given) and split them by family.

    Raises:
        TuneError: as `corpora.load` and `families.split`.
    """
    collection = corpora.load(paths)
    return Prepared(collection, families.split(collection.tunes, seed=seed))


def plan(seconds: float | None = None, epochs: float | None = None, seed: int = 0) -> Plan:
    """How long and how to learn tunes: for `seconds`, or `epochs` times over the data.

    Raises:
        SequenceError: a budget that is missing or not positive.
    """
    return Plan(seconds=seconds, epochs=epochs, seed=seed, learning_rate=0.008, validations=8)


def train(
    prepared: Prepared,
    weights: Path,
    plan: Plan,
    *,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    shape: Shape = QUICK,
    precision: str = "float32",
    folder: Path | None = None,
    resume: bool = False,
    tensorboard: bool = False,
) -> Outcome:
    """Learn the training tunes and keep the best weights in the file `weights`.

    The file is written whole at every new lowest validation loss, and carries the corpus's own
    measures and the training tunes' tokens, so that composing needs nothing else. `precision` is
    what the kernels multiply in, `"float32"` or `"bfloat16"`; the weights are float32 in both.
    With a `folder`, checkpoints (and curves for TensorBoard) are kept there, and `resume` goes on
    from the last.

    Raises:
        ValueError: an unknown precision.
        SequenceError: a loss that is not finite.
        OSError: the file cannot be written.
    """
    training = [tune.tokens for tune in prepared.split.training]
    vocabulary = Vocabulary.of([*training, *(t.tokens for t in prepared.split.validation)])
    index = measures.Index([tokens[2:] for tokens in training])
    corpus = measures.measure(prepared.split.validation, index)
    torch.manual_seed(plan.seed)
    model = LanguageModel(
        ModelConfig(
            len(vocabulary),
            embedding_size=shape.embedding_size,
            hidden_size=shape.hidden_size,
            num_layers=shape.num_layers,
            dropout=shape.dropout,
            embedding_dropout=shape.embedding_dropout,
            recurrent_dropout=shape.recurrent_dropout,
        )
    )
    model.layers.precision = precision
    figures = {
        "corpus": measures.as_figures(corpus),
        "training": [" ".join(tokens) for tokens in training],
    }

    def keep(loss: float) -> None:
        Checkpoint(model, vocabulary, {**figures, "validation": loss}).save(weights)

    return train_sequences(
        model,
        Bucketed([vocabulary.encode(tokens) for tokens in training], shape.batch_size, plan.seed),
        Bucketed([vocabulary.encode(t.tokens) for t in prepared.split.validation], 64, 0),
        plan,
        folder=folder,
        resume=resume,
        tensorboard=tensorboard,
        on_progress=on_progress,
        on_best=keep,
    )
