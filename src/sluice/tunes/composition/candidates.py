"""Candidates for a gap, drawn from a model as one batch under the grammar by which they fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from sluice.sequence.generation.engine import Engine, select_rows
from sluice.sequence.generation.random_numbers import UniformNumbers
from sluice.tunes.composition.model_rows import Logits, ModelRows, normalise, read_token
from sluice.tunes.composition.monitor import GenerationMonitor
from sluice.tunes.grammar.gap_grammar import GapGrammar
from sluice.tunes.grammar.state import TuneState


@dataclass(frozen=True)
class Candidate:
    """What may fill a gap.

    Attributes:
        parent: the row that it goes on from.
        state: the grammar's after its tokens.
        ids: its tokens.
        weight: the logarithm of its importance weight: at each draw that of the probability of all
            that was allowed; without that of what stands behind the gap, which was drawn last.
    """

    parent: int
    state: TuneState
    ids: tuple[int, ...] = ()
    weight: float = 0.0


class CandidateSampler(NamedTuple):
    """How candidates are drawn.

    Attributes:
        engine: of the model.
        grammar: of the gap.
        after: the id that stands behind the gap.
        temperature: sampling temperature.
        numbers: the random numbers.
        monitor: told of each step.
    """

    engine: Engine
    grammar: GapGrammar
    after: int
    temperature: float
    numbers: UniformNumbers
    monitor: GenerationMonitor

    def draw(
        self, rows: ModelRows, parents: Sequence[int], start: TuneState
    ) -> tuple[list[Candidate], ModelRows]:
        """A candidate that goes on from each of these rows, and the model's rows after it.

        The probability of a candidate is the model's, renormalised at each token over those that
        the grammar allows; where the gap is full, what stands behind it is one of them.
        """
        drafts = [Candidate(parent, start) for parent in parents]
        places = list(parents)  # of each draft among the rows: drafts that are alike share one
        now = rows
        found: list[Candidate] = []
        parts: list[ModelRows] = []
        while drafts:
            allowed, is_full = self._find_allowed(drafts)
            odds = normalise(now.logits / self.temperature)[places]
            drawn = _draw_allowed(odds, allowed, self.numbers)
            ending = [n for n in range(len(drafts)) if is_full[n] and drawn.ids[n] == self.after]
            if ending:
                parts.append(now.select([places[n] for n in ending]))
                found += [
                    replace(drafts[n], weight=drafts[n].weight + drawn.masses[n] - drawn.odds[n])
                    for n in ending
                ]
            going = [n for n in range(len(drafts)) if n not in ending and allowed[n].any()]
            drafts = [self._extend(drafts[n], drawn.ids[n], drawn.masses[n]) for n in going]
            if drafts:
                now, places = self._read(now, [places[n] for n in going], drafts)
            self.monitor.advance()
        return found, ModelRows.concatenate(parts) if parts else rows.select([])

    def _find_allowed(self, drafts: Sequence[Candidate]) -> tuple[NDArray[np.bool_], list[bool]]:
        """What may follow each, (rows, vocabulary), and which of them fill the gap."""
        masks = [self.grammar.get_allowed_tokens(draft.state) for draft in drafts]
        is_full = [self.grammar.is_full(draft.state) for draft in drafts]
        allowed = np.stack(masks)
        allowed[is_full, self.after] = True
        return allowed, is_full

    def _extend(self, draft: Candidate, token: int, mass: float) -> Candidate:
        state = self.grammar.advance(draft.state, token)
        return Candidate(draft.parent, state, (*draft.ids, token), draft.weight + mass)

    def _read(
        self, now: ModelRows, places: Sequence[int], drafts: Sequence[Candidate]
    ) -> tuple[ModelRows, list[int]]:
        """Read the last token of each; the rows after it, and the place of each draft in them."""
        alike: dict[tuple[int, tuple[int, ...]], int] = {}
        groups = [alike.setdefault((one.parent, one.ids), len(alike)) for one in drafts]
        chosen = [groups.index(group) for group in range(len(alike))]
        states = select_rows(now.states, torch.tensor([places[n] for n in chosen]))
        self.engine.write(states)
        logits = read_token(self.engine, [drafts[n].ids[-1] for n in chosen])
        return ModelRows(self.engine.read(), logits), groups


class _Draws(NamedTuple):
    """An id for each row, its log-probability, and that of all that was allowed."""

    ids: list[int]
    odds: list[float]
    masses: list[float]


def _draw_allowed(odds: Logits, allowed: NDArray[np.bool_], numbers: UniformNumbers) -> _Draws:
    """Draw from log-probabilities, (rows, vocabulary), among what is allowed."""
    kept = np.where(allowed, odds, -np.inf)
    best = np.maximum(kept.max(axis=1, keepdims=True), np.finfo(np.float64).min)
    cumulative = np.exp(kept - best).cumsum(axis=1)
    total = cumulative[:, -1]
    limits = numbers.draw(len(kept)).numpy() * total
    # Rounding at the top could point past the last id with a probability.
    last = kept.shape[1] - 1 - np.isfinite(kept)[:, ::-1].argmax(axis=1)
    ids = np.minimum((cumulative <= limits[:, None]).sum(axis=1), last)
    with np.errstate(divide="ignore"):
        masses = np.log(total) + best[:, 0]
    return _Draws(ids.tolist(), odds[range(len(ids)), ids].tolist(), masses.tolist())
