"""Greedy decoding and beam search for models of pairs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils import parametrize

from sluice.option_names import name_option
from sluice.sequence.batch import ModelState
from sluice.sequence.errors import SequenceError
from sluice.sequence.models.base import evaluation_mode
from sluice.sequence.models.pair_model import PairModel
from sluice.sequence.vocabulary import END, PADDING, START

_FIRST_WRITTEN = max(PADDING, START) + 1
"""The first id that an output may hold."""


@dataclass(frozen=True)
class DecodedSequence:
    """An output sequence.

    Attributes:
        ids: without `END`.
        log_probability: of the ids, and of `END` if it was reached, in nats.
        attention: the weights of each (ids, source steps), with `END` last.
    """

    ids: list[int]
    log_probability: float
    attention: Tensor

    @property
    def is_complete(self) -> bool:
        """Whether `END` was reached."""
        return len(self.attention) > len(self.ids)


def require_length_penalty(value: float) -> None:
    """Raise `SequenceError` for a power of the length below 0, or one that is no number."""
    if not 0 <= value < math.inf:
        raise SequenceError(f"{name_option('length_penalty')} must be at least 0, got {value}.")


def decode(
    model: PairModel,
    sources: Tensor,
    lengths: Tensor | None = None,
    *,
    num_beams: int = 1,
    max_length: int = 200,
    length_penalty: float = 1.0,
) -> list[DecodedSequence]:
    """The best sequence found for each source.

    One beam takes the most likely token each time (greedy decoding). With several, the sequence
    with the best log-probability divided by its length to the power of `length_penalty` wins; 0
    compares plain probabilities, which favours short ones.

    Args:
        model: its mode is restored afterwards.
        sources: ids (time, batch), int64.
        lengths: steps of each source (batch,).
        num_beams: hypotheses to keep.
        max_length: the maximum number of tokens.
        length_penalty: see above.

    Raises:
        SequenceError: fewer than one beam or token, or a length penalty below 0.

    >>> from sluice.sequence.models import Seq2Seq, Seq2SeqConfig
    >>> model = Seq2Seq(Seq2SeqConfig(20, 30, hidden_size=8))
    >>> found = decode(model, torch.ones(7, 5, dtype=torch.int64), num_beams=2, max_length=4)
    >>> len(found), len(found[0].attention) <= 4
    (5, True)
    """
    if num_beams < 1 or max_length < 1:
        raise SequenceError(
            f"beams and max_length must be at least 1, got {num_beams} and {max_length}."
        )
    require_length_penalty(length_penalty)
    # Weights made of other parameters, as normalised ones are, are the same in all steps.
    with evaluation_mode(model), parametrize.cached():
        memory, state = model.encode(sources, lengths)
        search = _BatchBeamSearch(sources.shape[1], num_beams, sources.device)
        decoding = model.start_decoding(memory.map(search.repeat), search.repeat_state(state))
        for _ in range(max_length):
            logits, weights = decoding.step(search.tokens)
            parents = search.advance(logits, weights)
            if search.finished.all():
                break
            if parents is not None:
                decoding.rearrange(parents)
    return search.select_best(length_penalty)


class _BeamStep(NamedTuple):
    """What a step added to each beam: where it comes from, its token, and what it looked at."""

    parents: Tensor | None
    tokens: Tensor
    weights: Tensor


class _BatchBeamSearch:
    """The beams of all sources in one batch: row = source × beams + beam."""

    def __init__(self, batch: int, beams: int, device: torch.device) -> None:
        self.batch, self.beams = batch, beams
        rows = batch * beams
        self.tokens = torch.full((rows,), START, device=device)
        self.finished = torch.zeros(rows, dtype=torch.bool, device=device)
        self.lengths = torch.zeros(rows, dtype=torch.int64, device=device)
        # All beams are the same at first, so only the first one has successors.
        self.scores = torch.full((batch, beams), -torch.inf, device=device)
        self.scores[:, 0] = 0
        self._first = torch.arange(batch, device=device)[:, None] * beams
        self._steps: list[_BeamStep] = []

    def repeat(self, part: Tensor, dim: int = 1) -> Tensor:
        """Repeat each source for each of its beams."""
        return part if self.beams == 1 else part.repeat_interleave(self.beams, dim=dim)

    def repeat_state(self, state: ModelState) -> ModelState:
        """`repeat` applied to each tensor of a state."""
        if isinstance(state, Tensor):
            return self.repeat(state)
        return None if state is None else tuple(map(self.repeat_state, state))

    def advance(self, logits: Tensor, weights: Tensor) -> Tensor | None:
        """Keep the best successors; returns the rows that they come from, None for their own.

        `logits` are (rows, vocabulary), `weights` (rows, source steps) those of attention.
        """
        total = logits.logsumexp(dim=-1)
        # Neither padding nor a second start is written; the ids in between begin behind them.
        allowed = logits[:, _FIRST_WRITTEN:]
        if self.beams == 1:
            best, chosen = allowed.max(dim=-1)
            gained = (best - total).masked_fill_(self.finished, 0)
            tokens = (chosen + _FIRST_WRITTEN).masked_fill_(self.finished, PADDING)
            self.scores += gained[:, None]
            return self._add(None, tokens, weights)
        count = min(self.beams, allowed.shape[1])
        best, chosen = allowed.topk(count, dim=-1)
        logs, tokens = best - total[:, None], chosen + _FIRST_WRITTEN
        logs[self.finished] = -torch.inf
        logs[:, 0].masked_fill_(self.finished, 0)  # a finished sequence does not change
        tokens.masked_fill_(self.finished[:, None], PADDING)
        scores = self.scores[..., None] + logs.view(self.batch, self.beams, count)
        self.scores, places = scores.flatten(1).topk(self.beams, dim=1)
        parents = (self._first + places // count).flatten()
        tokens = tokens.view(self.batch, -1).gather(1, places).flatten()
        return self._add(parents, tokens, weights)

    def _add(self, parents: Tensor | None, tokens: Tensor, weights: Tensor) -> Tensor | None:
        if parents is not None:
            self.lengths, self.finished = self.lengths[parents], self.finished[parents]
        self.lengths = self.lengths + ~self.finished
        self.finished = self.finished | (tokens == END)
        self.tokens = tokens
        self._steps.append(_BeamStep(parents, tokens, weights))
        return parents

    def select_best(self, length_penalty: float) -> list[DecodedSequence]:
        """The beam with the best score for its length, of each source."""
        lengths = self.lengths.view(self.batch, self.beams)
        best = (self.scores / lengths**length_penalty).argmax(dim=1, keepdim=True)
        rows = (self._first + best).flatten()
        ends, scores = self.lengths[rows].tolist(), self.scores.gather(1, best)[:, 0].tolist()
        tokens, attention = [], []
        for step in reversed(self._steps):
            tokens.append(step.tokens[rows])
            rows = rows if step.parents is None else step.parents[rows]
            attention.append(step.weights[rows])
        written = torch.stack(tokens[::-1]).T.tolist()
        looked = torch.stack(attention[::-1])
        found = []
        for source, (ids, end) in enumerate(zip(written, ends, strict=True)):
            ids = ids[: end - 1] if ids[end - 1] == END else ids[:end]
            found.append(DecodedSequence(ids, scores[source], looked[:end, source]))
        return found
