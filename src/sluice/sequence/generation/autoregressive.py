"""Sampling from a language model, one token at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Generic

import numpy as np
import torch
from torch import Tensor

from sluice.sequence.errors import SequenceError
from sluice.sequence.generation.engine import Engine
from sluice.sequence.generation.grammar import (
    Grammar,
    Guide,
    State,
    check_prompt_length,
    split_prompt,
)
from sluice.sequence.generation.packed_model import refuse_recording, start_engine
from sluice.sequence.generation.random_numbers import UniformNumbers
from sluice.sequence.generation.sampling import Sampling
from sluice.sequence.models import LanguageModel
from sluice.sequence.vocabulary import END

_AT_ONCE, _SHOWN = 1024, 8
"""Tokens per block: for `generate`, and for `stream`, whose output is shown as it is drawn."""


def generate(
    model: LanguageModel,
    seeds: Sequence[int],
    *,
    prompt: Sequence[Collection[int]] = (),
    sampling: Sampling | None = None,
    grammar: Grammar[State] | None = None,
) -> list[list[int]]:
    """Sample one sequence of ids per seed, without `START` and `END`.

    A seed gives the same sequence in every batch and with any number of threads: each sequence
    has its own random generator, with one number per token, and the kernels' sums depend on
    neither. Only a grammar runs in Python between two tokens; the rest runs in the kernels, in the
    dtype of the weights. Without kernels, a copy of the model computes in float64.

    Args:
        model: any `LanguageModel`; it is not changed.
        seeds: one per sequence, any whole number of at least 0.
        prompt: the ids to choose from, for each of the first places; a fixed prompt is
            `[[id] for id in ids]`. It counts towards `max_length`.
        sampling: temperature, top-k and so on; default the model's own probabilities.
        grammar: further constraints. With an `EndingGrammar` every sequence ends.

    Raises:
        SequenceError: no seed, a negative one or one that is no integer, an empty choice or an id
            outside the vocabulary in `prompt`, a prompt longer than `max_length`, or weights that
            give NaN.
        GrammarError: the grammar refuses a token of the prompt, or allows none at a place.

    >>> from sluice.sequence.models import LanguageModelConfig
    >>> model = LanguageModel(LanguageModelConfig(vocabulary_size=9, hidden_size=8))
    >>> drawn = generate(model, seeds=[1, 2], prompt=[[4], [5, 6]])
    >>> [ids[0] for ids in drawn], all(ids[1] in (5, 6) for ids in drawn)
    ([4, 4], True)
    """
    run = _GenerationBatch(model, seeds, prompt, sampling or Sampling(), grammar)
    sampled = torch.cat(list(run.draw_blocks(_AT_ONCE)))
    return [[*run.prefix, *_cut_at_end(ids)] for ids in sampled.T.tolist()]


def stream_tokens(
    model: LanguageModel,
    seed: int,
    *,
    prompt: Sequence[Collection[int]] = (),
    sampling: Sampling | None = None,
    grammar: Grammar[State] | None = None,
) -> Iterator[int]:
    """As `generate` for one seed, but an iterator that yields ids as they are sampled.

    Iterators of one model share its packed weights while they live.

    Raises:
        SequenceError, GrammarError: as `generate`, at the call.
    """
    run = _GenerationBatch(model, [seed], prompt, sampling or Sampling(), grammar, True)
    return run.stream_ids()


class _GenerationBatch(Generic[State]):
    """A batch of sequences, from the prompt to the end; the constructor checks the arguments."""

    def __init__(
        self,
        model: LanguageModel,
        seeds: Sequence[int],
        prompt: Sequence[Collection[int]],
        sampling: Sampling,
        grammar: Grammar[State] | None,
        shares_weights: bool = False,
    ) -> None:
        self.model, self.sampling, longest = model, sampling, sampling.max_length
        self.prefix, self.choices = split_prompt(prompt, model.config.vocabulary_size)
        check_prompt_length(prompt, longest)
        self.guide: Guide[State] | None = None
        self.states: list[State] = []
        self.uniforms = [UniformNumbers(seed) for seed in seeds]
        if not self.uniforms:
            raise SequenceError("seeds must have one number per sequence, got none.")
        if grammar is not None:
            self.guide = Guide(grammar, self.prefix, self.choices, longest)
            self.states = [self.guide.begin()] * len(self.uniforms)
        self.batch = len(self.uniforms)
        self.engine: Engine
        self.engine, self.tokens = start_engine(
            model, self.batch, self.prefix, shares_weights=shares_weights
        )
        self._draw_uniforms(len(self.prefix))

    def stream_ids(self) -> Iterator[int]:
        yield from self.prefix
        for block in self.draw_blocks(_SHOWN):
            yield from _cut_at_end(block[:, 0].tolist())

    def draw_blocks(self, at_once: int) -> Iterator[Tensor]:
        """The ids (time, batch) after the prefix, in blocks, until every sequence has ended."""
        place, ended = len(self.prefix), torch.zeros(self.batch, dtype=torch.bool)
        yield torch.empty(0, self.batch, dtype=torch.int64)
        while place < self.sampling.max_length and not ended.all():
            refuse_recording(self.model)  # of a stream that has begun outside
            uniforms = self._draw_uniforms(min(at_once, self.sampling.max_length - place))
            draw = self._draw_free if self.guide is None else self._draw_with_grammar
            block = draw(place, uniforms, ended)
            ended |= (block == END).any(dim=0)
            place += len(block)
            yield block

    def _draw_uniforms(self, steps: int) -> Tensor:
        """The next random numbers, (time, batch), float64."""
        return torch.stack([numbers.draw(steps) for numbers in self.uniforms], dim=1)

    def _draw_free(self, place: int, uniforms: Tensor, ended: Tensor) -> Tensor:
        chosen = place - len(self.prefix)
        choices = self.choices[min(chosen, len(self.choices) - 1) :]
        return self.engine.draw(self.tokens, choices, uniforms, self.sampling)

    def _draw_with_grammar(self, place: int, uniforms: Tensor, ended: Tensor) -> Tensor:
        """As `_draw_free`, with a mask from the grammar for each token."""
        guide, states, done = self.guide, self.states, ended.tolist()
        assert guide is not None
        allowed = np.ones((1, self.batch, self.choices.shape[1]), dtype=np.uint8)
        choices, rows = torch.from_numpy(allowed), []
        for time in range(len(uniforms)):
            for b in range(self.batch):
                allowed[0, b] = 1 if done[b] else guide.mask(states[b], place + time)
            uniform = uniforms[time : time + 1]
            rows.append(self.engine.draw(self.tokens, choices, uniform, self.sampling))
            for b, token in enumerate(self.tokens.tolist()):
                done[b] = done[b] or token == END
                if not done[b]:
                    states[b] = guide.advance(states[b], token)
            if all(done):
                break
        return torch.cat(rows)


def _cut_at_end(ids: list[int]) -> list[int]:
    return ids[: ids.index(END)] if END in ids else ids
