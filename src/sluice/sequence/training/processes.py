"""One training in one process or several (torchrun)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import TypeVar

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from sluice.files import StrPath, require_writable
from sluice.folder_lock import FolderInUseError, lock_folder
from sluice.sequence.batch import Batch
from sluice.sequence.training.slicing import slice_sequences

T = TypeVar("T")


class ProcessGroup:
    """The processes that train one model together; also a single one."""

    def __init__(self) -> None:
        joined = distributed.is_available() and distributed.is_initialized()
        self.rank = distributed.get_rank() if joined else 0
        self.world_size = distributed.get_world_size() if joined else 1

    def shard(self, batch: Batch) -> Batch:
        """This process's sequences of a batch: adjacent, the same number or one less.

        A process without any gets the first sequence; `has_shard` is then false, and the loss
        leaves it out.
        """
        if self.world_size == 1:
            return batch
        first, last = self._shard_bounds(batch)
        return slice_sequences(batch, first, last) if first < last else slice_sequences(batch, 0, 1)

    def has_shard(self, batch: Batch) -> bool:
        """Whether this process has any sequence of a batch."""
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

    def all_gather(self, value: T) -> list[T]:
        """Every process's value, by rank."""
        if self.world_size == 1:
            return [value]
        found = [value] * self.world_size
        distributed.all_gather_object(found, value)
        return found

    def broadcast(self, value: T) -> T:
        """The value of rank 0."""
        if self.world_size == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box, src=0)
        return box[0]

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model with gradients averaged over the processes in the backward pass."""
        return model if self.world_size == 1 else DistributedDataParallel(model)

    def no_sync(self, wrapped: nn.Module) -> AbstractContextManager[None]:
        """Gradients are not averaged inside the ``with`` block."""
        if isinstance(wrapped, DistributedDataParallel):
            return wrapped.no_sync()
        return nullcontext()


@contextmanager
def own_folder(folder: StrPath | None, remedy: str = "choose another folder") -> Iterator[None]:
    """Rank 0 owns a folder for all inside the ``with`` block, or none of them goes on.

    Raises:
        FolderInUseError: another training works in it; `remedy` says what to do.
        OSError: it cannot be written to.
    """
    group = ProcessGroup()
    with ExitStack() as stack:
        error: Exception | None = None
        if folder is not None and group.rank == 0:
            try:
                require_writable(folder)
                stack.enter_context(lock_folder(folder, remedy=remedy))
            except (FolderInUseError, OSError) as caught:
                error = caught
        if (first := group.broadcast(error)) is not None:
            raise first
        yield


def is_torchrun_worker() -> bool:
    """Whether torchrun, or a launcher with its environment variables, started this process."""
    return distributed.is_available() and int(os.environ.get("WORLD_SIZE", "1")) > 1


def count_restarts() -> int:
    """How often torchrun has restarted the processes because one had died."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


@contextmanager
def join_process_group() -> Iterator[None]:
    """Join the processes that torchrun has started, if it has, inside the ``with`` block.

    The process then ends with the block, without shutting the interpreter down: gloo's threads
    may still hold tensors, and would abort (pytorch/pytorch#179291). Errors propagate as usual.
    """
    if not is_torchrun_worker():
        yield
        return
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    store, rank, size = next(rendezvous("env://"))
    # The store outlives a restart: without a prefix, addresses of dead processes may be read.
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
