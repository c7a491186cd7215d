"""Training a model on a collection of tunes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import nn

from sluice.files import StrPath, StrPaths
from sluice.insight import Monitor
from sluice.sequence import (
    Checkpoint,
    LanguageModel,
    LanguageModelConfig,
    Progress,
    TrainingConfig,
    TrainingResult,
    Vocabulary,
    compute_loss_per_token,
    grow_vocabulary,
)
from sluice.sequence import train as train_sequences
from sluice.sequence.batching.bucketed import BucketBatches
from sluice.sequence.data.fingerprint import hash_contents
from sluice.sequence.models.model_memory import build_model
from sluice.tunes.corpus import collections, families, repertoire, statistics
from sluice.tunes.corpus.collections import Collection
from sluice.tunes.corpus.index import TuneIndex
from sluice.tunes.notation.model_tokens import ModelTokens
from sluice.tunes.tune import Tune


@dataclass(frozen=True)
class TuneModelConfig:
    """The sizes of a model of tunes, and how many tunes a batch holds."""

    embedding_size: int = 64
    hidden_size: int = 256
    num_layers: int = 1
    dropout: float = 0.2
    embedding_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    batch_size: int = 16


QUICK_CONFIG = TuneModelConfig()
"""Trains in minutes."""


@dataclass(frozen=True)
class TuneDataset:
    """Tunes read and split by family."""

    collection: Collection
    split: families.FamilySplit

    def report(self) -> str:
        """What was read and dropped, and how it was split, as text of some lines."""
        return f"{self.collection.report()}\n{self.split.report()}"

    def fingerprint(self) -> str:
        """A hash of the tunes, wherever their files are."""
        parts = (self.split.training, self.split.validation)
        return hash_contents(*([" ".join(tune.tokens) for tune in part] for part in parts))


def prepare_dataset(paths: StrPaths | None = None, *, seed: int = 0) -> TuneDataset:
    """Read tunes (the three collections if no path is given) and split them by family.

    Raises:
        TuneError: as `load_collections` and `split_by_family`.
    """
    collection = collections.load_collections(paths)
    return TuneDataset(collection, families.split_by_family(collection.tunes, seed=seed))


def make_training_config(
    seconds: float | None = None,
    epochs: float | None = None,
    seed: int = 0,
    *,
    from_trained: bool = False,
) -> TrainingConfig:
    """The training configuration: `seconds` long, or `epochs` times over the data.

    Args:
        seconds, epochs: the budget, one of them.
        seed: for dropout.
        from_trained: whether the weights are those of a trained model, which large steps would
            destroy: the learning rate is a quarter of that of a new model.

    Raises:
        SequenceError: a budget that is missing or not positive.
    """
    return TrainingConfig(
        seconds=seconds,
        epochs=epochs,
        seed=seed,
        learning_rate=0.002 if from_trained else 0.008,
        validations=8,
    )


def train(
    dataset: TuneDataset,
    checkpoint: StrPath,
    config: TrainingConfig,
    *,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    model_config: TuneModelConfig = QUICK_CONFIG,
    base: Checkpoint | None = None,
    precision: str = "float32",
    folder: StrPath | None = None,
    resume: bool = False,
    tensorboard: bool = False,
    monitor: Callable[[nn.Module], Monitor] | None = None,
) -> TrainingResult:
    """Train a model, new or on from `base`, and write its best weights to the file `checkpoint`.

    The file is written whole at every new lowest validation loss, and carries the corpus's own
    measures and the training tunes' tokens and titles, so that composing needs nothing else.
    With `base`, a trained model of tunes, a copy of it is trained on: its sizes and dropout stay,
    and its vocabulary grows by the tokens that only the new tunes have (`grow_vocabulary`).
    `precision` is what the kernels multiply in, `"float32"` or `"bfloat16"`; the weights are
    float32 in both.
    `monitor` makes what looks into the model while it is trained (`sluice.insight.Monitor`).
    With a `folder`, checkpoints (and curves for TensorBoard) are written there, and `resume`
    continues from the last.

    Raises:
        ValueError: an unknown precision.
        SequenceError: a loss that is not finite, or a `base` that is no language model.
        OSError: the file cannot be written.
    """
    tunes = dataset.split.training
    spelling = choose_model_tokens(tunes, base)
    training, validation = tokenize(tunes, spelling), tokenize(dataset.split.validation, spelling)
    index = TuneIndex([tune.tokens[2:] for tune in tunes])
    corpus = statistics.compute_statistics(dataset.split.validation, index)
    torch.manual_seed(config.seed)
    if base is None:
        vocabulary = Vocabulary.of([*training, *validation])
        model = _make_model(len(vocabulary), model_config)
    else:
        grown = grow_vocabulary(base, chain.from_iterable([*training, *validation]))
        vocabulary, model = grown.vocabulary, grown.model
    model.layers.precision = precision
    figures = {
        "corpus": statistics.to_dict(corpus),
        "training": [" ".join(tune.tokens) for tune in tunes],
        "titles": [tune.title for tune in tunes],
        "counts": _count_tunes(tunes, base),
        "endings": statistics.count_endings(tunes),
    }

    fingerprint = dataset.fingerprint()

    def save_best(loss: float) -> None:
        Checkpoint(
            model, vocabulary, {**figures, "validation": loss}, data_fingerprint=fingerprint
        ).save(checkpoint)

    return train_sequences(
        model,
        BucketBatches(
            [vocabulary.encode(tokens) for tokens in training], model_config.batch_size, config.seed
        ),
        BucketBatches([vocabulary.encode(tokens) for tokens in validation], 64, 0),
        config,
        folder=folder,
        resume=resume,
        fingerprint=fingerprint,
        tensorboard=tensorboard,
        monitor=monitor,
        on_progress=on_progress,
        on_best=save_best,
    )


def choose_model_tokens(tunes: Sequence[Tune], base: Checkpoint | None = None) -> ModelTokens:
    """How tunes are spelt for a model that is trained on them: with the dances that enough of them
    name, and with those that `base` knows."""
    dances = frozenset(repertoire.list_learnt(repertoire.count_tunes(tunes), "dances"))
    if base is None:
        return ModelTokens(dances)
    known = ModelTokens.of_vocabulary(base.vocabulary)
    return ModelTokens(dances | known.dances, known.has_counts)


def tokenize(tunes: Sequence[Tune], spelling: ModelTokens) -> list[Sequence[str]]:
    """The tokens of each tune as a model reads them."""
    return [spelling.encode(tune.tokens, tune.rhythm) for tune in tunes]


def _count_tunes(tunes: Sequence[Tune], base: Checkpoint | None) -> repertoire.TuneCounts:
    """How many tunes of each kind the model has learnt from, those of `base` included."""
    counts = repertoire.count_tunes(tunes)
    known = {} if base is None else base.metadata.get("counts", {})
    return repertoire.add_learnt(counts, known) if known else counts


def compute_nats_per_token(checkpoint: Checkpoint, tunes: Sequence[Tune]) -> float:
    """The mean negative log-likelihood of the tokens of `tunes` and of their ends.

    Raises:
        UnknownTokenError: a token that the model does not know; `grow_vocabulary` adds it.
    """
    spelling = ModelTokens.of_vocabulary(checkpoint.vocabulary)
    sequences = [checkpoint.vocabulary.encode(tokens) for tokens in tokenize(tunes, spelling)]
    return compute_loss_per_token(checkpoint.model, sequences)


def _make_model(vocabulary_size: int, config: TuneModelConfig) -> LanguageModel:
    return build_model(
        LanguageModel,
        LanguageModelConfig(
            vocabulary_size,
            embedding_size=config.embedding_size,
            hidden_size=config.hidden_size,
            num_layers=config.num_layers,
            dropout=config.dropout,
            embedding_dropout=config.embedding_dropout,
            recurrent_dropout=config.recurrent_dropout,
        ),
    )
