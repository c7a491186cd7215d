"""What passes between data, models and training: batches, losses, states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, TypeAlias

import torch
from torch import Tensor

ModelState: TypeAlias = "Tensor | tuple[ModelState, ...] | list[ModelState] | None"
"""A model's recurrent state: tensors (layers, batch, width) in tuples; None is the initial one."""


@dataclass(frozen=True)
class Batch:
    """Sequences of one batch with their targets.

    Attributes:
        inputs: token ids (time, batch), int64, or values (time, batch, features), float32 or, for
            forecasts, float64; padded at the ends.
        targets: the next tokens or labels (time, batch), int64; one label per sequence (batch,),
            int64; or values (time, batch, features), of the inputs' dtype. `PADDING` ids and NaN
            values are ignored.
        lengths: steps of each sequence (batch,), int64; None if no step is padding.
        resets: where a new sequence starts (time, batch), bool; None if nowhere.
    """

    inputs: Tensor
    targets: Tensor
    lengths: Tensor | None = None
    resets: Tensor | None = None

    def to(self, device: torch.device | str) -> Batch:
        """The batch on a device."""
        tensors = {name: value for name, value in vars(self).items() if value is not None}
        return replace(self, **{name: value.to(device) for name, value in tensors.items()})


class Loss(NamedTuple):
    """A loss summed over `items` (tokens, labels, values): a scalar tensor and their number."""

    total: Tensor
    items: int


class BatchSource(Protocol):
    """Batches of training or validation data; an epoch always gives the same ones.

    `len()` is the number of batches in an epoch. If `stateful` is true, sequence `b` of a batch
    continues in sequence `b` of the next, and the state is carried over (truncated BPTT).
    """

    @property
    def stateful(self) -> bool: ...

    def __len__(self) -> int: ...

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The batches of an epoch (counted from 0), from batch `first` on."""
        ...


class TrainableModel(Protocol):
    """What training needs of a model: a loss for a batch.

    `state` is what the last call returned, for stateful sources; models without a state return
    None.
    """

    def loss(self, batch: Batch, state: ModelState = None) -> tuple[Loss, ModelState]: ...
