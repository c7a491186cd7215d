"""Which reader a model's data needs: the one that its training used."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from sluice.files import StrPath
from sluice.report.model_data.model_data import ModelData
from sluice.report.model_data.pair_data import build_labelled_texts, load_labelled_texts
from sluice.report.model_data.table_data import load_roll_data, load_table_data
from sluice.report.model_data.token_data import TEXT_SOURCE, Needed, load_text, load_token_data
from sluice.report.model_data.translation_data import build_translations, load_pair_texts
from sluice.sequence import Checkpoint, DataError
from sluice.sequence.data.readers.pair_texts import PairTexts
from sluice.sequence.model_series import describe_table, get_load_options
from sluice.sequence.models import BiaxialModel, ChoraleModel, LanguageModel, PairModel


def load_model_data(
    checkpoint: Checkpoint,
    data: StrPath | None = None,
    *,
    text: str | None = None,
    needed: Needed | None = None,
    unknown_labels: bool = False,
) -> ModelData:
    """Read data for a trained model, with its own tokens, columns and labels.

    Args:
        checkpoint: the model and what it was trained on.
        data: a file or folder of the kind that it was trained on, or the name of a domain
            (`sluice.report.domains`) for its own collection. For a model of pairs, or of labels of
            tokens, lines of a source, a tab and a target.
        text: the text itself, in place of `data`, for a model of tokens.
        needed: how much is needed; a long collection of tunes is read no further. All if None.
        unknown_labels: leave labels out that the model does not have, instead of refusing them.

    Raises:
        DataError: no data, or both data and text; data that cannot be read or that have other
            columns or labels; a text for a model of values; a `BiaxialModel`, which reads scores.
        ValueError: the domain cannot read the data.
    """
    if (data is None) == (text is None):
        raise DataError(f"give data ({describe_data(checkpoint)}) or text (--text), not both")
    model, options = checkpoint.model, get_load_options(checkpoint)
    if isinstance(model, BiaxialModel):
        raise DataError(
            "A model of several voices (BiaxialModel) cannot be looked into or ablated; use "
            "`sluice evaluate` or `sluice compose --voices`."
        )
    if text is not None:
        return _load_given_text(checkpoint, text, options)
    if isinstance(model, LanguageModel):
        return load_token_data(checkpoint, str(data), options, needed)
    if isinstance(model, ChoraleModel):
        return load_roll_data(checkpoint, str(data))
    if reads_tokens(checkpoint):
        load = (
            load_pair_texts
            if isinstance(model, PairModel)
            else partial(load_labelled_texts, checkpoint)
        )
        texts = load(str(data), options)
        return _build_pairs(checkpoint, texts, str(data), unknown_labels=unknown_labels)
    return load_table_data(checkpoint, str(data), unknown_labels=unknown_labels)


def _load_given_text(checkpoint: Checkpoint, text: str, options: Mapping[str, object]) -> ModelData:
    if not reads_tokens(checkpoint):
        kind = type(checkpoint.model).__name__
        raise DataError(
            f"--text is for models of text, but this is a {kind}; give data, "
            f"{describe_data(checkpoint)}"
        )
    if not text:
        raise DataError(f"{TEXT_SOURCE} is empty, a sequence of length 0; give some text")
    if isinstance(checkpoint.model, LanguageModel):
        return load_text(checkpoint, text, options)
    return _build_pairs(checkpoint, PairTexts.of_source(text, TEXT_SOURCE), TEXT_SOURCE)


def _build_pairs(
    checkpoint: Checkpoint, texts: PairTexts, data: str, *, unknown_labels: bool = False
) -> ModelData:
    if isinstance(checkpoint.model, PairModel):
        return build_translations(checkpoint, texts, data)
    return build_labelled_texts(checkpoint, texts, data, unknown_labels=unknown_labels)


def reads_tokens(checkpoint: Checkpoint) -> bool:
    """Whether the model reads tokens, not values."""
    return getattr(checkpoint.model.config, "vocabulary_size", 0) > 0


def describe_data(checkpoint: Checkpoint) -> str:
    """What data a model reads, for messages."""
    model = checkpoint.model
    if isinstance(model, LanguageModel):
        return "a file or folder like those it was trained on: text, ABC or MIDI"
    if isinstance(model, ChoraleModel):
        return "piano rolls in JSON"
    if isinstance(model, PairModel):
        return "lines of a source, a tab and a target"
    if reads_tokens(checkpoint):
        return "lines of a text, a tab and its label"
    return describe_table(checkpoint)
