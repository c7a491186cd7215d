"""Models that put a label on a sequence, or on each of its steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from sluice.sequence.batch import Batch, Loss
from sluice.sequence.data.targets import IGNORE_INDEX
from sluice.sequence.errors import SequenceError
from sluice.sequence.models.base import SequenceModel, evaluation_mode, select_final_states
from sluice.sequence.models.shape import SequenceModelConfig, require_sizes


@dataclass(frozen=True)
class _ClassCount:
    classes: int


@dataclass(frozen=True, kw_only=True)
class LabelsConfig(SequenceModelConfig, _ClassCount):
    """The shape of a `Classifier` or `Tagger`; all else is as in `Shape`.

    Attributes:
        classes: how many labels there are.
        vocabulary_size: for tokens, how many there are; 0 for values.
        features: for values, how many a step has; 0 for tokens.

    Raises:
        SequenceError: as `Shape`; both or none of `vocabulary_size` and `features`.
    """

    vocabulary_size: int = 0
    features: int = 0
    bidirectional: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require_sizes(self, classes=2, vocabulary_size=0, features=0)
        if (self.vocabulary_size > 0) == (self.features > 0):
            raise SequenceError(
                "Give vocabulary_size for tokens or features for values, one of the two, but "
                f"{self.vocabulary_size} and {self.features} came."
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
        self.readout = nn.Linear(config.width, config.classes)


class Classifier(_LabelModel):
    """One label for a whole sequence, read from the last step of each direction.

    >>> import torch
    >>> model = Classifier(LabelsConfig(classes=4, features=3, hidden_size=8))
    >>> logits, _ = model(torch.zeros(20, 5, 3), lengths=torch.tensor([20, 9, 9, 3, 1]))
    >>> logits.shape                                            # batch, classes
    torch.Size([5, 4])
    """

    def forward(
        self,
        inputs: Tensor,
        state: Any = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, Any]:
        """Logits (batch, classes), and the state.

        Args:
            inputs: ids (time, batch), int64, or values (time, batch, features), float32; NaN
                (missing) is read as 0.
            state: what an earlier call returned; none starts afresh.
            lengths, resets: as in `Batch`.
        """
        _, state = self._run(zero_missing(inputs), state, lengths, resets)
        ends = select_final_states(state, self.layers.directions)
        return self.readout(self.dropout(ends)), self._select_state(state)

    def loss(self, batch: Batch, state: Any = None) -> tuple[Loss, Any]:
        """Cross-entropy in nats, summed over the sequences whose class is not `IGNORE_INDEX`."""
        logits, state = self(batch.inputs, state, batch.lengths, batch.resets)
        total = functional.cross_entropy(
            logits, batch.targets, ignore_index=IGNORE_INDEX, reduction="sum"
        )
        return Loss(total, int((batch.targets != IGNORE_INDEX).sum())), state

    def predict(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The likeliest class of each sequence, (batch,), int64, from 0."""
        return _predict_classes(self, inputs, lengths)


class Tagger(_LabelModel):
    """A label for each step.

    Labels are numbered from 1, as `Batch` has them: 0 is padding, and no logit stands for it.

    >>> import torch
    >>> model = Tagger(LabelsConfig(classes=4, vocabulary_size=30, hidden_size=8))
    >>> logits, _ = model(torch.ones(20, 5, dtype=torch.int64))
    >>> logits.shape                                            # time, batch, classes
    torch.Size([20, 5, 4])
    """

    def forward(
        self,
        inputs: Tensor,
        state: Any = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, Any]:
        """Logits (time, batch, classes), those of label 1 first, and the state; as `Classifier`."""
        hidden, state = self._run(zero_missing(inputs), state, lengths, resets)
        return self.readout(self.dropout(hidden)), self._select_state(state)

    def loss(self, batch: Batch, state: Any = None) -> tuple[Loss, Any]:
        """Cross-entropy in nats, summed over the steps that have a label."""
        logits, state = self(batch.inputs, state, batch.lengths, batch.resets)
        targets = batch.targets.flatten() - 1
        total = functional.cross_entropy(
            logits.flatten(0, 1), targets, ignore_index=-1, reduction="sum"
        )
        return Loss(total, int((targets >= 0).sum())), state

    def predict(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The likeliest label of each step, (time, batch), int64, from 1; 0 beyond the lengths."""
        labels = _predict_classes(self, inputs, lengths) + 1
        if lengths is None:
            return labels
        beyond = torch.arange(len(labels), device=labels.device)[:, None] >= lengths
        return labels.masked_fill(beyond, 0)


def zero_missing(inputs: Tensor) -> Tensor:
    """Ids as they are; of values, 0 where one is missing."""
    return inputs.nan_to_num() if inputs.is_floating_point() else inputs


def _predict_classes(model: _LabelModel, inputs: Tensor, lengths: Tensor | None) -> Tensor:
    with evaluation_mode(model):
        logits, _ = model(inputs, lengths=lengths)
    found: Tensor = logits.argmax(dim=-1)
    return found
