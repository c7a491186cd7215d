"""What a `Seq2Seq` writes: the likeliest continuation token by token, or several side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sluice.sequence.errors import SequenceError
from sluice.sequence.models.base import evaluation_mode
from sluice.sequence.models.seq2seq import EncoderOutput, Seq2Seq
from sluice.sequence.vocabulary import END, PADDING, START


@dataclass(frozen=True)
class DecodedSequence:
    """A sequence that was written.

    Attributes:
        ids: without `END`.
        log_probability: of the ids and of `END` (where it was reached), in nats.
        attention: where each of them looked (written, steps read), `END`'s row last.
    """

    ids: list[int]
    log_probability: float
    attention: Tensor


def decode(
    model: Seq2Seq,
    sources: Tensor,
    lengths: Tensor | None = None,
    *,
    beams: int = 1,
    max_length: int = 200,
    length_penalty: float = 1.0,
) -> list[DecodedSequence]:
    """The best sequence found for each source.

    One beam takes the likeliest token each time (greedy decoding). Several keep that many
    beginnings side by side, and the one with the best log-probability divided by its length to the
    power of `length_penalty` wins: 0 compares plain probabilities, which favour the short.

    Args:
        model: left in the mode that it is in.
        sources: ids (time, batch), int64.
        lengths: steps of each source (batch,).
        beams: how many beginnings to keep.
        max_length: where to stop a sequence that has not ended.
        length_penalty: see above.

    Raises:
        SequenceError: fewer than one beam or token.

    >>> from sluice.sequence.models.seq2seq import Seq2SeqConfig
    >>> model = Seq2Seq(Seq2SeqConfig(20, 30, hidden_size=8))
    >>> found = decode(model, torch.ones(7, 5, dtype=torch.int64), beams=2, max_length=4)
    >>> len(found), len(found[0].attention) <= 4
    (5, True)
    """
    if beams < 1 or max_length < 1:
        raise SequenceError(f"Give at least 1 beam and 1 token; {beams} and {max_length} came.")
    with evaluation_mode(model):
        memory, state = model.encode(sources, lengths)
        search = _BatchBeamSearch(sources.shape[1], beams, sources.device)
        wide = EncoderOutput(search.repeat(memory.outputs), search.repeat(lengths, dim=0))
        state = search.repeat(state)
        for _ in range(max_length):
            logits, weights, state = model.step(search.tokens[-1][None], wide, state)
            parents = search.advance(logits[0].log_softmax(dim=-1), weights[0])
            state = _map_state(state, lambda part, parents=parents: part[:, parents])
            if search.finished.all():
                break
    return search.select_best(length_penalty)


class _BatchBeamSearch:
    """Beams of all sources, side by side: row = source × beams + beam."""

    def __init__(self, batch: int, beams: int, device: torch.device) -> None:
        self.batch, self.beams = batch, beams
        rows = batch * beams
        self.tokens = torch.full((1, rows), START, device=device)
        self.finished = torch.zeros(rows, dtype=torch.bool, device=device)
        self.lengths = torch.zeros(rows, dtype=torch.int64, device=device)
        # All beams begin alike: the first alone may have successors.
        self.scores = torch.full((batch, beams), -torch.inf, device=device)
        self.scores[:, 0] = 0
        self.attention: Tensor | None = None

    def repeat(self, state: Any, dim: int = 1) -> Any:
        """Each source's part once for each of its beams."""
        return _map_state(state, lambda part: part.repeat_interleave(self.beams, dim=dim))

    def advance(self, logs: Tensor, weights: Tensor) -> Tensor:
        """Go on with the best successors; returns the rows that they come from.

        `logs` (rows, vocabulary) are log-probabilities, `weights` (rows, steps read) attention.
        """
        logs = logs.clone()
        logs[:, [PADDING, START]] = -torch.inf
        logs[self.finished] = -torch.inf
        logs[self.finished, PADDING] = 0  # what has ended stays as it is
        total = self.scores[..., None] + logs.view(self.batch, self.beams, -1)
        self.scores, places = total.flatten(1).topk(self.beams, dim=1)
        first = torch.arange(self.batch, device=places.device)[:, None] * self.beams
        parents = (first + places // logs.shape[1]).flatten()
        chosen = (places % logs.shape[1]).flatten()
        self.lengths = self.lengths[parents] + ~self.finished[parents]
        self.finished = self.finished[parents] | (chosen == END)
        self.tokens = torch.cat((self.tokens[:, parents], chosen[None]))
        looked = weights[parents][None]
        past = None if self.attention is None else self.attention[:, parents]
        self.attention = looked if past is None else torch.cat((past, looked))
        return parents

    def select_best(self, length_penalty: float) -> list[DecodedSequence]:
        """Of each source the beam with the best score for its length."""
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


def _map_state(state: Any, change: Any) -> Any:
    """`change` of a tensor, or of each of a tuple; None stays."""
    if isinstance(state, Tensor):
        return change(state)
    return None if state is None else tuple(change(part) for part in state)
