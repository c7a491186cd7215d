"""A language model: the probability of the next token, given those before."""

from __future__ import annotations

from dataclasses import dataclass

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
from sluice.sequence.models.shape import SequenceModelConfig, require_sizes
from sluice.sequence.vocabulary import PADDING


@dataclass(frozen=True)
class _VocabularySize:
    vocabulary_size: int


@dataclass(frozen=True)
class LanguageModelConfig(SequenceModelConfig, _VocabularySize):
    """The configuration of a `LanguageModel`, saved with its weights.

    Everything but `vocabulary_size` and `tied` is as in `SequenceModelConfig`. `tied` uses the
    embedding's weights for the readout (Press & Wolf 2017); `embedding_size` must then be the
    width of the layers' output.

    Raises:
        SequenceError: as `SequenceModelConfig`; bidirectional layers, which would see the next
            token.
    """

    tied: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_sizes(self, vocabulary_size=1, embedding_size=1)
        if self.bidirectional:
            raise SequenceError(
                "A language model must not see the token that it predicts; leave bidirectional out."
            )
        if self.tied and self.embedding_size != self.width:
            raise SequenceError(
                "embedding_size must equal hidden_size for tied weights, got "
                f"{self.embedding_size} and {self.width}."
            )


class LanguageModel(SequenceModel):
    """Embedding, stacked recurrent layers, dropout, readout.

    >>> import torch
    >>> model = LanguageModel(LanguageModelConfig(vocabulary_size=40, hidden_size=16))
    >>> logits, state = model(torch.tensor([[1, 1], [5, 9]]))   # time, batch
    >>> logits.shape                                            # time, batch, vocabulary
    torch.Size([2, 2, 40])
    """

    config_type = LanguageModelConfig
    config: LanguageModelConfig
    embedding: nn.Embedding

    def __init__(self, config: LanguageModelConfig) -> None:
        super().__init__()
        self._build(config, tokens=config.vocabulary_size)
        self.readout = nn.Linear(self.layers.output_features, config.vocabulary_size)
        if config.tied:
            # One parameter under one name, so that a checkpoint holds it once.
            self.readout.register_parameter("weight", None)
            nn.init.normal_(self.embedding.weight, std=config.embedding_size**-0.5)

    def forward(
        self,
        tokens: Tensor,
        state: ModelState = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, ModelState]:
        """Logits for the token after each of `tokens`, and the state to continue from.

        Args:
            tokens: ids (time, batch), int64; padding at the ends does no harm, as later steps do
                not change earlier ones.
            state: what an earlier call returned; None for the initial state.
            lengths, resets: as in `Batch`.

        Returns:
            Logits (time, batch, vocabulary) in the dtype of the weights, and the state: `h`
            (layers, batch, hidden), or a tuple of the cell's states.
        """
        hidden, state = self._run(tokens, state, lengths, resets)
        return functional.linear(self.dropout(hidden), *self._readout_parameters()), state

    def _readout_parameters(self) -> tuple[Tensor, Tensor]:
        weight = self.embedding.weight if self.config.tied else self.readout.weight
        return weight, self.readout.bias

    @property
    def loss_unit(self) -> str:
        """The unit of the loss per item."""
        return "nats per token"

    def step_losses(self, batch: Batch, state: ModelState = None) -> StepLosses:
        """The logits, and the cross-entropy in nats of each target but padding."""
        logits, state = self(batch.inputs, state, batch.lengths, batch.resets)
        return measure_tokens(logits, batch.targets, state)

    def loss(self, batch: Batch, state: ModelState = None) -> tuple[Loss, ModelState]:
        """Cross-entropy in nats, summed over the targets except padding."""
        targets = batch.targets
        if calls_only(self, LanguageModel):
            hidden, state = self._run(batch.inputs, state, batch.lengths, batch.resets)
            readout = self._readout_parameters()
            total = sum_cross_entropy(self.dropout(hidden), *readout, targets, PADDING)
        else:  # what was added to a call may change the logits
            logits, state = self(batch.inputs, state, batch.lengths, batch.resets)
            total = sum_cross_entropy_of_logits(logits, targets, PADDING)
        return Loss(total, int((targets != PADDING).sum())), state
