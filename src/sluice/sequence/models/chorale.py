"""`ChoraleModel`: the keys of the next step of a piano roll."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from sluice.sequence.batch import Batch, ModelState
from sluice.sequence.models.base import SequenceModel, StepLosses
from sluice.sequence.models.next_step import NextStepConfig


@dataclass(frozen=True, kw_only=True)
class ChoraleConfig(NextStepConfig):
    """The configuration of a `ChoraleModel`: `features` is the number of keys.

    Otherwise as `SequenceModelConfig`.

    Raises:
        SequenceError: as `SequenceModelConfig`; bidirectional layers.
    """


class ChoraleModel(SequenceModel):
    """The keys of the next step of a piano roll, each an independent probability.

    The loss is that of Boulanger-Lewandowski, Bengio & Vincent 2012: the cross-entropy summed over
    all keys, in nats per step.

    >>> model = ChoraleModel(ChoraleConfig(features=88, hidden_size=8))
    >>> logits, state = model(torch.zeros(20, 5, 88))
    >>> logits.shape                                            # time, batch, keys
    torch.Size([20, 5, 88])
    """

    config_type = ChoraleConfig
    config: ChoraleConfig

    def __init__(self, config: ChoraleConfig) -> None:
        super().__init__()
        self._build(config, features=config.features)
        self.readout = nn.Linear(self.layers.output_features, config.features)

    @torch.no_grad()
    def fit_frequencies(self, keys: Tensor) -> None:
        """Begin from how often each key sounds: the readout's biases become its log-odds.

        Args:
            keys: steps of training data (steps, keys), 1 for a key that sounds, else 0; NaN for
                what is unknown.

        >>> model = ChoraleModel(ChoraleConfig(features=3, hidden_size=8))
        >>> model.fit_frequencies(torch.tensor([[1.0, 0, 1], [1, 0, 0], [1, 0, 1]]))
        >>> model.readout.bias.detach().sigmoid()   # as if half a key had sounded in a step more
        tensor([0.8750, 0.1250, 0.6250])
        """
        known = (~keys.isnan()).sum(dim=0)
        frequencies = (keys.nansum(dim=0) + 0.5) / (known + 1)
        self.readout.bias.copy_(frequencies.logit())

    def forward(
        self,
        keys: Tensor,
        state: ModelState = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, ModelState]:
        """Logits (time, batch, keys) of the next step, and the state to continue from.

        Args:
            keys: (time, batch, keys), float32, 1 for a key that sounds, else 0.
            state: what an earlier call returned; None for the initial state.
            lengths, resets: as in `Batch`.
        """
        hidden, state = self._run(keys, state, lengths, resets)
        return self.readout(self.dropout(hidden)), state

    @property
    def loss_unit(self) -> str:
        """The unit of the loss per item."""
        return "nats per step"

    def step_losses(self, batch: Batch, state: ModelState = None) -> StepLosses:
        """The logits, and nats of each step whose targets are not NaN; an item is a step."""
        logits, state = self(batch.inputs, state, batch.lengths, batch.resets)
        known = ~batch.targets.isnan().any(dim=-1)
        nats = functional.binary_cross_entropy_with_logits(
            logits, batch.targets.nan_to_num(), reduction="none"
        )
        losses = torch.where(known, nats.sum(dim=-1), 0)
        return StepLosses(logits, losses, known.long(), None, state)
