"""What all models of pairs share: embeddings, readout, teacher forcing and the loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from sluice.sequence.batch import Batch, Loss, ModelState
from sluice.sequence.errors import SequenceError
from sluice.sequence.models.base import SequenceModel, StepLosses
from sluice.sequence.models.cross_entropy import (
    calls_only,
    measure_tokens,
    sum_cross_entropy,
    sum_cross_entropy_of_logits,
)
from sluice.sequence.models.shape import ModelConfig, require_rates, require_sizes
from sluice.sequence.vocabulary import PADDING, START


@dataclass(frozen=True)
class PairModelConfig(ModelConfig):
    """What the configurations of all models of pairs have.

    Attributes:
        vocabulary_size: of the sources.
        target_vocabulary_size: of the targets.
        tied: whether the readout's weights are the target embedding's (Press & Wolf 2017).
        joint: whether sources and targets have one embedding, that of one vocabulary.
        label_smoothing: the share of a target that the training's loss spreads evenly over all
            tokens (Szegedy et al. 2016, section 7); validation has none.

    Raises:
        SequenceError: a size below one, a rate outside [0, 1), or `joint` with vocabularies of
            different sizes.
    """

    vocabulary_size: int
    target_vocabulary_size: int
    _: KW_ONLY
    tied: bool = False
    joint: bool = False
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        require_sizes(self, vocabulary_size=1, target_vocabulary_size=1, embedding_size=1)
        require_rates(self, "label_smoothing")
        if self.joint and self.vocabulary_size != self.target_vocabulary_size:
            raise SequenceError(
                "A joint embedding needs one vocabulary for sources and targets, got "
                f"{self.vocabulary_size} and {self.target_vocabulary_size} tokens."
            )


class EncoderOutput(NamedTuple):
    """What a decoder reads of the sources.

    Attributes:
        keys: what its queries are compared with (steps, batch, width).
        values: what its contexts are means of (steps, batch, width).
        lengths: steps of each source (batch,); None if no step is padding.
    """

    keys: Tensor
    values: Tensor
    lengths: Tensor | None

    def map(self, change: Callable[[Tensor, int], Tensor]) -> EncoderOutput:
        """`change` applied to each tensor and the dimension of its batch."""
        lengths = None if self.lengths is None else change(self.lengths, 0)
        return EncoderOutput(change(self.keys, 1), change(self.values, 1), lengths)


class DecodingState:
    """A decoder between two tokens, of all sequences of a batch; `PairModel.start_decoding` makes
    it.

    >>> from sluice.sequence.models import ConvSeq2Seq, ConvSeq2SeqConfig
    >>> model = ConvSeq2Seq(ConvSeq2SeqConfig(20, 30, embedding_size=8, hidden_size=8))
    >>> decoding = model.start_decoding(*model.encode(torch.ones(7, 5, dtype=torch.int64)))
    >>> logits, weights = decoding.step(torch.ones(5, dtype=torch.int64))
    >>> logits.shape, weights.shape     # batch, target vocabulary; batch, steps read
    (torch.Size([5, 30]), torch.Size([5, 7]))
    """

    def step(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (batch, target vocabulary) of what follows `tokens` (batch,), int64, and attention
        weights (batch, steps read)."""
        raise NotImplementedError

    def rearrange(self, rows: Tensor) -> None:
        """Go on, as sequence b, from where sequence `rows[b]` is: (batch,), int64. Both must have
        the same source."""
        raise NotImplementedError


class _StepwiseDecoding(DecodingState):
    """Calls `PairModel.step` for each token."""

    def __init__(self, model: PairModel, memory: EncoderOutput, state: ModelState) -> None:
        self._model, self._memory, self._state = model, memory, state

    def step(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """As `DecodingState.step`."""
        logits, weights, self._state = self._model.step(tokens[None], self._memory, self._state)
        return logits[0], weights[0]

    def rearrange(self, rows: Tensor) -> None:
        """As `DecodingState.rearrange`."""
        self._state = _select_rows(self._state, rows)


def _select_rows(state: ModelState, rows: Tensor) -> ModelState:
    if isinstance(state, Tensor):
        return state[:, rows]
    return None if state is None else tuple(_select_rows(part, rows) for part in state)


class PairModel(SequenceModel):
    """Base class of models that map a sequence of tokens to another.

    `sluice.sequence.models.decode` generates with them.
    """

    config_type: ClassVar[type[PairModelConfig]]
    config: PairModelConfig

    def _build_embeddings(self, config: PairModelConfig, size: int) -> None:
        """Build the embeddings of this size, but for that of sources if it is there."""
        self.config = config
        if not hasattr(self, "embedding"):
            self.embedding = _make_embedding(config.vocabulary_size, size)
        if not config.joint:
            self.target_embedding = _make_embedding(config.target_vocabulary_size, size)

    def _build_readout(self, features: int) -> None:
        """Build what maps so many features to logits, after the embeddings."""
        self.readout = nn.Linear(features, self.config.target_vocabulary_size)
        if self.config.tied:
            # One parameter under one name, so that a checkpoint holds it once.
            self.readout.register_parameter("weight", None)
            nn.init.normal_(self._target_table.weight, std=features**-0.5)

    @property
    def _target_table(self) -> nn.Embedding:
        return cast(nn.Embedding, self.embedding if self.config.joint else self.target_embedding)

    def embed_targets(self, tokens: Tensor) -> Tensor:
        """Embeddings of target tokens (time, batch) without positions or dropout."""
        embedded: Tensor = self._target_table(tokens)
        return embedded

    def encode(
        self, sources: Tensor, lengths: Tensor | None = None
    ) -> tuple[EncoderOutput, ModelState]:
        """What the decoder reads of the sources, and its initial state.

        Args:
            sources: ids (time, batch), int64.
            lengths: steps of each source (batch,).
        """
        raise NotImplementedError

    def decode_steps(
        self, tokens: Tensor, memory: EncoderOutput, state: ModelState
    ) -> tuple[Tensor, Tensor, ModelState]:
        """What the readout takes after each of `tokens` (time, batch), attention weights
        (time, batch, steps read), and the decoder's state after the last."""
        raise NotImplementedError

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
        return self._read_out(seen), weights

    def step(
        self, tokens: Tensor, memory: EncoderOutput, state: ModelState
    ) -> tuple[Tensor, Tensor, ModelState]:
        """Logits and attention weights after `tokens` (time, batch), and the decoder's state."""
        seen, weights, state = self.decode_steps(tokens, memory, state)
        return self._read_out(seen), weights, state

    def start_decoding(self, memory: EncoderOutput, state: ModelState) -> DecodingState:
        """The decoder before its first token, for one token of each sequence at a time, with the
        weights as they are now; the arguments are what `encode` gave."""
        return _StepwiseDecoding(self, memory, state)

    def _read(
        self, sources: Tensor, targets: Tensor, lengths: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """What the readout takes for each target, and attention weights."""
        memory, state = self.encode(sources, lengths)
        before = torch.cat((torch.full_like(targets[:1], START), targets[:-1]))
        seen, weights, _ = self.decode_steps(before, memory, state)
        return seen, weights

    def _read_out(self, seen: Tensor) -> Tensor:
        if self.config.tied:
            return functional.linear(seen, *self._readout_parameters())
        logits: Tensor = self.readout(seen)
        return logits

    def _readout_parameters(self) -> tuple[Tensor, Tensor]:
        of = self._target_table if self.config.tied else self.readout
        return of.weight, self.readout.bias

    @property
    def loss_unit(self) -> str:
        """The unit of the loss per item."""
        return "nats per token"

    def step_losses(self, batch: Batch, state: ModelState = None) -> StepLosses:
        """The logits with teacher forcing, and the cross-entropy in nats of each target but
        padding, without label smoothing; `batch` is as for `loss`."""
        logits, _ = self(batch.inputs, batch.targets, batch.lengths)
        return measure_tokens(logits, batch.targets, None)

    def loss(self, batch: Batch, state: ModelState = None) -> tuple[Loss, ModelState]:
        """Cross-entropy in nats with teacher forcing, summed over the targets except padding.

        In training mode targets are smoothed as the configuration says. The batch's `inputs` are
        the sources, with their `lengths`, and its `targets` (target time, batch) those of
        `forward`. There is no state to carry over.
        """
        targets = batch.targets
        smoothing = self.config.label_smoothing if self.training else 0.0
        own = type(self).forward is PairModel.forward
        if own and calls_only(self, PairModel) and calls_only(self.readout, nn.Linear):
            seen, _ = self._read(batch.inputs, targets, batch.lengths)
            total = sum_cross_entropy(
                seen, *self._readout_parameters(), targets, PADDING, smoothing
            )
        else:  # what was added to a call may change the logits
            logits, _ = self(batch.inputs, targets, batch.lengths)
            total = sum_cross_entropy_of_logits(logits, targets, PADDING, smoothing)
        return Loss(total, int((targets != PADDING).sum())), None


def _make_embedding(tokens: int, size: int) -> nn.Embedding:
    return nn.Embedding(tokens, size, padding_idx=PADDING)


def mask_steps(x: Tensor, lengths: Tensor | None) -> Tensor:
    """x (steps, batch, features) with zeros after the end of each sequence, even for NaN."""
    if lengths is None:
        return x
    beyond = torch.arange(len(x), device=x.device)[:, None] >= lengths
    return x.masked_fill(beyond[..., None], 0)
