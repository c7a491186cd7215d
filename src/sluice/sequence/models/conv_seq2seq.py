"""Sequence to sequence by convolutions, without recurrence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from sluice.sequence.batch import ModelState
from sluice.sequence.errors import SequenceError
from sluice.sequence.models.attention import DotAttention
from sluice.sequence.models.gated_convolution import (
    RESIDUAL_SCALE,
    GatedConvolution,
    build_normalised_linear,
)
from sluice.sequence.models.pair_model import (
    EncoderOutput,
    PairModel,
    PairModelConfig,
    mask_steps,
)
from sluice.sequence.models.shape import require_rates, require_sizes


@dataclass(frozen=True, kw_only=True)
class ConvSeq2SeqConfig(PairModelConfig):
    """The configuration of a `ConvSeq2Seq`; otherwise as `PairModelConfig`.

    Attributes:
        embedding_size: the width of embeddings, and of what attention compares.
        hidden_size: the features of a layer.
        num_layers: of the encoder, and of the decoder.
        kernel_width: the steps that a layer reads; odd, so that an encoder's output has a middle.
        dropout: on embeddings, on the input of each layer and before the readout.
        max_positions: the longest source or output, in tokens.

    Raises:
        SequenceError: as `PairModelConfig`; an even width.
    """

    embedding_size: int = 256
    hidden_size: int = 256
    num_layers: int = 4
    kernel_width: int = 3
    dropout: float = 0.2
    max_positions: int = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        require_sizes(self, hidden_size=1, num_layers=1, kernel_width=1, max_positions=1)
        require_rates(self, "dropout")
        if self.kernel_width % 2 == 0:
            raise SequenceError(f"kernel_width must be odd, got {self.kernel_width}.")


class ConvSeq2Seq(PairModel):
    """ConvS2S: gated convolutions, and attention in every layer of the decoder (Gehring et al.
    2017, "Convolutional sequence to sequence learning").

    Tokens have embeddings of their positions added. The encoder's layers see as many steps before
    as after each; those of the decoder only what came before. In decoding each layer keeps the last
    ``kernel_width - 1`` columns of its input, so that a token costs the same wherever it stands.

    >>> model = ConvSeq2Seq(ConvSeq2SeqConfig(20, 30, embedding_size=8, hidden_size=8))
    >>> sources, targets = torch.ones(7, 5, dtype=torch.int64), torch.ones(4, 5, dtype=torch.int64)
    >>> logits, weights = model(sources, targets)
    >>> logits.shape, weights.shape     # time, batch, target vocabulary; time, batch, steps read
    (torch.Size([4, 5, 30]), torch.Size([4, 5, 7]))
    """

    config_type = ConvSeq2SeqConfig
    config: ConvSeq2SeqConfig

    def __init__(self, config: ConvSeq2SeqConfig) -> None:
        super().__init__()
        embedding, hidden, dropout = config.embedding_size, config.hidden_size, config.dropout
        self._build_embeddings(config, embedding)
        self._build_readout(embedding)
        self.positions = _Positions(config.max_positions, embedding)
        self.target_positions = _Positions(config.max_positions, embedding)
        for table in {self.embedding, self._target_table}:
            nn.init.normal_(cast(nn.Embedding, table).weight, std=0.1)
        self.dropout = nn.Dropout(dropout)
        self.encoder_input = build_normalised_linear(embedding, hidden, dropout)
        self.encoder = nn.ModuleList(
            GatedConvolution(hidden, config.kernel_width, dropout) for _ in range(config.num_layers)
        )
        self.encoder_output = build_normalised_linear(hidden, embedding)
        self.decoder_input = build_normalised_linear(embedding, hidden, dropout)
        self.decoder = nn.ModuleList(
            _DecoderLayer(embedding, hidden, config.kernel_width, dropout)
            for _ in range(config.num_layers)
        )
        self.decoder_output = build_normalised_linear(hidden, embedding)

    def encode(
        self, sources: Tensor, lengths: Tensor | None = None
    ) -> tuple[EncoderOutput, ModelState]:
        """What the decoder reads of the sources, and its initial state.

        Args:
            sources: ids (time, batch), int64.
            lengths: steps of each source (batch,).

        Raises:
            SequenceError: sources above `max_positions`.
        """
        embedded = self.dropout(self.embedding(sources) + self.positions(len(sources), 0)[:, None])
        embedded = mask_steps(embedded, lengths)
        x = mask_steps(self.encoder_input(embedded), lengths)
        around = self.config.kernel_width // 2
        for convolution in self.encoder:
            padded = nn.functional.pad(self.dropout(x), (0, 0, 0, 0, around, around))
            x = mask_steps((convolution(padded) + x) * RESIDUAL_SCALE, lengths)
        keys = mask_steps(self.encoder_output(x), lengths)
        if keys.requires_grad:  # each layer's attention adds to the encoder's gradients
            keys.register_hook(lambda gradient: gradient / self.config.num_layers)
        values = (keys + embedded) * RESIDUAL_SCALE
        batch = sources.shape[1]
        before = keys.new_zeros(self.config.kernel_width - 1, batch, self.config.hidden_size)
        place = torch.zeros(1, batch, dtype=torch.int64, device=sources.device)
        columns = (before,) * self.config.num_layers
        return EncoderOutput(keys, values, lengths), (place, columns)

    def decode_steps(
        self, tokens: Tensor, memory: EncoderOutput, state: ModelState
    ) -> tuple[Tensor, Tensor, ModelState]:
        """As `PairModel.decode_steps`, with weights that are means over the layers.

        The state is the number of steps so far (1, batch), and of each layer the last columns that
        it read (kernel_width - 1, batch, hidden).
        """
        assert isinstance(state, tuple)
        place, columns = state
        assert isinstance(place, Tensor) and isinstance(columns, tuple)
        positions = self.target_positions(len(tokens), int(place[0, 0]))
        embedded = self.dropout(self.embed_targets(tokens) + positions[:, None])
        x = self.decoder_input(embedded)
        kept, weights = [], []
        for layer, before in zip(self.decoder, columns, strict=True):
            x, looked, last = layer(x, embedded, memory, before)
            kept.append(last)
            weights.append(looked)
        seen = self.dropout(self.decoder_output(x))
        return seen, torch.stack(weights).mean(0), (place + len(tokens), tuple(kept))


class _DecoderLayer(nn.Module):
    """A causal gated convolution, attention to the sources, and what adds them up."""

    def __init__(self, embedding: int, hidden: int, width: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.convolution = GatedConvolution(hidden, width, dropout)
        self.query = build_normalised_linear(hidden, embedding)
        self.attention = DotAttention()
        self.output = build_normalised_linear(embedding, hidden)

    def forward(
        self, x: Tensor, embedded: Tensor, memory: EncoderOutput, before: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The output (time, batch, hidden), attention weights, and the last columns read.

        Args:
            x: what the layer below gives (time, batch, hidden).
            embedded: the target tokens (time, batch, embedding).
            memory: the sources.
            before: the columns before x (width - 1, batch, hidden).
        """
        columns = torch.cat((before, self.dropout(x)))
        gated = self.convolution(columns)
        queries = (self.query(gated) + embedded) * RESIDUAL_SCALE
        context, weights = self.attention(queries, *memory)
        # The mean of m values has a variance that is smaller by up to m.
        steps = len(memory.keys) if memory.lengths is None else memory.lengths[:, None]
        scaled = context * torch.as_tensor(steps, device=x.device).to(x.dtype).sqrt()
        gated = (self.output(scaled) + gated) * RESIDUAL_SCALE
        last = columns[len(columns) - len(before) :]
        return (gated + x) * RESIDUAL_SCALE, weights, last


class _Positions(nn.Module):
    """Learned embeddings of the places of tokens, from 0."""

    def __init__(self, count: int, size: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(count, size) * 0.1)

    def forward(self, steps: int, first: int) -> Tensor:
        """Those of `steps` places from `first` on (steps, size)."""
        if first + steps > len(self.table):
            raise SequenceError(
                f"The model has {len(self.table)} positions, got a sequence of {first + steps} "
                "tokens; give shorter ones, or train with a larger max_positions."
            )
        return self.table[first : first + steps]
