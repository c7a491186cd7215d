"""Classifiers of sequences, and taggers of their steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from sluice.sequence.batch import Batch, ModelState
from sluice.sequence.data.targets import IGNORE_INDEX
from sluice.sequence.errors import SequenceError
from sluice.sequence.models.base import (
    SequenceModel,
    StepLosses,
    evaluation_mode,
    find_state_width,
    select_final_states,
)
from sluice.sequence.models.cross_entropy import step_cross_entropy
from sluice.sequence.models.shape import SequenceModelConfig, require_sizes


@dataclass(frozen=True)
class _ClassCount:
    classes: int


@dataclass(frozen=True, kw_only=True)
class LabelsConfig(SequenceModelConfig, _ClassCount):
    """The configuration of a `Classifier` or `Tagger`; otherwise as `SequenceModelConfig`.

    Attributes:
        classes: the number of labels.
        vocabulary_size: for token inputs, else 0.
        features: columns of value inputs, else 0.

    Raises:
        SequenceError: as `SequenceModelConfig`; both or none of `vocabulary_size` and `features`.
    """

    vocabulary_size: int = 0
    features: int = 0
    bidirectional: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require_sizes(self, classes=2, vocabulary_size=0, features=0)
        if (self.vocabulary_size > 0) == (self.features > 0):
            raise SequenceError(
                "Exactly one of vocabulary_size (for tokens) and features (for values) must be "
                f"given, got {self.vocabulary_size} and {self.features}."
            )
        if self.vocabulary_size:
            require_sizes(self, embedding_size=1)


class _LabelModel(SequenceModel):
    """What `Classifier` and `Tagger` share."""

    config_type: ClassVar[type[LabelsConfig]] = LabelsConfig
    config: LabelsConfig

    def __init__(self, config: LabelsConfig) -> None:
        super().__init__()
        self._build(config, tokens=config.vocabulary_size, features=config.features)
        self.readout = nn.Linear(self._count_features(), config.classes)

    def _count_features(self) -> int:
        """How wide what the readout reads is."""
        return self.layers.output_features

    def _find_truth(self, targets: Tensor) -> Tensor:
        """The index of the logit of each target, -1 where there is no label."""
        raise NotImplementedError

    @property
    def loss_unit(self) -> str:
        """The unit of the loss per item."""
        return "nats per label"

    def step_losses(self, batch: Batch, state: ModelState = None) -> StepLosses:
        """The logits, and the cross-entropy in nats of each step or sequence that has a label."""
        logits, state = self(batch.inputs, state, batch.lengths, batch.resets)
        truth = self._find_truth(batch.targets)
        losses = step_cross_entropy(logits, truth)
        return StepLosses(logits, losses, (truth >= 0).long(), truth, state)


class Classifier(_LabelModel):
    """One label for a whole sequence, from the final state of each direction.

    >>> import torch
    >>> model = Classifier(LabelsConfig(classes=4, features=3, hidden_size=8))
    >>> logits, _ = model(torch.zeros(20, 5, 3), lengths=torch.tensor([20, 9, 9, 3, 1]))
    >>> logits.shape                                            # batch, classes
    torch.Size([5, 4])
    """

    def _count_features(self) -> int:
        return find_state_width(self.layers) * self.layers.directions

    def forward(
        self,
        inputs: Tensor,
        state: ModelState = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, ModelState]:
        """Logits (batch, classes), and the state.

        Args:
            inputs: ids (time, batch), int64, or values (time, batch, features), float32; NaN
                (missing) is read as 0.
            state: what an earlier call returned; None for the initial state.
            lengths, resets: as in `Batch`.
        """
        _, state = self._run(zero_missing(inputs), state, lengths, resets)
        ends = select_final_states(state, self.layers.directions)
        return self.readout(self.dropout(ends)), self._select_state(state)

    def _find_truth(self, targets: Tensor) -> Tensor:
        return targets.masked_fill(targets == IGNORE_INDEX, -1)

    def predict(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The most likely class of each sequence, (batch,), int64, from 0."""
        return _predict_classes(self, inputs, lengths)


class Tagger(_LabelModel):
    """A label for each step.

    Labels are numbered from 1, as in `Batch`; 0 is padding and has no logit.

    >>> import torch
    >>> model = Tagger(LabelsConfig(classes=4, vocabulary_size=30, hidden_size=8))
    >>> logits, _ = model(torch.ones(20, 5, dtype=torch.int64))
    >>> logits.shape                                            # time, batch, classes
    torch.Size([20, 5, 4])
    """

    def forward(
        self,
        inputs: Tensor,
        state: ModelState = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, ModelState]:
        """Logits (time, batch, classes), starting with label 1, and the state; as `Classifier`."""
        hidden, state = self._run(zero_missing(inputs), state, lengths, resets)
        return self.readout(self.dropout(hidden)), self._select_state(state)

    def _find_truth(self, targets: Tensor) -> Tensor:
        return targets - 1

    def predict(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The most likely label of each step, (time, batch), int64, from 1; 0 for padding."""
        labels = _predict_classes(self, inputs, lengths) + 1
        if lengths is None:
            return labels
        beyond = torch.arange(len(labels), device=labels.device)[:, None] >= lengths
        return labels.masked_fill(beyond, 0)


def zero_missing(inputs: Tensor) -> Tensor:
    """Ids unchanged; values with 0 for missing ones."""
    return inputs.nan_to_num() if inputs.is_floating_point() else inputs


def _predict_classes(model: _LabelModel, inputs: Tensor, lengths: Tensor | None) -> Tensor:
    with evaluation_mode(model):
        logits, _ = model(inputs, lengths=lengths)
    found: Tensor = logits.argmax(dim=-1)
    return found
