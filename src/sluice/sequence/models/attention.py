"""Attention with additive or multiplicative scores."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

AttentionKind = Literal["additive", "multiplicative"]


class Attention(nn.Module):
    """Weights over the steps of a memory, and their weighted mean.

    ``additive`` scores with v · tanh(W q + U m) (Bahdanau, Cho & Bengio 2015, section A.1.2),
    ``multiplicative`` with q · W m (Luong, Pham & Manning 2015, section 3.1, "general").

    Args:
        kind: which of the two.
        query, memory: the widths of queries and memory.

    >>> attention = Attention("additive", query=8, memory=6)
    >>> context, weights = attention(torch.zeros(3, 2, 8), torch.zeros(5, 2, 6), None)
    >>> context.shape, weights.shape
    (torch.Size([3, 2, 6]), torch.Size([3, 2, 5]))
    """

    def __init__(self, kind: AttentionKind, query: int, memory: int) -> None:
        super().__init__()
        self.kind = kind
        self.memory_map = nn.Linear(memory, query, bias=False)
        if kind == "additive":
            self.query_map = nn.Linear(query, query)
            self.score = nn.Linear(query, 1, bias=False)

    def forward(
        self, queries: Tensor, memory: Tensor, lengths: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Contexts (time, batch, memory) and weights (time, batch, steps), which sum to 1.

        Args:
            queries: (time, batch, query).
            memory: (steps, batch, memory).
            lengths: its steps without padding (batch,); None if no step is padding.
        """
        scores = self._scores(queries.transpose(0, 1), memory.transpose(0, 1))
        if lengths is not None:
            beyond = torch.arange(len(memory), device=memory.device) >= lengths[:, None]
            # Not -inf: a sequence without any step would give NaN everywhere.
            scores = scores.masked_fill(beyond[:, None], torch.finfo(scores.dtype).min)
        weights = scores.softmax(dim=-1)
        contexts = weights @ memory.transpose(0, 1)
        return contexts.transpose(0, 1), weights.transpose(0, 1)

    def _scores(self, queries: Tensor, memory: Tensor) -> Tensor:
        """(batch, time, steps), of (batch, time, query) and (batch, steps, memory)."""
        keys = self.memory_map(memory)
        if self.kind == "multiplicative":
            return torch.bmm(queries, keys.transpose(1, 2))
        pairs = self.query_map(queries)[:, :, None] + keys[:, None]
        return torch.squeeze(self.score(pairs.tanh()), dim=-1)
