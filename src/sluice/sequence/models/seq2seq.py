"""Sequence to sequence: a recurrent encoder, and a recurrent decoder with attention."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import get_args

import torch
from torch import Tensor, nn

from sluice.sequence.batch import ModelState
from sluice.sequence.errors import SequenceError
from sluice.sequence.models.attention import AttentionKind, build_attention
from sluice.sequence.models.base import find_state_width, select_final_states
from sluice.sequence.models.cross_entropy import calls_only
from sluice.sequence.models.packed_decoding import DecoderParts, PackedDecoding, can_pack
from sluice.sequence.models.pair_model import (
    DecodingState,
    EncoderOutput,
    PairModel,
    PairModelConfig,
)
from sluice.sequence.models.shape import SequenceModelConfig, build_layers


@dataclass(frozen=True, kw_only=True)
class Seq2SeqConfig(SequenceModelConfig, PairModelConfig):
    """The configuration of a `Seq2Seq`; otherwise as `SequenceModelConfig`, for both parts, and as
    `PairModelConfig`.

    Attributes:
        bidirectional: whether the encoder reads in both directions.
        attention: ``"additive"`` or ``"multiplicative"``, scores v · tanh(W q + U m) or q · W m.
        input_feeding: whether the decoder reads, beside a token, what attention made of the step
            before (Luong et al. 2015, section 3.3). It then runs one step at a time in training.

    Raises:
        SequenceError: as `SequenceModelConfig` and `PairModelConfig`; another kind of attention.
    """

    bidirectional: bool = True
    attention: AttentionKind = "additive"
    input_feeding: bool = False

    def __post_init__(self) -> None:
        SequenceModelConfig.__post_init__(self)
        PairModelConfig.__post_init__(self)
        if self.attention not in get_args(AttentionKind):
            raise SequenceError(
                f"attention must be one of {', '.join(get_args(AttentionKind))}, "
                f"got {self.attention!r}."
            )


class Seq2Seq(PairModel):
    """Maps a sequence of tokens to another (Bahdanau et al. 2015; Luong et al. 2015).

    The decoder's layers run over the whole target first, so they use the kernels; attention
    follows: h̃ = tanh(W [context; h]) (Luong et al. 2015, equation 5). With `input_feeding` a step
    of the decoder also reads the h̃ of the step before it, zero at first, so that layers and
    attention take turns. The decoder's initial h is a map of the encoder's final one, tanh(W h)
    (Bahdanau et al. 2015, section A.2.2); other states, such as c, have the cell's initial values.

    `sluice.sequence.models.decode` generates with it.

    >>> model = Seq2Seq(Seq2SeqConfig(20, 30, hidden_size=8))
    >>> sources, targets = torch.ones(7, 5, dtype=torch.int64), torch.ones(4, 5, dtype=torch.int64)
    >>> logits, weights = model(sources, targets)
    >>> logits.shape, weights.shape     # time, batch, target vocabulary; time, batch, steps read
    (torch.Size([4, 5, 30]), torch.Size([4, 5, 7]))
    """

    config_type = Seq2SeqConfig
    config: Seq2SeqConfig

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        self._build(config, tokens=config.vocabulary_size)
        one_way = replace(config, bidirectional=False)
        size = config.embedding_size
        self._build_embeddings(config, size)
        # Tied weights take what is as wide as an embedding.
        attended = size if config.tied else one_way.width
        self.decoder = build_layers(one_way, size + attended * config.input_feeding)
        read, written = self.layers.output_features, self.decoder.output_features
        final, initial = (find_state_width(layers) for layers in (self.layers, self.decoder))
        self.bridge = nn.Linear(final * self.layers.directions, config.num_layers * initial)
        self.attention = build_attention(config.attention, written, read)
        self.combine = nn.Linear(read + written, attended)
        self._build_readout(attended)

    def encode(
        self, sources: Tensor, lengths: Tensor | None = None
    ) -> tuple[EncoderOutput, ModelState]:
        """What the decoder reads of the sources, and its initial state.

        Args:
            sources: ids (time, batch), int64.
            lengths: steps of each source (batch,).
        """
        hidden, state = self._run(sources, None, lengths)
        ends = select_final_states(state, self.layers.directions)
        first = self.bridge(ends).tanh().unflatten(1, (self.config.num_layers, -1)).transpose(0, 1)
        rows = zip(*self.decoder.get_initial_states(), strict=True)
        others = [torch.stack(row).expand(-1, len(ends), -1) for row in list(rows)[1:]]
        h = first.contiguous()
        start: ModelState = (h, *others) if others else h
        if self.config.input_feeding:
            start = start, h.new_zeros(1, len(ends), self.combine.out_features)
        return EncoderOutput(self.attention.map_memory(hidden), hidden, lengths), start

    def decode_steps(
        self, tokens: Tensor, memory: EncoderOutput, state: ModelState
    ) -> tuple[Tensor, Tensor, ModelState]:
        """As `PairModel.decode_steps`; the state is that of the layers, and with input feeding
        the last h̃ (1, batch, width) beside it."""
        embedded = self.embedding_dropout(self.embed_targets(tokens))
        if not self.config.input_feeding:
            hidden, state = self.decoder(embedded, state)
            seen, weights = self._attend(hidden, memory)
            return seen, weights, state
        assert isinstance(state, tuple)
        of_layers, fed = state
        found = []
        for step in embedded.split(1):
            assert isinstance(fed, Tensor)
            hidden, of_layers = self.decoder(torch.cat((step, fed), dim=-1), of_layers)
            fed, weights = self._attend(hidden, memory)
            found.append((fed, weights))
        all_seen, all_weights = (torch.cat(parts) for parts in zip(*found, strict=True))
        return all_seen, all_weights, (of_layers, fed)

    def start_decoding(self, memory: EncoderOutput, state: ModelState) -> DecodingState:
        """As `PairModel.start_decoding`; on the kernels, weights are packed for all steps."""
        parts = DecoderParts(
            self.decoder,
            self.attention,
            self.combine,
            self._target_table.weight,
            *self._readout_parameters(),
        )
        ends = calls_only(self.readout, nn.Linear) and calls_only(self._target_table, nn.Embedding)
        if ends and can_pack(parts):
            return PackedDecoding(parts, memory, state)
        return super().start_decoding(memory, state)

    def _attend(self, hidden: Tensor, memory: EncoderOutput) -> tuple[Tensor, Tensor]:
        context, weights = self.attention(hidden, memory.values, memory.lengths, keys=memory.keys)
        return self.dropout(self.combine(torch.cat((context, hidden), dim=-1)).tanh()), weights
