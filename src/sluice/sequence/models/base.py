"""What all models are made of: an embedding, recurrent layers, dropout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from sluice.nn.stack import RecurrentStack
from sluice.run.dispatch import NATIVE
from sluice.sequence.batch import Batch, Loss
from sluice.sequence.models.shape import SequenceModelConfig, build_layers
from sluice.sequence.vocabulary import PADDING


class SequenceModel(nn.Module):
    """The base of the models: `config`, `embedding`, `layers`, `dropout`, and a `loss`."""

    #: The class of `config`, so that a file can make the model again.
    config_type: ClassVar[type[SequenceModelConfig]]

    config: Any
    embedding: nn.Module
    layers: RecurrentStack

    def _build(self, config: SequenceModelConfig, *, tokens: int = 0, features: int = 0) -> None:
        """Set up all but the readout, for ids below `tokens` or for values of so many `features`.

        Dropout that is 0 is left out.
        """
        self.config = config
        width = config.embedding_size
        if tokens:
            self.embedding = nn.Embedding(tokens, width, padding_idx=PADDING)
        else:
            self.embedding = nn.Linear(features, width) if width else nn.Identity()
        self.embedding_dropout = _dropout(config.embedding_dropout)
        self.layers = build_layers(config, width or features)
        output = config.dropout if config.output_dropout is None else config.output_dropout
        self.dropout = _dropout(output)

    def _run(
        self,
        inputs: Tensor,
        state: Any = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, Any]:
        """The layers' output (time, batch, width) and their last state."""
        embedded = self.embedding_dropout(self.embedding(inputs))
        return run_layers(self.layers, embedded, state, lengths, resets)

    def loss(self, batch: Batch, state: Any = None) -> tuple[Loss, Any]:
        """What to learn from a batch: a summed loss and how many items it sums over.

        Args:
            batch: on the device of the weights.
            state: what the last call returned, for sources that carry; None starts afresh.

        Returns:
            The loss, and the state to go on from (None for a model that has none).
        """
        raise NotImplementedError

    def _select_state(self, state: Any) -> Any:
        """`state`, but None where layers read from both ends, and so cannot be gone on with."""
        return None if self.layers.bidirectional else state


def run_layers(
    layers: RecurrentStack,
    x: Tensor,
    state: Any = None,
    lengths: Tensor | None = None,
    resets: Tensor | None = None,
) -> tuple[Tensor, Any]:
    """`layers` over x (time, batch, input), with the lengths told in the way that is quickest.

    Torch's own layers, where there are no kernels, take lengths only as a packed sequence.
    """
    told = lengths is not None and resets is None and not x.is_meta
    if told and layers.resolved_backend.name == NATIVE and int(lengths.min()) > 0:  # type: ignore[union-attr]
        packed = pack_padded_sequence(x, lengths.cpu(), enforce_sorted=False)  # type: ignore[union-attr]
        output, state = layers(packed, state)
        return pad_packed_sequence(output, total_length=len(x))[0], state
    y, state = layers(x, state, lengths=lengths, resets=resets)
    return y, state


def _dropout(rate: float) -> nn.Module:
    return nn.Dropout(rate) if rate else nn.Identity()


def select_final_states(state: Any, directions: int) -> Tensor:
    """What the last layer ended with (batch, directions × width): each direction's last step."""
    first = state if isinstance(state, Tensor) else state[0]
    return torch.cat(tuple(first[-directions:]), dim=-1)


def select_valid_steps(steps: Tensor, lengths: Tensor | None) -> Tensor:
    """The rows of steps (time, batch, ...) that lie within the lengths: (rows, ...)."""
    if lengths is None:
        return steps.flatten(0, 1)
    return steps[torch.arange(len(steps), device=steps.device)[:, None] < lengths]


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """In evaluation mode and without gradients inside a ``with`` block."""
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(was_training)
