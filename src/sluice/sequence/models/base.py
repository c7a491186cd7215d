"""What all models share: an embedding, recurrent layers, dropout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from sluice.nn.stack import RecurrentStack
from sluice.run.dispatch import NATIVE
from sluice.sequence.batch import Batch, Loss, ModelState
from sluice.sequence.models.shape import ModelConfig, SequenceModelConfig, build_layers
from sluice.sequence.vocabulary import PADDING


class StepLosses(NamedTuple):
    """A model's outputs for a batch, and the loss of each of its steps.

    Attributes:
        outputs: what `forward` returns first.
        losses: (time, batch), or (batch,) with one label per sequence: summed over a step's items,
            0 for a step without any. Their sum is the total of `loss`.
        items: the number of each step's items, int64, of the same shape.
        truth: the index of the true output of each step, int64, -1 where there is none; None for
            models of values.
        state: to continue from; None for a model without one.
    """

    outputs: Tensor
    losses: Tensor
    items: Tensor
    truth: Tensor | None
    state: ModelState


class SequenceModel(nn.Module):
    """Base class of the models: `config`, `embedding`, `layers`, `dropout`, and a `loss`."""

    #: The class of `config`, to build the model from a file.
    config_type: ClassVar[type[ModelConfig]]

    config: ModelConfig
    embedding: nn.Module
    layers: RecurrentStack

    def _build(self, config: SequenceModelConfig, *, tokens: int = 0, features: int = 0) -> None:
        """Build all but the readout, for ids below `tokens` or for values of `features` columns.

        Dropout of rate 0 is left out.
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
        state: ModelState = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, ModelState]:
        """The layers' output (time, batch, width) and their final state."""
        embedded = self.embedding_dropout(self.embedding(inputs))
        return run_layers(self.layers, embedded, state, lengths, resets)

    @property
    def loss_unit(self) -> str:
        """The unit of the loss per item."""
        raise NotImplementedError

    def step_losses(self, batch: Batch, state: ModelState = None) -> StepLosses:
        """The outputs for a batch and the loss of each step, which `loss` sums.

        Args:
            batch, state: as for `loss`.
        """
        raise NotImplementedError

    def loss(self, batch: Batch, state: ModelState = None) -> tuple[Loss, ModelState]:
        """The loss of a batch, summed, and the number of items in the sum.

        Args:
            batch: on the device of the weights.
            state: what the last call returned, for stateful sources; None for the initial state.

        Returns:
            The loss, and the state to continue from (None for a model without one).
        """
        steps = self.step_losses(batch, state)
        return Loss(steps.losses.sum(), int(steps.items.sum())), steps.state

    def _select_state(self, state: ModelState) -> ModelState:
        """`state`, or None for bidirectional layers, which cannot continue from one."""
        return None if self.layers.bidirectional else state


def run_layers(
    layers: RecurrentStack,
    x: Tensor,
    state: ModelState = None,
    lengths: Tensor | None = None,
    resets: Tensor | None = None,
) -> tuple[Tensor, ModelState]:
    """Run `layers` over x (time, batch, input), with lengths in the fastest form.

    Torch's own layers, used if there are no kernels, take lengths only as a packed sequence.
    """
    packs = resets is None and not x.is_meta and layers.resolved_backend.name == NATIVE
    if packs and lengths is not None and int(lengths.min()) > 0:
        packed = pack_padded_sequence(x, lengths.cpu(), enforce_sorted=False)
        output, state = layers(packed, state)
        return pad_packed_sequence(output, total_length=len(x))[0], state
    y, state = layers(x, state, lengths=lengths, resets=resets)
    return y, state


def _dropout(rate: float) -> nn.Module:
    return nn.Dropout(rate) if rate else nn.Identity()


def select_final_states(state: ModelState, directions: int) -> Tensor:
    """The last layer's final h (batch, directions × width), of each direction."""
    first = state if isinstance(state, Tensor) else cast(tuple[Tensor, ...], state)[0]
    return torch.cat(tuple(first[-directions:]), dim=-1)


def find_state_width(layers: RecurrentStack) -> int:
    """That of the first state of the last layer."""
    return layers.sizes[-1].of(layers.cell.graph.states[0].width)


def select_valid_steps(steps: Tensor, lengths: Tensor | None) -> Tensor:
    """The rows of steps (time, batch, ...) within the lengths: (rows, ...)."""
    if lengths is None:
        return steps.flatten(0, 1)
    return steps[torch.arange(len(steps), device=steps.device)[:, None] < lengths]


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """The model is in evaluation mode, without gradients, inside the ``with`` block."""
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(was_training)
