"""What data hands to training, and what training asks of a model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Some sequences side by side, and what a model should make of them.

    Attributes:
        inputs: token ids (time, batch), int64, or values (time, batch, features), float32;
            padding stands at the ends.
        targets: the next tokens or labels (time, batch), int64; one label a sequence (batch,),
            int64; or values (time, batch, features), float32. `PADDING` ids and NaN values
            count for nothing.
        lengths: steps of each sequence (batch,), int64; every step counts if None.
        resets: where a new sequence starts (time, batch), bool; nowhere if None.
    """

    inputs: Tensor
    targets: Tensor
    lengths: Tensor | None = None
    resets: Tensor | None = None

    def to(self, device: torch.device | str) -> Batch:
        """The batch on a device."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        return replace(self, **{name: value.to(device) for name, value in given.items()})


class Loss(NamedTuple):
    """A loss summed over `items` (tokens, labels, values): a scalar tensor and their number."""

    total: Tensor
    items: int


class BatchSource(Protocol):
    """Batches of training or validation data, the same for the same epoch, whenever asked.

    `len()` is the number of batches in an epoch. Where `carries` is true, sequence `b` of a batch
    goes on in sequence `b` of the next, and the state is carried over (truncated BPTT).
    """

    @property
    def stateful(self) -> bool: ...

    def __len__(self) -> int: ...

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The batches of an epoch (from 0 on), from its batch `first` on."""
        ...


class TrainableModel(Protocol):
    """What a model must offer to be trained: a loss for a batch.

    `state` is what the last call returned, for sources that carry; models without such a state
    return None.
    """

    def loss(self, batch: Batch, state: Any = None) -> tuple[Loss, Any]: ...
