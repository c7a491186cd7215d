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

    def forward(
        self, queries: Tensor, memory: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """As `AdditiveAttention.forward`."""
        mask = combine_masks(memory, lengths, None)
        scores = torch.bmm(queries.transpose(0, 1), self.memory_map(memory).permute(1, 2, 0))
        return mix_values(scores.transpose(0, 1), memory, mask)


def build_attention(kind: AttentionKind, query: int, memory: int) -> nn.Module:
    """The attention of this kind for these widths of queries and memory."""
    if kind == "additive":
        return AdditiveAttention(query, memory)
    return MultiplicativeAttention(query, memory)
