"""One process or many (torchrun): what they must agree on."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from sluice.sequence.batch import Batch
from sluice.sequence.training.slicing import slice_sequences


class ProcessGroup:
    """The processes that train one model together; one alone is a group too."""

    def __init__(self) -> None:
        joined = distributed.is_available() and distributed.is_initialized()
        self.rank = distributed.get_rank() if joined else 0
        self.world_size = distributed.get_world_size() if joined else 1

    def shard(self, batch: Batch) -> Batch:
        """This process's sequences of a batch: neighbours, as many as the others' or one less.

        A process without any gets the first one, which `counts` says to leave out of the loss.
        """
        if self.world_size == 1:
            return batch
        first, last = self._shard_bounds(batch)
        return slice_sequences(batch, first, last) if first < last else slice_sequences(batch, 0, 1)

    def has_shard(self, batch: Batch) -> bool:
        """Whether this process has a share of a batch."""
        first, last = self._shard_bounds(batch)
        return first < last

    def _shard_bounds(self, batch: Batch) -> tuple[int, int]:
        width = batch.inputs.shape[1]
        return width * self.rank // self.world_size, width * (self.rank + 1) // self.world_size

    def all_reduce_sum(self, *values: float) -> list[float]:
        """Each value summed over all processes, in float64."""
        if self.world_size == 1:
            return list(values)
        together = torch.tensor(values, dtype=torch.float64, device=_device())
        distributed.all_reduce(together)
        return together.tolist()

    def all_gather(self, value: Any) -> list[Any]:
        """Every process's value, in the order of ranks."""
        if self.world_size == 1:
            return [value]
        found: list[Any] = [None] * self.world_size
        distributed.all_gather_object(found, value)
        return found

    def broadcast(self, value: Any) -> Any:
        """What rank 0 gave."""
        if self.world_size == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box, src=0)
        return box[0]

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model whose gradients are averaged over the processes on the way back."""
        return model if self.world_size == 1 else DistributedDataParallel(model)

    def no_sync(self, wrapped: nn.Module) -> AbstractContextManager[Any]:
        """Gradients stay in this process inside the ``with`` block."""
        if isinstance(wrapped, DistributedDataParallel):
            return wrapped.no_sync()
        return nullcontext()


def is_torchrun_worker() -> bool:
    """Whether torchrun, or something that sets what it sets, has started this process."""
    return distributed.is_available() and int(os.environ.get("WORLD_SIZE", "1")) > 1


def count_restarts() -> int:
    """How often torchrun has started this process anew because one of them had died."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


@contextmanager
def join_process_group() -> Iterator[None]:
    """Join the processes that torchrun has started, if it has, inside the ``with`` block.

    The block's end is then the process's: no interpreter is taken down, as gloo's threads may
    still hold tensors, and abort (pytorch/pytorch#179291). An error goes its usual way.
    """
    if not is_torchrun_worker():
        yield
        return
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    store, rank, size = next(rendezvous("env://"))
    # The store outlives a restart: without a prefix, the addresses of the dead may be read.
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo",
        store=PrefixStore(f"start {count_restarts()}", store),
        rank=rank,
        world_size=size,
    )
    yield
    distributed.barrier()
    distributed.destroy_process_group()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _device() -> str:
    return "cuda" if distributed.get_backend() == "nccl" else "cpu"
