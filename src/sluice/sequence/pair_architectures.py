"""The models that pairs can train, by name."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Literal, NamedTuple, get_args

from sluice.option_names import name_option
from sluice.sequence.errors import SequenceError
from sluice.sequence.models import (
    ConvSeq2Seq,
    ConvSeq2SeqConfig,
    PairModel,
    PairModelConfig,
    Seq2Seq,
    Seq2SeqConfig,
    TransformerSeq2Seq,
    TransformerSeq2SeqConfig,
)
from sluice.sequence.models.model_memory import build_model

PairArchitecture = Literal["recurrent", "convs2s", "transformer"]


class _Kind(NamedTuple):
    model: type[PairModel]
    config: type[PairModelConfig]
    defaults: dict[str, Any]
    renamed: dict[str, str]


_KINDS: dict[str, _Kind] = {
    "recurrent": _Kind(Seq2Seq, Seq2SeqConfig, {"num_layers": 1}, {}),
    "convs2s": _Kind(ConvSeq2Seq, ConvSeq2SeqConfig, {}, {}),
    "transformer": _Kind(
        TransformerSeq2Seq, TransformerSeq2SeqConfig, {}, {"hidden_size": "embedding_size"}
    ),
}


def build_pair_model(
    architecture: str, sizes: tuple[int, int], options: dict[str, Any]
) -> PairModel:
    """An untrained model of pairs.

    Args:
        architecture: a `PairArchitecture`.
        sizes: of the vocabularies of sources and targets.
        options: fields of its configuration; `hidden_size` is a transformer's `embedding_size`.

    Raises:
        SequenceError: another architecture, or an option that it does not have.

    >>> type(build_pair_model("convs2s", (9, 9), {"hidden_size": 8})).__name__
    'ConvSeq2Seq'
    """
    if architecture not in _KINDS:
        known = ", ".join(get_args(PairArchitecture))
        raise SequenceError(
            f"{name_option('architecture')} must be one of {known}, got {architecture!r}."
        )
    model, config, defaults, renamed = _KINDS[architecture]
    given = {renamed.get(name, name): value for name, value in options.items()}
    has = {one.name for one in fields(config)}
    for name in options:
        if renamed.get(name, name) not in has:
            raise SequenceError(
                f"{name_option(name)} does not apply to the architecture {architecture}; leave it "
                "out."
            )
    return build_model(model, config(*sizes, **{**defaults, **given}))


def find_architecture(model: object) -> str:
    """The architecture of a model of pairs."""
    return next(name for name, kind in _KINDS.items() if isinstance(model, kind.model))
