"""The log-likelihood of given sequences under a model."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sluice.sequence.batching.bucketed import pad
from sluice.sequence.errors import SequenceError
from sluice.sequence.models import LanguageModel

_BATCH = 64


def log_likelihood(
    model: LanguageModel,
    sequences: Sequence[Sequence[int]],
    contexts: Sequence[Sequence[int]] | None = None,
    *,
    include_end: bool = True,
) -> Tensor:
    """log p of each sequence, in nats, (batch,), float64: the sum over its tokens.

    To rank candidates for a gap, score the text after it:
    `log_likelihood(model, [right] * n, [left + candidate for candidate in candidates])`.

    Args:
        model: any `LanguageModel`, run in evaluation mode; it is not changed.
        sequences: ids, without `START` and `END`.
        contexts: for each sequence, the ids before it, which are not counted themselves.
        include_end: count `END` after each sequence.

    Raises:
        SequenceError: no sequence, an empty one without `include_end`, an id outside the
            vocabulary, or not one context per sequence.

    >>> from sluice.sequence.models import LanguageModelConfig
    >>> model = LanguageModel(LanguageModelConfig(vocabulary_size=9, hidden_size=8))
    >>> whole = log_likelihood(model, [[4, 5, 6]])
    >>> first = log_likelihood(model, [[4]], include_end=False)
    >>> parts = first + log_likelihood(model, [[5, 6]], contexts=[[4]])
    >>> bool(torch.isclose(whole, parts, atol=1e-5))
    True
    """
    contexts = [[]] * len(sequences) if contexts is None else contexts
    _check(model, sequences, contexts, include_end)
    whole = [[*before, *ids] for before, ids in zip(contexts, sequences, strict=True)]
    order = sorted(range(len(whole)), key=lambda place: len(whole[place]))
    found = torch.empty(len(whole), dtype=torch.float64)
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            for first in range(0, len(order), _BATCH):
                some = order[first : first + _BATCH]
                skipped = torch.tensor([len(contexts[place]) for place in some])
                counted = torch.tensor([len(sequences[place]) + include_end for place in some])
                found[some] = _sum_log_probabilities(
                    model, pad([whole[place] for place in some]), skipped, counted
                )
    finally:
        model.train(training)
    return found


def _sum_log_probabilities(
    model: LanguageModel, tokens: Tensor, skipped: Tensor, counted: Tensor
) -> Tensor:
    """The sums of log-probabilities over `counted` targets, (batch,), after some skipped."""
    tokens = tokens.to(model.embedding.weight.device)
    logits, _ = model(tokens[:-1])
    logs = logits.double().log_softmax(dim=2).gather(2, tokens[1:, :, None])[..., 0].cpu()
    times = torch.arange(len(logs))[:, None]
    inside = (times >= skipped) & (times < skipped + counted)
    sums: Tensor = logs.where(inside, 0.0).sum(dim=0)
    return sums


def _check(
    model: LanguageModel,
    sequences: Sequence[Sequence[int]],
    contexts: Sequence[Sequence[int]],
    include_end: bool,
) -> None:
    if len(contexts) != len(sequences):
        raise SequenceError(
            f"contexts must have one entry for each of {len(sequences)} sequences, got "
            f"{len(contexts)}."
        )
    if not sequences or not (include_end or all(sequences)):
        raise SequenceError(
            "log_likelihood needs at least one sequence, of at least one token each."
        )
    size = model.config.vocabulary_size
    for ids in (*sequences, *contexts):
        wrong = [number for number in ids if not 0 <= number < size]
        if wrong:
            raise SequenceError(f"Ids must be from 0 to {size - 1}, got {wrong[0]}.")
