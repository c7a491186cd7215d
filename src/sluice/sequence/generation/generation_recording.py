"""What a model computed, preferred and was forbidden at each token of a sequence."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from sluice.files import StrPath, write_atomically
from sluice.insight.recording.recorder import record
from sluice.sequence.errors import SequenceError
from sluice.sequence.generation.grammar import (
    Grammar,
    GrammarError,
    Guide,
    check_prompt_length,
    split_prompt,
)
from sluice.sequence.generation.sampling import Sampling, filter_probabilities
from sluice.sequence.models import LanguageModel
from sluice.sequence.models.base import evaluation_mode
from sluice.sequence.vocabulary import END, START


@dataclass(frozen=True)
class GenerationRecording:
    """Step t read the token before `ids[t]` (`START` at first) and gave the odds of `ids[t]`.

    Attributes:
        ids: the tokens, (time,), int64; the last one is `END` if the sequence ended by itself.
        num_given: how many of the first are fixed by the prompt; the others were sampled.
        values: every named value of each layer, (time, width), as ``values["l0.forget"]``.
        likeliest: the ids that the model finds likeliest, (time, k), int64, best first.
        probabilities: the model's own probabilities of these, (time, k), before any constraint.
        allowed: what the prompt and the grammar allow, (time, vocabulary), boolean.
        sampling_probabilities: those of `likeliest` that were sampled from, (time, k): allowed,
            sharpened by the temperature, filtered by top-k and so on, and normalised.
        probabilities_of_ids: the model's own probability of each token of `ids`, (time,).
    """

    ids: Tensor
    num_given: int
    values: Mapping[str, Tensor]
    likeliest: Tensor
    probabilities: Tensor
    allowed: Tensor
    sampling_probabilities: Tensor
    probabilities_of_ids: Tensor

    @property
    def is_forbidden(self) -> Tensor:
        """Which of `likeliest` were not allowed, (time, k), boolean."""
        return ~self.allowed.gather(1, self.likeliest)

    def save(self, path: StrPath) -> None:
        """Write everything as one safetensors file, the values as ``values.l0.forget``.

        Raises OSError where the file cannot be written.
        """
        names = (
            "ids",
            "likeliest",
            "probabilities",
            "allowed",
            "sampling_probabilities",
            "probabilities_of_ids",
        )
        tensors = {name: getattr(self, name) for name in names}
        tensors |= {f"values.{name}": value for name, value in self.values.items()}
        metadata = {"format": "sluice generation", "num_given": str(self.num_given)}
        contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
        write_atomically(path, safetensors.torch.save(contiguous, metadata))


def record_generation(
    model: LanguageModel,
    ids: Sequence[int],
    *,
    prompt: Sequence[Collection[int]] = (),
    sampling: Sampling | None = None,
    grammar: Grammar[Any] | None = None,
    has_ended: bool = True,
    num_likeliest: int = 5,
    names: Iterable[str] | None = None,
) -> GenerationRecording:
    """Record how a sequence came about that `generate`, a stream or a batch has given.

    One pass over its tokens computes again what the model computed then, gates and states
    included, which costs less than recording while tokens are sampled.

    Args:
        model: the model that generated `ids`; it is not changed.
        ids: the sequence, prompt included, `START` and `END` not.
        prompt, sampling, grammar: what it was generated with.
        has_ended: whether `END` came after `ids`; not so after a sequence that was cancelled. It
            never does after `max_length` tokens.
        num_likeliest: k, how many of the likeliest tokens are recorded.
        names: which values, as for `sluice.record`; all if None.

    Raises:
        SequenceError: an id outside the vocabulary, a sequence that the prompt does not allow or
            that is longer than `max_length`, or `num_likeliest` out of range.
        GrammarError: the grammar does not allow it.

    >>> from sluice.sequence import LanguageModelConfig, generate
    >>> model = LanguageModel(LanguageModelConfig(vocabulary_size=9, hidden_size=8))
    >>> sampling = Sampling(max_length=20, top_k=3)
    >>> (ids,) = generate(model, [1], prompt=[[4]], sampling=sampling)
    >>> found = record_generation(model, ids, prompt=[[4]], sampling=sampling)
    >>> found.values["l0.forget"].shape == (len(found.ids), 8), found.num_given
    (True, 1)
    """
    sampling, size = sampling or Sampling(), model.config.vocabulary_size
    if not 1 <= num_likeliest <= size:
        raise SequenceError(f"num_likeliest must be from 1 to {size}, got {num_likeliest}.")
    wrong = [number for number in ids if not END < number < size]
    if wrong:
        raise SequenceError(f"Ids must be from {END + 1} to {size - 1}, got {wrong[0]}.")
    sampled = [*ids, END][: sampling.max_length] if has_ended else list(ids)
    if not sampled:
        raise SequenceError("There is nothing to record: no token was sampled.")
    num_given, allowed = _find_allowed(sampled, size, prompt, sampling.max_length, grammar)
    if len(ids) > sampling.max_length:
        raise SequenceError(
            f"There are {len(ids)} ids, but max_length is {sampling.max_length}; give the sampling "
            "that they were generated with."
        )
    inputs = torch.tensor([START, *ids])[: len(sampled), None].to(model.embedding.weight.device)
    with evaluation_mode(model), record(model.layers, names=names) as tape:
        logits = model(inputs)[0][:, 0].double()
    values = {name: value[:, 0].cpu() for name, value in tape.tensors().items()}
    logits = logits.cpu()
    own = logits.softmax(dim=1)
    likeliest = own.argsort(dim=1, descending=True, stable=True)[:, :num_likeliest]
    kept = filter_probabilities(logits, allowed, sampling)
    kept = kept / kept.sum(dim=1, keepdim=True)
    drawn = torch.tensor(sampled)
    return GenerationRecording(
        drawn,
        num_given,
        values,
        likeliest,
        own.gather(1, likeliest),
        allowed,
        kept.gather(1, likeliest),
        own.gather(1, drawn[:, None])[:, 0],
    )


def _find_allowed(
    ids: Sequence[int],
    size: int,
    prompt: Sequence[Collection[int]],
    max_length: int,
    grammar: Grammar[Any] | None,
) -> tuple[int, Tensor]:
    """The length of the prompt's fixed part, and the masks of all places, (time, vocabulary)."""
    check_prompt_length(prompt, max_length)
    prefix, choices = split_prompt(prompt, size)
    if list(ids[: len(prefix)]) != prefix:
        raise SequenceError("The ids do not begin with the prompt.")
    guide = None if grammar is None else Guide(grammar, prefix, choices, max_length)
    state = None if guide is None else guide.begin()
    allowed = np.zeros((len(ids), size), dtype=np.bool_)
    for place, token in enumerate(ids):
        if place < len(prefix):
            allowed[place, token] = True
            continue
        chosen = choices[min(place - len(prefix), len(choices) - 1)].numpy()
        allowed[place] = chosen if guide is None else guide.mask(state, place)
        if not allowed[place, token]:
            what = "END" if token == END else f"token {token}"
            message = f"{what} at place {place} is not what the prompt or the grammar allows."
            raise SequenceError(message) if guide is None else GrammarError(message, place, token)
        if guide is not None and token != END:
            state = guide.advance(state, token)
    return len(prefix), torch.from_numpy(allowed)
