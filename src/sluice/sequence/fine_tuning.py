"""Training on from a trained language model: its vocabulary grown by the tokens of new data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor

from sluice.sequence.checkpoint import Checkpoint
from sluice.sequence.errors import CheckpointError
from sluice.sequence.models.language import LanguageModel
from sluice.sequence.vocabulary import END

_ROWS_PER_TOKEN = ("embedding.weight", "readout.weight", "readout.bias")


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
    weights = {
        name: _append_means(weight, len(new)) if name in _ROWS_PER_TOKEN else weight
        for name, weight in model.state_dict().items()
    }
    grown = LanguageModel(
        replace(model.config, vocabulary_size=model.config.vocabulary_size + len(new))
    )
    grown.load_state_dict(weights)
    grown.layers.precision = model.layers.precision
    known = replace(vocabulary, tokens=(*vocabulary.tokens, *new))
    return replace(
        checkpoint, model=grown.to(model.readout.bias).train(model.training), vocabulary=known
    )


def _append_means(weight: Tensor, count: int) -> Tensor:
    """`weight` and `count` more rows, the mean of those of all tokens but the special ones."""
    mean = weight[END + 1 :].mean(0, keepdim=True)
    return torch.cat([weight, *[mean] * count])
