"""Greedy decoding and beam search for models of pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn.utils import parametrize

from sluice.sequence.batch import ModelState
from sluice.sequence.errors import SequenceError
from sluice.sequence.models.base import evaluation_mode
from sluice.sequence.models.pair_model import PairModel
from sluice.sequence.vocabulary import END, PADDING, START


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
        SequenceError: fewer than one beam or token.

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
    # Weights made of other parameters, as normalised ones are, are the same in all steps.
    with evaluation_mode(model), parametrize.cached():
        memory, state = model.encode(sources, lengths)
        search = _BatchBeamSearch(sources.shape[1], num_beams, sources.device)
        memory = memory.map(search.repeat)
        state = _map_state(state, search.repeat)
        step = model.build_step(len(search.finished))
        for _ in range(max_length):
            logits, weights, state = step(search.tokens[-1][None], memory, state)
            parents = search.advance(logits[0].log_softmax(dim=-1), weights[0])
            state = _map_state(state, partial(_select_rows, rows=parents))
            if search.finished.all():
                break
    return search.select_best(length_penalty)


class _BatchBeamSearch:
    """The beams of all sources in one batch: row = source × beams + beam."""

    def __init__(self, batch: int, beams: int, device: torch.device) -> None:
        self.batch, self.beams = batch, beams
        rows = batch * beams
        self.tokens = torch.full((1, rows), START, device=device)
        self.finished = torch.zeros(rows, dtype=torch.bool, device=device)
        self.lengths = torch.zeros(rows, dtype=torch.int64, device=device)
        # All beams are the same at first, so only the first one has successors.
        self.scores = torch.full((batch, beams), -torch.inf, device=device)
        self.scores[:, 0] = 0
        self.attention: Tensor | None = None

    def repeat(self, part: Tensor, dim: int = 1) -> Tensor:
        """Repeat each source for each of its beams."""
        return part.repeat_interleave(self.beams, dim=dim)

    def advance(self, logs: Tensor, weights: Tensor) -> Tensor:
        """Keep the best successors; returns the rows that they come from.

        `logs` (rows, vocabulary) are log-probabilities, `weights` (rows, source steps) attention.
        """
        logs = logs.clone()
        logs[:, [PADDING, START]] = -torch.inf
        logs[self.finished] = -torch.inf
        logs[self.finished, PADDING] = 0  # a finished sequence does not change
        total = self.scores[..., None] + logs.view(self.batch, self.beams, -1)
        self.scores, places = total.flatten(1).topk(self.beams, dim=1)
        first = torch.arange(self.batch, device=places.device)[:, None] * self.beams
        parents = (first + places // logs.shape[1]).flatten()
        chosen = (places % logs.shape[1]).flatten()
        self.lengths = self.lengths[parents] + ~self.finished[parents]
        self.finished = self.finished[parents] | (chosen == END)
        self.tokens = torch.cat((self.tokens[:, parents], chosen[None]))
        rows = weights[parents][None]
        past = None if self.attention is None else self.attention[:, parents]
        self.attention = rows if past is None else torch.cat((past, rows))
        return parents

    def select_best(self, length_penalty: float) -> list[DecodedSequence]:
        """The beam with the best score for its length, of each source."""
        assert self.attention is not None
        lengths = self.lengths.view(self.batch, self.beams)
        winners = (self.scores / lengths**length_penalty).argmax(dim=1).tolist()
        found = []
        for source, beam in enumerate(winners):
            row, length = source * self.beams + beam, int(lengths[source, beam])
            ids = self.tokens[1 : length + 1, row].tolist()
            written = ids[:-1] if ids[-1] == END else ids
            score = float(self.scores[source, beam])
            found.append(DecodedSequence(written, score, self.attention[:length, row]))
        return found


def _select_rows(part: Tensor, rows: Tensor) -> Tensor:
    return part[:, rows]


def _map_state(state: ModelState, change: Callable[[Tensor], Tensor]) -> ModelState:
    """Apply `change` to each tensor of a state."""
    if isinstance(state, Tensor):
        return change(state)
    return None if state is None else tuple(_map_state(part, change) for part in state)
