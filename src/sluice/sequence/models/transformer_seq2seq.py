"""Sequence to sequence by self-attention, on torch's own layers: a model to compare with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from sluice.sequence.batch import ModelState
from sluice.sequence.errors import SequenceError
from sluice.sequence.models.pair_model import (
    EncoderOutput,
    PairModel,
    PairModelConfig,
    mask_steps,
)
from sluice.sequence.models.shape import require_rates, require_sizes

_INNER = 4
"""The width of the feed-forward layers, in that of the model (Vaswani et al. 2017)."""


@dataclass(frozen=True, kw_only=True)
class TransformerSeq2SeqConfig(PairModelConfig):
    """The configuration of a `TransformerSeq2Seq`; otherwise as `PairModelConfig`.

    Attributes:
        embedding_size: the width of everything but the feed-forward layers, whose is four times it.
        num_layers: of the encoder, and of the decoder.
        num_heads: of each attention, which share the width.
        dropout: on embeddings, attention weights, the inner width and before each sum.

    Raises:
        SequenceError: as `PairModelConfig`; an odd width, or one that the heads do not divide.
    """

    embedding_size: int = 256
    num_layers: int = 3
    num_heads: int = 4
    dropout: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        require_sizes(self, num_layers=1, num_heads=1)
        require_rates(self, "dropout")
        if self.embedding_size % self.num_heads or self.embedding_size % 2:
            raise SequenceError(
                "A transformer's width must be even and a multiple of its "
                f"{self.num_heads} heads, got {self.embedding_size}."
            )


class TransformerSeq2Seq(PairModel):
    """A transformer for comparison (Vaswani et al. 2017), with norms before each part.

    Its layers are `torch.nn.TransformerEncoderLayer` and `torch.nn.TransformerDecoderLayer`. In
    decoding each layer keeps the keys and values of all steps so far, so that a token costs the
    more the later it stands.

    >>> model = TransformerSeq2Seq(TransformerSeq2SeqConfig(20, 30, embedding_size=8))
    >>> sources, targets = torch.ones(7, 5, dtype=torch.int64), torch.ones(4, 5, dtype=torch.int64)
    >>> logits, weights = model(sources, targets)
    >>> logits.shape, weights.shape     # time, batch, target vocabulary; time, batch, steps read
    (torch.Size([4, 5, 30]), torch.Size([4, 5, 7]))
    """

    config_type = TransformerSeq2SeqConfig
    config: TransformerSeq2SeqConfig

    def __init__(self, config: TransformerSeq2SeqConfig) -> None:
        super().__init__()
        size, count = config.embedding_size, config.num_layers
        self._build_embeddings(config, size)
        self._build_readout(size)
        for table in {self.embedding, self._target_table}:
            nn.init.normal_(cast(nn.Embedding, table).weight, std=size**-0.5)
        self.dropout = nn.Dropout(config.dropout)
        shape = (size, config.num_heads, _INNER * size, config.dropout)
        self.encoder = nn.ModuleList(
            nn.TransformerEncoderLayer(*shape, norm_first=True) for _ in range(count)
        )
        self.encoder_norm = nn.LayerNorm(size)
        self.decoder = nn.ModuleList(
            nn.TransformerDecoderLayer(*shape, norm_first=True) for _ in range(count)
        )
        self.decoder_norm = nn.LayerNorm(size)
        for name, weight in self.named_parameters():
            if weight.dim() > 1 and not name.startswith(("embedding", "target_", "readout")):
                nn.init.xavier_uniform_(weight)

    def encode(
        self, sources: Tensor, lengths: Tensor | None = None
    ) -> tuple[EncoderOutput, ModelState]:
        """What the decoder reads of the sources, and its initial state.

        Args:
            sources: ids (time, batch), int64.
            lengths: steps of each source (batch,).
        """
        x = mask_steps(self._embed(self.embedding(sources), 0), lengths)
        beyond = None
        if lengths is not None:
            beyond = torch.arange(len(x), device=x.device) >= lengths[:, None]
        for layer in self.encoder:
            x = layer(x, src_key_padding_mask=beyond)
        x = mask_steps(self.encoder_norm(x), lengths)
        # Of each layer of the decoder the keys, and the values, side by side.
        keys, values = zip(*(_project_memory(layer, x) for layer in self._decoder), strict=True)
        memory = EncoderOutput(torch.cat(keys, dim=-1), torch.cat(values, dim=-1), lengths)
        nothing = x.new_zeros(0, *x.shape[1:])
        return memory, tuple((nothing, nothing) for _ in self.decoder)

    def decode_steps(
        self, tokens: Tensor, memory: EncoderOutput, state: ModelState
    ) -> tuple[Tensor, Tensor, ModelState]:
        """As `PairModel.decode_steps`, with the last layer's weights, means over its heads.

        The state holds each layer's keys and values so far, (steps, batch, embedding).
        """
        past = cast(tuple[tuple[Tensor, Tensor], ...], state)
        before = len(past[0][0])
        x = self._embed(self.embed_targets(tokens), before)
        mask, beyond = _mask_future(len(tokens), before, x.device), None
        if memory.lengths is not None:
            steps = torch.arange(len(memory.keys), device=x.device)
            beyond = (steps >= memory.lengths[:, None])[:, None, None]
        width, kept = self.config.embedding_size, []
        memories = zip(memory.keys.split(width, -1), memory.values.split(width, -1), strict=True)
        weights = x
        for layer, held, read in zip(self._decoder, past, memories, strict=True):
            queries, *new = _project(layer.self_attn, layer.norm1(x))
            keys, values = (torch.cat(parts) for parts in zip(held, new, strict=True))
            kept.append((keys, values))
            found, _ = _attend(layer.self_attn, queries, keys, values, mask)
            x = x + layer.dropout1(found)
            queries = _project_queries(layer.multihead_attn, layer.norm2(x))
            found, weights = _attend(layer.multihead_attn, queries, *read, beyond)
            x = x + layer.dropout2(found)
            inner = layer.dropout(layer.linear1(layer.norm3(x)).relu())
            x = x + layer.dropout3(layer.linear2(inner))
        return self.dropout(self.decoder_norm(x)), weights, tuple(kept)

    @property
    def _decoder(self) -> list[nn.TransformerDecoderLayer]:
        return cast(list[nn.TransformerDecoderLayer], list(self.decoder))

    def _embed(self, embedded: Tensor, first: int) -> Tensor:
        size = self.config.embedding_size
        places = make_positions(len(embedded), size, first).to(embedded)
        x: Tensor = self.dropout(embedded * math.sqrt(size) + places[:, None])
        return x


def make_positions(steps: int, size: int, first: int = 0) -> Tensor:
    """Sines and cosines of places from `first` on, (steps, size) in float64.

    The sine of place / 10000 ** (2 i / size) is feature 2 i, its cosine feature 2 i + 1 (Vaswani
    et al. 2017, section 3.5).
    """
    places = torch.arange(first, first + steps, dtype=torch.float64)[:, None]
    angles = places / 10000 ** (torch.arange(0, size, 2, dtype=torch.float64) / size)
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)


def _mask_future(steps: int, before: int, device: torch.device) -> Tensor:
    """Which of before + steps each of the last `steps` must not see, (steps, before + steps)."""
    places = torch.arange(before + steps, device=device)
    return places > places[before:, None]


def _project(attention: nn.MultiheadAttention, x: Tensor) -> tuple[Tensor, ...]:
    """Queries, keys and values of the same x (time, batch, width)."""
    weight = cast(Tensor, attention.in_proj_weight)
    return functional.linear(x, weight, attention.in_proj_bias).chunk(3, dim=-1)


def _project_queries(attention: nn.MultiheadAttention, x: Tensor) -> Tensor:
    weight, size = cast(Tensor, attention.in_proj_weight), x.shape[-1]
    return functional.linear(x, weight[:size], cast(Tensor, attention.in_proj_bias)[:size])


def _project_memory(layer: nn.TransformerDecoderLayer, x: Tensor) -> tuple[Tensor, ...]:
    attention, size = layer.multihead_attn, x.shape[-1]
    weight = cast(Tensor, attention.in_proj_weight)[size:]
    bias = cast(Tensor, attention.in_proj_bias)[size:]
    return functional.linear(x, weight, bias).chunk(2, dim=-1)


def _attend(
    attention: nn.MultiheadAttention,
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    beyond: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """What an attention gives after its projections, and its weights' means over the heads.

    Args:
        attention: whose heads, dropout and output map these are.
        queries: (time, batch, width).
        keys, values: (steps, batch, width).
        beyond: what must not be read, that broadcasts to (batch, heads, time, steps).
    """
    heads = attention.num_heads
    q, k, v = (x.unflatten(-1, (heads, -1)).permute(1, 2, 0, 3) for x in (queries, keys, values))
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    if beyond is not None:
        scores = scores.masked_fill(beyond, torch.finfo(scores.dtype).min)
    weights = scores.softmax(dim=-1)
    kept = functional.dropout(weights, attention.dropout, attention.training)
    mixed = (kept @ v).permute(2, 0, 1, 3).flatten(2)
    return attention.out_proj(mixed), weights.mean(dim=1).transpose(0, 1)
