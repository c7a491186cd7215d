"""One process or many (torchrun): what they must agree on."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from sluice.sequence.batch import Batch
from sluice.sequence.training.cutting import columns


class Group:
    """The processes that train one model together; one alone is a group too."""

    def __init__(self) -> None:
        joined = distributed.is_available() and distributed.is_initialized()
        self.rank = distributed.get_rank() if joined else 0
        self.size = distributed.get_world_size() if joined else 1

    def share(self, batch: Batch) -> Batch:
        """This process's sequences of a batch: neighbours, as many as the others' or one less.

        A process without any gets the first one, which `counts` says to leave out of the loss.
        """
        if self.size == 1:
            return batch
        first, last = self._bounds(batch)
        return columns(batch, first, last) if first < last else columns(batch, 0, 1)

    def counts(self, batch: Batch) -> bool:
        """Whether this process has a share of a batch."""
        first, last = self._bounds(batch)
        return first < last

    def _bounds(self, batch: Batch) -> tuple[int, int]:
        width = batch.inputs.shape[1]
        return width * self.rank // self.size, width * (self.rank + 1) // self.size

    def sum(self, *values: float) -> list[float]:
        """Each value summed over all processes, in float64."""
        if self.size == 1:
            return list(values)
        together = torch.tensor(values, dtype=torch.float64, device=_device())
        distributed.all_reduce(together)
        return together.tolist()

    def gather(self, value: Any) -> list[Any]:
        """Every process's value, in the order of ranks."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        distributed.all_gather_object(found, value)
        return found

    def from_first(self, value: Any) -> Any:
        """What rank 0 gave."""
        if self.size == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box, src=0)
        return box[0]

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model whose gradients are averaged over the processes on the way back."""
        return model if self.size == 1 else DistributedDataParallel(model)

    def alone(self, wrapped: nn.Module) -> AbstractContextManager[Any]:
        """Gradients stay in this process inside the ``with`` block."""
        if isinstance(wrapped, DistributedDataParallel):
            return wrapped.no_sync()
        return nullcontext()


def _device() -> str:
    return "cuda" if distributed.get_backend() == "nccl" else "cpu"
