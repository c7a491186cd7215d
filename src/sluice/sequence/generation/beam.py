"""Beam search for the most likely sequences."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Generic

import numpy as np
import torch
from numpy.typing import NDArray

from sluice.sequence.errors import SequenceError
from sluice.sequence.generation.grammar import (
    Grammar,
    GrammarError,
    Guide,
    Mask,
    State,
    split_prompt,
)
from sluice.sequence.generation.packed_model import start_engine
from sluice.sequence.models import LanguageModel
from sluice.sequence.models.seq2seq_decoding import require_length_penalty
from sluice.sequence.vocabulary import END, START

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Hypothesis:
    """A sequence found by beam search.

    Attributes:
        ids: the prompt and the tokens after it, without `START` and `END`.
        log_likelihood: in nats, of the tokens after the fixed part of the prompt, with `END`.
        score: the log-likelihood divided by a power of the number of those tokens.
        is_finished: whether it ended, or only reached the maximum length.
    """

    ids: list[int]
    log_likelihood: float
    score: float
    is_finished: bool


def beam_search(
    model: LanguageModel,
    num_beams: int = 4,
    *,
    prompt: Sequence[Collection[int]] = (),
    grammar: Grammar[State] | None = None,
    max_length: int = 1000,
    length_penalty: float = 1.0,
) -> list[Hypothesis]:
    """The best sequences that a beam of `num_beams` finds, at most `num_beams`, best first.

    Each step keeps the `width` most likely continuations; ties are broken by the order of the
    vocabulary. Finished sequences leave the beam. When `width` have finished, or none is left,
    they are ranked by log-likelihood / length ^ `length_penalty` (Wu et al. 2016); unfinished ones
    are returned only if none finished. The search is deterministic.

    Args:
        model: any `LanguageModel`; it is not changed.
        num_beams: hypotheses in the beam; 1 takes the most likely token each time.
        prompt: as for `generate`.
        grammar: as for `generate`; allowed tokens keep the model's own probability.
        max_length: the maximum number of tokens.
        length_penalty: at least 0; 0 compares sums, which favours short sequences.

    Raises:
        SequenceError: a width, length or penalty out of range, or as `generate`.
        GrammarError: as `generate`.

    >>> from sluice.sequence.models import LanguageModelConfig
    >>> model = LanguageModel(LanguageModelConfig(vocabulary_size=9, hidden_size=8))
    >>> best = beam_search(model, num_beams=3, prompt=[[4]], max_length=6)
    >>> best[0].ids[0], len(best)
    (4, 3)
    """
    if num_beams < 1:
        raise SequenceError(f"width must be at least 1, got {num_beams}.")
    require_length_penalty(length_penalty)
    if len(prompt) >= max_length:
        raise SequenceError(
            f"max_length must be above the prompt's {len(prompt)} tokens, got {max_length}."
        )
    prefix, choices = split_prompt(prompt, model.config.vocabulary_size)
    guide = None if grammar is None else Guide(grammar, prefix, choices, max_length)
    search = _BeamSearch(num_beams, length_penalty, prefix, choices.numpy(), guide)
    return search.run(model, max_length)


class _BeamSearch(Generic[State]):
    """The beam; its sequences are in the order of their tokens, which breaks ties."""

    def __init__(
        self,
        width: int,
        length_penalty: float,
        prefix: list[int],
        choices: Mask,
        guide: Guide[State] | None,
    ) -> None:
        self.width, self.length_penalty, self.prefix = width, length_penalty, prefix
        self.choices, self.guide = choices, guide
        self.live: list[list[int]] = [[]]
        self.sums: Scores = np.zeros(1)
        self.states: list[State] = [] if guide is None else [guide.begin()]
        self.finished: list[Hypothesis] = []

    def run(self, model: LanguageModel, max_length: int) -> list[Hypothesis]:
        engine, tokens = start_engine(model, self.width, self.prefix)
        for place in range(len(self.prefix), max_length):
            logits = engine.logits(tokens)[: len(self.live)].double()
            parents, chosen = self._step(logits.log_softmax(dim=1).numpy(), place)
            if not self.live or len(self.finished) >= self.width:
                break
            rest = self.width - len(parents)
            engine.rearrange(torch.tensor(parents + [0] * rest))
            tokens = torch.tensor(chosen + [START] * rest)
        found = self.finished or [
            self._make_hypothesis(ids, total, is_finished=False)
            for ids, total in zip(self.live, self.sums, strict=True)
        ]
        return sorted(found, key=lambda one: (-one.score, one.ids))[: self.width]

    def _step(self, logs: Scores, place: int) -> tuple[list[int], list[int]]:
        """Keep the most likely continuations; returns parents and tokens of unfinished ones."""
        totals = self.sums[:, None] + np.where(self._build_masks(place), logs, -np.inf)
        parents, chosen, sums, states, live = [], [], [], [], []
        for flat in _find_top(totals.ravel(), self.width):
            parent, token = divmod(int(flat), totals.shape[1])
            total = float(totals[parent, token])
            if token == END:
                self.finished.append(
                    self._make_hypothesis(self.live[parent], total, is_finished=True)
                )
                continue
            parents.append(parent)
            chosen.append(token)
            sums.append(total)
            live.append([*self.live[parent], token])
            if self.guide is not None:
                states.append(self.guide.advance(self.states[parent], token))
        self.live, self.sums, self.states = live, np.array(sums), states
        return parents, chosen

    def _build_masks(self, place: int) -> Mask:
        if self.guide is None:
            chosen = min(place - len(self.prefix), len(self.choices) - 1)
            everywhere: Mask = self.choices[chosen]
            return everywhere[None]
        masks, dead_end = [], None
        for state in self.states:
            try:
                masks.append(self.guide.mask(state, place))
            except GrammarError as error:  # another sequence may still continue
                dead_end = error
                masks.append(np.zeros(self.choices.shape[1], dtype=np.bool_))
        if dead_end is not None and not any(mask.any() for mask in masks) and not self.finished:
            raise dead_end
        return np.stack(masks)

    def _make_hypothesis(self, ids: list[int], total: float, *, is_finished: bool) -> Hypothesis:
        score = float(total) / (len(ids) + is_finished) ** self.length_penalty
        return Hypothesis([*self.prefix, *ids], float(total), score, is_finished)


def _find_top(values: Scores, count: int) -> list[int]:
    """The indices, in order, of the `count` greatest finite values; the first of equal ones."""
    if count < len(values):
        least = np.partition(values, len(values) - count)[len(values) - count]
        places = np.flatnonzero((values >= least) & (values > -np.inf))
    else:
        places = np.flatnonzero(values > -np.inf)
    best = places[np.argsort(-values[places], kind="stable")[:count]]
    return sorted(best.tolist())
