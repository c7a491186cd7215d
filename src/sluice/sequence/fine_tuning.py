"""Training on from a trained model: for other data of its kind, its names grown by theirs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor

from sluice.files import StrPath
from sluice.nn.stack import RecurrentStack
from sluice.sequence.checkpoint import Checkpoint
from sluice.sequence.data.calendar_fields import add_calendar, list_calendar_columns
from sluice.sequence.data.feature_statistics import FeatureStatistics
from sluice.sequence.data.formats import AnyData, find_format, get_formats
from sluice.sequence.data.labelled_texts import LabelledTexts
from sluice.sequence.data.pairs import Pairs
from sluice.sequence.data.series import Series
from sluice.sequence.data.tokens import Tokens
from sluice.sequence.errors import CheckpointError
from sluice.sequence.model_series import get_calendar_fields
from sluice.sequence.models import (
    ChoraleModel,
    Classifier,
    Forecaster,
    LanguageModel,
    PairModel,
    SequenceModel,
    Tagger,
)
from sluice.sequence.models.network_share import fold_share
from sluice.sequence.models.shape import ModelConfig
from sluice.sequence.pair_architectures import find_architecture
from sluice.sequence.task import Task, make_task
from sluice.sequence.vocabulary import END, Vocabulary

FINE_TUNING_RATE = 1e-3
"""The learning rate to train on with: a quarter of a new model's, as large steps would destroy
what is learnt."""

_OF_THE_DATA = (
    "vocabulary_size",
    "target_vocabulary_size",
    "features",
    "classes",
    "targets",
    "indicate",
)
"""Fields of a configuration that `make_task` takes from the data."""
_OF_A_TOKENIZER = ("unit", "tokenizer", "vocabulary_size")
_READOUT = ("readout.weight", "readout.bias")


def make_fine_tuning_task(
    data: AnyData,
    base: Checkpoint,
    *,
    batch_size: int | None = None,
    seq_len: int | None = None,
    period: int | None = None,
    validation: float = 0.1,
    seed: int = 0,
) -> Task:
    """As `make_task`, with a copy of a trained model in place of a new one.

    Sizes, cell, dropout and horizon are the model's. Tokens and classes that only the data have
    are added as `grow_vocabulary` adds them. Values keep the scale that the model was trained with.

    Args:
        data: of the kind that the model was trained on, with the same columns; tokens of a
            tokenizer must have been read with the model's vocabulary.
        base: the trained model; it is not changed.
        batch_size, seq_len, period, validation, seed: as for `make_task`.

    Raises:
        CheckpointError: data of another kind, or with other columns, targets or tokenizer.
        DataError: data that cannot be split.

    >>> from sluice.sequence import LanguageModelConfig
    >>> from sluice.sequence.data.ragged import RaggedArray
    >>> model = LanguageModel(LanguageModelConfig(vocabulary_size=5, hidden_size=8))
    >>> base = Checkpoint(model, Vocabulary(("a", "b"), "characters"))
    >>> ids = RaggedArray.of([[3, 4, 3, 3] * 30])
    >>> task = make_fine_tuning_task(Tokens(Vocabulary(("b", "c"), "characters"), ids), base)
    >>> task.checkpoint.vocabulary.tokens
    ('b', 'c', 'a')
    """
    _require_kind(data, base)
    options = {k: v for k, v in asdict(base.model.config).items() if k not in _OF_THE_DATA}
    if "known" in options:
        options["known"] = tuple(base.columns[place] for place in options["known"])
    if isinstance(data, Series):
        data = add_calendar(data, get_calendar_fields(base))
    if isinstance(base.model, PairModel):
        options["architecture"] = find_architecture(base.model)
    if isinstance(data, Series) and base.columns and data.features != base.columns:
        raise CheckpointError(
            f"The model reads the columns {', '.join(base.columns)}, but the data have "
            f"{', '.join(data.features)}; choose the same, in the same order."
        )
    task = make_task(
        data,
        batch_size=batch_size,
        seq_len=seq_len,
        period=period,
        validation=validation,
        seed=seed,
        statistics=_find_statistics(base),
        **options,
    )
    checkpoint = adapt_model(base, task.checkpoint)
    if "labels" not in task.evaluation_options:
        return replace(task, checkpoint=checkpoint)
    counts = task.evaluation_options.get("class_counts", ())
    counts += (0,) * (len(checkpoint.labels) - len(counts))  # of those that the data lack
    return replace(
        task,
        checkpoint=replace(
            checkpoint, preprocessing={**checkpoint.preprocessing, "class_counts": list(counts)}
        ),
        evaluation_options={
            **task.evaluation_options,
            "labels": checkpoint.labels,
            "class_counts": counts,
        },
    )


def _require_kind(data: AnyData, base: Checkpoint) -> None:
    """Refuse data of another kind than the model's."""
    kinds: tuple[type[SequenceModel], ...] = (Forecaster,)
    if isinstance(data, Tokens):
        kinds = (LanguageModel,)
    elif isinstance(data, Pairs):
        kinds = (PairModel,)
    elif isinstance(data, LabelledTexts):
        kinds = (Classifier,)
    elif data.multi_hot:
        kinds = (ChoraleModel,)
    elif data.labels is not None:
        kinds = (Classifier, Tagger)
    if not isinstance(base.model, kinds):
        raise _make_kind_error(kinds[0], base)


def _make_kind_error(kind: type, base: Checkpoint) -> CheckpointError:
    return CheckpointError(
        f"These data train a {kind.__name__}, but the model to train on from is a "
        f"{type(base.model).__name__}; give data of its kind, or another model."
    )


def _find_statistics(base: Checkpoint) -> FeatureStatistics | None:
    """How the values of a model of labels were normalised."""
    held: Any = base.preprocessing
    if not {"features", "mean", "deviation"} <= held.keys():
        return None
    return FeatureStatistics(
        *(tuple(held[one]) for one in ("features", "mean", "deviation")),
    )


def find_load_options(base: Checkpoint, data: StrPath, kind: str | None = None) -> dict[str, Any]:
    """Arguments of `load_data` for data to train on from a model: read as its own were.

    Args:
        base: the trained model.
        data: a file or folder.
        kind: its format, if it is not to be detected.

    Raises:
        DataError: as `find_format`.
    """
    held: Any = base.preprocessing.get("load_options", {})
    found = find_format(data, kind)
    if found.name == "text" and held.get("kind") in get_formats():  # what text is detected as
        found = get_formats()[held["kind"]]
    options = {name: value for name, value in held.items() if name in found.options}
    config = base.model.config
    if base.columns:
        calendar = list_calendar_columns(get_calendar_fields(base))
        options["inputs"] = [name for name in base.columns if name not in calendar]
        options["target"] = [base.columns[place] for place in getattr(config, "targets", ())]
    for name in ("vocabulary", "target_vocabulary"):
        known = getattr(base, name)
        if known is not None and known.tokenizer:
            options[name] = known
    if "vocabulary" in options:  # which decides them
        options = {k: v for k, v in options.items() if k not in _OF_A_TOKENIZER}
    usable = {name: value for name, value in options.items() if name in found.options and value}
    return {"kind": found.name, **usable}


def adapt_model(base: Checkpoint, untrained: Checkpoint) -> Checkpoint:
    """A copy of `base` for the data that `untrained` was made for.

    Names of tokens and classes keep what the model knows of them, in the order of the data, before
    those that the data lack; a new one gets the mean of the known ones (Hewitt 2021).

    Raises:
        CheckpointError: another kind of model, another tokenizer, or another configuration.
    """
    model, of = base.model, type(base.model)
    if type(untrained.model) is not of:
        raise _make_kind_error(type(untrained.model), base)
    weights = dict(model.state_dict())
    if isinstance(model, Forecaster) and model.network_share is not None:
        # It trains what forecasts, and chooses the share anew.
        start, share = model.find_linear_outputs(), model.network_share
        readout = (weights["readout.weight"], weights["readout.bias"])
        weights["readout.weight"], weights["readout.bias"] = fold_share(*readout, start, share)
        weights["network_share"] = torch.ones_like(share)
    held: dict[str, Any] = {}
    sizes: dict[str, int] = {}
    for name, size, rows in _list_named_rows(of):
        known, new = getattr(base, name), getattr(untrained, name)
        if known is None or not known:
            continue
        special = 0
        if isinstance(known, Vocabulary):
            held[name] = _merge_vocabularies(known, new)
            special, known, new = END + 1, known.tokens, held[name].tokens
        else:
            held[name] = new = _merge_names(known, new)
        sizes[size] = len(new) + special
        places = [*range(special), *_find_rows(known, new, special)]
        for row in rows & weights.keys():
            weights[row] = _select_rows(weights[row], places, special)
    config = replace(model.config, **sizes)
    _require_same_model(config, untrained)
    grown = of(config)
    grown.load_state_dict(weights)
    if isinstance(getattr(model, "layers", None), RecurrentStack):
        grown.layers.precision = model.layers.precision
    return replace(
        base,
        model=_move_as(grown, model).train(model.training),
        metadata={},
        data_fingerprint=untrained.data_fingerprint,
        preprocessing={**base.preprocessing, **untrained.preprocessing},
        **held,
    )


def _move_as(grown: SequenceModel, model: SequenceModel) -> SequenceModel:
    """Give weights and buffers the device and the type that those of `model` have, one by one."""
    held = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    for name, tensor in (*grown.named_parameters(), *grown.named_buffers()):
        tensor.data = tensor.data.to(held[name])
    return grown


def _list_named_rows(of: type) -> list[tuple[str, str, frozenset[str]]]:
    """Each kind of names, the field of its size, and the weights with a row for each."""
    reads = {"embedding.weight", *(_READOUT if issubclass(of, LanguageModel) else ())}
    return [
        ("vocabulary", "vocabulary_size", frozenset(reads)),
        (
            "target_vocabulary",
            "target_vocabulary_size",
            frozenset(("target_embedding.weight", *_READOUT)),
        ),
        ("labels", "classes", frozenset(_READOUT)),
    ]


def _merge_vocabularies(known: Vocabulary, new: Vocabulary) -> Vocabulary:
    if (known.unit, known.tokenizer) != (new.unit, new.tokenizer):
        raise CheckpointError(
            f"The model's tokens are {known.unit}"
            + (" of its own tokenizer" if known.tokenizer else "")
            + f", those of the data are {new.unit}; read the data with the model's vocabulary."
        )
    if known.tokenizer and known.tokens != new.tokens:
        raise CheckpointError(
            f"The model's {known.unit} are those of its tokenizer; read the data with its "
            "vocabulary."
        )
    return replace(new, tokens=_merge_names(known.tokens, new.tokens))


def _merge_names(known: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    of_data = set(new)
    return (*new, *(name for name in known if name not in of_data))


def _find_rows(known: Sequence[str], names: Sequence[str], first: int) -> list[int | None]:
    places = {name: place for place, name in enumerate(known, first)}
    return [places.get(name) for name in names]


def _select_rows(weight: Tensor, places: Sequence[int | None], special: int) -> Tensor:
    """These rows of `weight`; for None the mean of those of all names."""
    mean = weight[special:].mean(0)
    return torch.stack([mean if place is None else weight[place] for place in places])


def _require_same_model(config: ModelConfig, untrained: Checkpoint) -> None:
    for name in ("features", "targets", "horizon"):
        had, needed = (getattr(one, name, None) for one in (config, untrained.model.config))
        if name == "targets" and had and needed:
            had, needed = (
                " and ".join(untrained.columns[place] for place in places)
                for places in (had, needed)
            )
        if had != needed:
            raise CheckpointError(
                f"The model has {name} {had}, the data {needed}; choose the same, or train a new "
                "model."
            )


def grow_vocabulary(checkpoint: Checkpoint, tokens: Iterable[str]) -> Checkpoint:
    """A copy of a language model that knows `tokens` too; those that it knows are left out.

    New tokens get the ids after the known ones, which keep theirs. Their rows of the embedding and
    of the readout, and their biases, are the means over the n known tokens (Hewitt 2021,
    "Initializing new word embeddings for pretrained language models"). A new token's logit is then
    the mean of the known ones', so that no known token is less likely than before by more than the
    factor 1 + k/n, for k new tokens.

    Args:
        checkpoint: of a `LanguageModel`, tied or not.
        tokens: in any order, some of them known or given twice.

    Raises:
        CheckpointError: another kind of model, or a new token where a tokenizer decides what the
            tokens are.

    >>> from sluice.sequence import LanguageModelConfig, Vocabulary
    >>> model = LanguageModel(LanguageModelConfig(vocabulary_size=5, hidden_size=8))
    >>> grown = grow_vocabulary(Checkpoint(model, Vocabulary(("a", "b"))), ["c", "a"])
    >>> grown.vocabulary.tokens, grown.model.config.vocabulary_size
    (('a', 'b', 'c'), 6)
    """
    model, vocabulary = checkpoint.model, checkpoint.vocabulary
    if not isinstance(model, LanguageModel):
        raise CheckpointError(
            f"Only a LanguageModel's vocabulary can grow, got a {type(model).__name__}; give the "
            "file of a language model."
        )
    new = sorted({token for token in tokens if token not in vocabulary})
    if new and vocabulary.tokenizer:
        raise CheckpointError(
            f"The model's tokens are {vocabulary.unit} that its tokenizer decides, so that "
            f"{new[0]!r} cannot be added; train a new model on this data."
        )
    known = replace(vocabulary, tokens=(*vocabulary.tokens, *new))
    weights = model.state_dict()
    places = [*range(len(vocabulary)), *[None] * len(new)]
    for name in {"embedding.weight", *_READOUT} & weights.keys():
        weights[name] = _select_rows(weights[name], places, END + 1)
    grown = LanguageModel(replace(model.config, vocabulary_size=len(known)))
    grown.load_state_dict(weights)
    grown.layers.precision = model.layers.precision
    return replace(
        checkpoint, model=grown.to(model.readout.bias).train(model.training), vocabulary=known
    )
