"""Sequence to sequence: an encoder, and a decoder with attention."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple, get_args

import torch
from torch import Tensor, nn

from sluice.sequence.batch import Batch, Loss, ModelState
from sluice.sequence.errors import SequenceError
from sluice.sequence.models.attention import AttentionKind, build_attention
from sluice.sequence.models.base import (
    SequenceModel,
    StepLosses,
    find_state_width,
    select_final_states,
)
from sluice.sequence.models.cross_entropy import (
    calls_only,
    measure_tokens,
    sum_cross_entropy,
    sum_cross_entropy_of_logits,
)
from sluice.sequence.models.shape import SequenceModelConfig, build_layers, require_sizes
from sluice.sequence.vocabulary import PADDING, START


@dataclass(frozen=True)
class _VocabularySizes:
    vocabulary_size: int
    target_vocabulary_size: int


@dataclass(frozen=True, kw_only=True)
class Seq2SeqConfig(SequenceModelConfig, _VocabularySizes):
    """The configuration of a `Seq2Seq`; otherwise as `SequenceModelConfig`, for both parts.

    Attributes:
        vocabulary_size: of the sources.
        target_vocabulary_size: of the targets.
        bidirectional: whether the encoder reads in both directions.
        attention: ``"additive"`` or ``"multiplicative"``, scores v · tanh(W q + U m) or q · W m.

    Raises:
        SequenceError: as `SequenceModelConfig`; another kind of attention.
    """

    bidirectional: bool = True
    attention: AttentionKind = "additive"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_sizes(self, vocabulary_size=1, target_vocabulary_size=1, embedding_size=1)
        if self.attention not in get_args(AttentionKind):
            raise SequenceError(
                f"attention must be one of {', '.join(get_args(AttentionKind))}, "
                f"got {self.attention!r}."
            )


class EncoderOutput(NamedTuple):
    """What attention reads: (steps, batch, width), and the lengths; None if no step is padding."""

    outputs: Tensor
    lengths: Tensor | None


class Seq2Seq(SequenceModel):
    """Maps a sequence of tokens to another (Bahdanau et al. 2015; Luong et al. 2015).

    The decoder's layers run over the whole target first, so they use the kernels; attention
    follows: h̃ = tanh(W [context; h]) (Luong et al. 2015, equation 5, without input feeding). The
    decoder's initial h is a map of the encoder's final one, tanh(W h) (Bahdanau et al. 2015,
    section A.2.2); other states, such as c, have the cell's initial values.

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
        self.target_embedding = nn.Embedding(
            config.target_vocabulary_size, config.embedding_size, padding_idx=PADDING
        )
        self.decoder = build_layers(one_way, config.embedding_size)
        read, written = self.layers.output_features, self.decoder.output_features
        final, initial = (find_state_width(layers) for layers in (self.layers, self.decoder))
        self.bridge = nn.Linear(final * self.layers.directions, config.num_layers * initial)
        self.attention = build_attention(config.attention, written, read)
        self.combine = nn.Linear(read + written, written)
        self.readout = nn.Linear(written, config.target_vocabulary_size)

    def forward(
        self, sources: Tensor, targets: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits for each token of `targets`, given those before it, and attention weights.

        Args:
            sources: ids (time, batch), int64.
            targets: ids (time, batch), int64, each sequence ending with `END`, then padding;
                `START` is added before them.
            lengths: steps of each source (batch,).

        Returns:
            Logits (time, batch, target vocabulary) and weights (time, batch, steps read).
        """
        seen, weights = self._read(sources, targets, lengths)
        return self.readout(seen), weights

    def _read(
        self, sources: Tensor, targets: Tensor, lengths: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """What the readout takes for each target, and attention weights."""
        memory, state = self.encode(sources, lengths)
        before = torch.cat((torch.full_like(targets[:1], START), targets[:-1]))
        seen, weights, _ = self._attend(before, memory, state)
        return seen, weights

    def encode(
        self, sources: Tensor, lengths: Tensor | None = None
    ) -> tuple[EncoderOutput, ModelState]:
        """What attention reads, and the initial state of the decoder."""
        hidden, state = self._run(sources, None, lengths)
        ends = select_final_states(state, self.layers.directions)
        first = self.bridge(ends).tanh().unflatten(1, (self.config.num_layers, -1)).transpose(0, 1)
        rows = zip(*self.decoder.get_initial_states(), strict=True)
        others = [torch.stack(row).expand(-1, len(ends), -1) for row in list(rows)[1:]]
        h = first.contiguous()
        return EncoderOutput(hidden, lengths), (h, *others) if others else h

    def step(
        self, tokens: Tensor, memory: EncoderOutput, state: ModelState
    ) -> tuple[Tensor, Tensor, ModelState]:
        """Logits and attention weights after `tokens` (time, batch), and the decoder's state."""
        seen, weights, state = self._attend(tokens, memory, state)
        return self.readout(seen), weights, state

    def _attend(
        self, tokens: Tensor, memory: EncoderOutput, state: ModelState
    ) -> tuple[Tensor, Tensor, ModelState]:
        embedded = self.embedding_dropout(self.target_embedding(tokens))
        hidden, state = self.decoder(embedded, state)
        context, weights = self.attention(hidden, *memory)
        seen = self.combine(torch.cat((context, hidden), dim=-1)).tanh()
        return self.dropout(seen), weights, state

    @property
    def loss_unit(self) -> str:
        """The unit of the loss per item."""
        return "nats per token"

    def step_losses(self, batch: Batch, state: ModelState = None) -> StepLosses:
        """The logits with teacher forcing, and the cross-entropy in nats of each target but
        padding; `batch` is as for `loss`."""
        logits, _ = self(batch.inputs, batch.targets, batch.lengths)
        return measure_tokens(logits, batch.targets, None)

    def loss(self, batch: Batch, state: ModelState = None) -> tuple[Loss, ModelState]:
        """Cross-entropy in nats with teacher forcing, summed over the targets except padding.

        The batch's `inputs` are the sources, with their `lengths`, and its `targets`
        (target time, batch) those of `forward`. There is no state to carry over.
        """
        targets, readout = batch.targets, self.readout
        if calls_only(self, Seq2Seq) and calls_only(readout, nn.Linear):
            seen, _ = self._read(batch.inputs, targets, batch.lengths)
            total = sum_cross_entropy(seen, readout.weight, readout.bias, targets, PADDING)
        else:  # what was added to a call may change the logits
            logits, _ = self(batch.inputs, targets, batch.lengths)
            total = sum_cross_entropy_of_logits(logits, targets, PADDING)
        return Loss(total, int((targets != PADDING).sum())), None
