"""New sequences from a trained model, one token at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sluice.sequence.errors import SequenceError
from sluice.sequence.generation.engine import Engine, start_engine
from sluice.sequence.generation.grammar import Grammar, Guide, split_prompt
from sluice.sequence.generation.sampling import Sampling
from sluice.sequence.models import LanguageModel
from sluice.sequence.vocabulary import END

_AT_ONCE, _SHOWN = 1024, 8
"""Tokens drawn between two looks at them: where nobody waits, and where somebody reads."""


def generate(
    model: LanguageModel,
    seeds: Sequence[int],
    *,
    prompt: Sequence[Collection[int]] = (),
    sampling: Sampling | None = None,
    grammar: Grammar[Any] | None = None,
) -> list[list[int]]:
    """Draw one sequence of ids for each seed, without `START` and `END`.

    A seed gives the same sequence whoever else is in the batch and however many threads run:
    each sequence draws from its own generator, one number a token, and the kernels' sums depend
    on neither. All that happens between two tokens happens in the kernels, in the dtype of the
    weights, but for what a grammar says in Python; where there are no kernels, a copy of the
    model computes in float64.

    Args:
        model: any `LanguageModel`; it is left as it is.
        seeds: one for each sequence, none negative.
        prompt: for the first tokens, the ids to choose from at each place; a single id forces
            it, so a given beginning is `[[id] for id in beginning]`. It counts in `max_length`.
        sampling: temperature and its like; by default the model's own probabilities.
        grammar: what may follow what, besides. One that knows the way to the end
            (`EndingGrammar`) always comes to it.

    Raises:
        SequenceError: no seed or a negative one, an empty choice or an id outside the
            vocabulary in `opening`, one longer than `max_length`, or weights that give NaN.
        NotAllowedError: the grammar refuses a token of the opening, or allows nothing at a place.

    >>> from sluice.sequence.models import LanguageModelConfig
    >>> model = LanguageModel(LanguageModelConfig(vocabulary_size=9, hidden_size=8))
    >>> drawn = generate(model, seeds=[1, 2], prompt=[[4], [5, 6]])
    >>> [ids[0] for ids in drawn], all(ids[1] in (5, 6) for ids in drawn)
    ([4, 4], True)
    """
    run = _GenerationBatch(model, seeds, prompt, sampling or Sampling(), grammar)
    drawn = torch.cat(list(run.draw_blocks(_AT_ONCE)))
    return [[*run.prefix, *_cut_at_end(ids)] for ids in drawn.T.tolist()]


def stream(
    model: LanguageModel,
    seed: int,
    *,
    prompt: Sequence[Collection[int]] = (),
    sampling: Sampling | None = None,
    grammar: Grammar[Any] | None = None,
) -> Iterator[int]:
    """What `generate` draws for one seed, a few ids at a time as they are drawn.

    Raises:
        SequenceError: as `generate`, at once.
    """
    run = _GenerationBatch(model, [seed], prompt, sampling or Sampling(), grammar)
    return run.stream_ids()


class _GenerationBatch:
    """One batch of sequences from its opening to its end; the first error comes when it is made."""

    def __init__(
        self,
        model: LanguageModel,
        seeds: Sequence[int],
        prompt: Sequence[Collection[int]],
        sampling: Sampling,
        grammar: Grammar[Any] | None,
    ) -> None:
        self.sampling, longest = sampling, sampling.max_length
        self.prefix, self.choices = split_prompt(prompt, model.config.vocabulary_size)
        if len(prompt) > longest:
            raise SequenceError(
                f"The opening has {len(prompt)} tokens, but max_length is {longest}; allow more."
            )
        self.guide, self.states = None, []
        self.uniforms = _Uniforms(seeds)
        if grammar is not None:
            self.guide = Guide(grammar, self.prefix, self.choices, longest)
            self.states = [self.guide.begin()] * len(seeds)
        self.batch = len(seeds)
        self.engine: Engine
        self.engine, self.tokens = start_engine(model, self.batch, self.prefix)
        self.uniforms.draw(len(self.prefix))

    def stream_ids(self) -> Iterator[int]:
        yield from self.prefix
        for block in self.draw_blocks(_SHOWN):
            yield from _cut_at_end(block[:, 0].tolist())

    def draw_blocks(self, at_once: int) -> Iterator[Tensor]:
        """The ids (time, batch) after the prime, some at a time, until every sequence ended."""
        place, ended = len(self.prefix), torch.zeros(self.batch, dtype=torch.bool)
        yield torch.empty(0, self.batch, dtype=torch.int64)
        while place < self.sampling.max_length and not ended.all():
            uniforms = self.uniforms.draw(min(at_once, self.sampling.max_length - place))
            draw = self._draw_free if self.guide is None else self._draw_with_grammar
            block = draw(place, uniforms, ended)
            ended |= (block == END).any(dim=0)
            place += len(block)
            yield block

    def _draw_free(self, place: int, uniforms: Tensor, ended: Tensor) -> Tensor:
        chosen = place - len(self.prefix)
        choices = self.choices[min(chosen, len(self.choices) - 1) :]
        return self.engine.draw(self.tokens, choices, uniforms, self.sampling)

    def _draw_with_grammar(self, place: int, uniforms: Tensor, ended: Tensor) -> Tensor:
        """As `_freely`, with the grammar asked between any two tokens."""
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


class _Uniforms:
    """The random numbers in [0, 1) that decide, each sequence's from its own seed."""

    def __init__(self, seeds: Sequence[int]) -> None:
        if not seeds or min(seeds) < 0:
            raise SequenceError(f"Seeds are whole numbers from 0 on, one a sequence; {seeds} came.")
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def draw(self, steps: int) -> Tensor:
        """The next ones, (time, sequence), float64."""
        columns = [torch.rand(steps, generator=g, dtype=torch.float64) for g in self._generators]
        return torch.stack(columns, dim=1)


def _cut_at_end(ids: list[int]) -> list[int]:
    return ids[: ids.index(END)] if END in ids else ids
