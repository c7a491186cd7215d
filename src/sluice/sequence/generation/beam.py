"""The likeliest sequences: beam search."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sluice.sequence.errors import SequenceError
from sluice.sequence.generation.engine import start_engine
from sluice.sequence.generation.grammar import (
    Grammar,
    GrammarError,
    Guide,
    Mask,
    split_prompt,
)
from sluice.sequence.models import LanguageModel
from sluice.sequence.vocabulary import END, START

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Hypothesis:
    """A sequence that a search found.

    Attributes:
        ids: the opening and what follows, without `START` and `END`.
        log_likelihood: in nats, of what follows the forced beginning, `END` included.
        score: that, divided by its number of tokens to the power asked for.
        ended: whether it came to its end, or only to the longest length allowed.
    """

    ids: list[int]
    log_likelihood: float
    score: float
    is_finished: bool


def beam_search(
    model: LanguageModel,
    width: int = 4,
    *,
    prompt: Sequence[Collection[int]] = (),
    grammar: Grammar[Any] | None = None,
    max_length: int = 1000,
    length_penalty: float = 1.0,
) -> list[Hypothesis]:
    """The best sequences that a beam of `width` finds, at most so many, the best first.

    At every step the `width` likeliest of all continuations are kept; of equal ones those whose
    tokens come first in the vocabulary. Those that end leave the beam, and when `width` have
    ended, or nothing is left, they are ranked by log-likelihood / length ^ `normalisation`
    (Wu et al. 2016 among many); ones that did not end count only where none did. Nothing is
    random.

    Args:
        model: any `LanguageModel`; it is left as it is.
        width: of the beam, at least 1; 1 takes the likeliest token each time.
        prompt: as for `generate`.
        grammar: as for `generate`; what it forbids is left out, and what it allows keeps the
            model's own probability.
        max_length: give up on sequences that have not ended by then.
        length_penalty: from 0 on; 0 compares sums, which favours the short.

    Raises:
        SequenceError: a width, length or normalisation out of range, or as `generate`.
        NotAllowedError: as `generate`.

    >>> from sluice.sequence.models import LanguageModelConfig
    >>> model = LanguageModel(LanguageModelConfig(vocabulary_size=9, hidden_size=8))
    >>> best = beam_search(model, width=3, prompt=[[4]], max_length=6)
    >>> best[0].ids[0], len(best)
    (4, 3)
    """
    if width < 1:
        raise SequenceError(f"The beam is at least 1 wide, but {width} came.")
    if not 0 <= length_penalty < float("inf"):
        raise SequenceError(f"normalisation is at least 0, but {length_penalty} came.")
    if len(prompt) >= max_length:
        raise SequenceError(
            f"max_length is above the opening's {len(prompt)} tokens, but {max_length} came."
        )
    prime, choices = split_prompt(prompt, model.config.vocabulary_size)
    guide = None if grammar is None else Guide(grammar, prime, choices, max_length)
    search = _BeamSearch(width, length_penalty, prime, choices.numpy(), guide)
    return search.run(model, max_length)


class _BeamSearch:
    """The beam; its sequences stand in the order of their tokens, so that ties are by order."""

    def __init__(
        self,
        width: int,
        length_penalty: float,
        prefix: list[int],
        choices: Mask,
        guide: Guide | None,
    ) -> None:
        self.width, self.length_penalty, self.prefix = width, length_penalty, prefix
        self.choices, self.guide = choices, guide
        self.live: list[list[int]] = [[]]
        self.sums: Scores = np.zeros(1)
        self.states = [None if guide is None else guide.begin()]
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
        """Go on to the likeliest continuations; those that live, by parent and token."""
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
            state = self.states[parent]
            states.append(self.guide.advance(state, token) if self.guide else None)
        self.live, self.sums, self.states = live, np.array(sums), states
        return parents, chosen

    def _build_masks(self, place: int) -> Mask:
        if self.guide is None:
            chosen = min(place - len(self.prefix), len(self.choices) - 1)
            everywhere: Mask = self.choices[chosen]
            return everywhere[None]
        masks, lost = [], None
        for state in self.states:
            try:
                masks.append(self.guide.mask(state, place))
            except GrammarError as error:  # another sequence may still go on
                lost = error
                masks.append(np.zeros(self.choices.shape[1], dtype=np.bool_))
        if lost is not None and not any(mask.any() for mask in masks) and not self.finished:
            raise lost
        return np.stack(masks)

    def _make_hypothesis(self, ids: list[int], total: float, *, is_finished: bool) -> Hypothesis:
        score = float(total) / (len(ids) + is_finished) ** self.length_penalty
        return Hypothesis([*self.prefix, *ids], float(total), score, is_finished)


def _find_top(values: Scores, count: int) -> list[int]:
    """The places, in order, of the `count` greatest finite values; of equals the first ones."""
    if count < len(values):
        least = np.partition(values, len(values) - count)[len(values) - count]
        places = np.flatnonzero((values >= least) & (values > -np.inf))
    else:
        places = np.flatnonzero(values > -np.inf)
    best = places[np.argsort(-values[places], kind="stable")[:count]]
    return sorted(best.tolist())
