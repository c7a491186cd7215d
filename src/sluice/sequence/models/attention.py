"""The attention of an encoder and decoder, with additive or multiplicative scores."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from sluice.nn.attention import AdditiveAttention, combine_masks, mix_values

AttentionKind = Literal["additive", "multiplicative"]


class MultiplicativeAttention(nn.Module):
    """Attention with the scores q · W m (Luong, Pham & Manning 2015, section 3.1, "general").

    Args:
        query, memory: the widths of queries and memory.

    >>> attention = MultiplicativeAttention(query=8, memory=6)
    >>> contexts, weights = attention(torch.zeros(3, 2, 8), torch.zeros(5, 2, 6))
    >>> contexts.shape, weights.shape
    (torch.Size([3, 2, 6]), torch.Size([3, 2, 5]))
    """

    def __init__(self, query: int, memory: int) -> None:
        super().__init__()
        self.memory_map = nn.Linear(memory, query, bias=False)

    def map_memory(self, memory: Tensor) -> Tensor:
        """The keys W m, which `forward` takes to compute them once for several calls."""
        keys: Tensor = self.memory_map(memory)
        return keys

    def forward(
        self,
        queries: Tensor,
        memory: Tensor,
        lengths: Tensor | None = None,
        *,
        keys: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """As `AdditiveAttention.forward`."""
        mask = combine_masks(memory, lengths, None)
        keys = self.map_memory(memory) if keys is None else keys
        scores = torch.bmm(queries.transpose(0, 1), keys.permute(1, 2, 0))
        return mix_values(scores.transpose(0, 1), memory, mask)


class DotAttention(nn.Module):
    """Attention with the scores q · k, which has no weights.

    >>> contexts, weights = DotAttention()(torch.ones(3, 2, 8), *torch.ones(2, 5, 2, 8))
    >>> contexts.shape, weights.shape
    (torch.Size([3, 2, 8]), torch.Size([3, 2, 5]))
    """

    def forward(
        self, queries: Tensor, keys: Tensor, values: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Contexts (time, batch, features) and weights (time, batch, steps).

        Args:
            queries: (time, batch, width).
            keys: (steps, batch, width).
            values: (steps, batch, features).
            lengths: the steps of keys and values without padding (batch,); None for all.
        """
        mask = combine_masks(keys, lengths, None)
        scores = torch.bmm(queries.transpose(0, 1), keys.permute(1, 2, 0))
        return mix_values(scores.transpose(0, 1), values, mask)


def build_attention(
    kind: AttentionKind, query: int, memory: int
) -> AdditiveAttention | MultiplicativeAttention:
    """The attention of this kind for these widths of queries and memory."""
    if kind == "additive":
        return AdditiveAttention(query, memory)
    return MultiplicativeAttention(query, memory)
