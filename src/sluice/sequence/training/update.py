"""One update of the weights: losses, gradients, the optimizer's step, the average."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple, Protocol, TypedDict, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from sluice.errors import SluiceError
from sluice.insight.measures.norms import compute_total_norm
from sluice.run.torch_state import map_tensors, scale_tensors_
from sluice.sequence.batch import Batch, ModelState, TrainableModel
from sluice.sequence.training import diagnosis
from sluice.sequence.training.config import TrainingConfig
from sluice.sequence.training.ema import AverageState, ExponentialMovingAverage
from sluice.sequence.training.processes import ProcessGroup
from sluice.sequence.training.slicing import slice_steps
from sluice.sequence.training.sparse_embeddings import (
    find_embeddings,
    require_sparse_gradients,
    select_gradient_values,
    use_sparse_gradients,
)
from sluice.sequence.training.truncation import BpttHistory, BpttWindow, Chunk, HistoryState
from sluice.sequence.training.validation import device_of


class NonFiniteError(SluiceError):
    """A loss or gradient that is NaN or infinite; the weights are those before the update."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(what, where)
        self.what, self.where = what, where


class SharedState(TypedDict):
    """What all processes have in common, for a checkpoint."""

    model: dict[str, Tensor]
    optimizer: dict[str, Any]
    average: AverageState | None


class RankState(TypedDict):
    """What one process has for itself, for a checkpoint: random states and recurrent states."""

    cpu: Tensor
    cuda: Tensor | None
    history: HistoryState


class UpdateResult(NamedTuple):
    """The loss summed over all processes' items, their number, the gradients' norm, the time."""

    total: float
    items: int
    gradient_norm: float
    seconds: float


class ObserveFunction(Protocol):
    """Surrounds a forward and backward pass; `loss_scale` is asked what the loss was times."""

    def __call__(self, *, loss_scale: Callable[[], float]) -> AbstractContextManager[None]: ...


class WindowLoss(nn.Module):
    """A window's loss as a module's forward pass, which `DistributedDataParallel` needs."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, window: BpttWindow) -> tuple[Tensor, int, ModelState]:
        model, state = cast(TrainableModel, self.model), window.state
        if window.before is not None:
            with torch.no_grad():
                _, state = model.loss(window.before, state)
        for batch in window.overlap:
            _, state = model.loss(batch, state)
        (total, items), state = model.loss(window.batch, state)
        return total, items, state


class Updater:
    """A model, and everything that changes its weights."""

    def __init__(self, model: nn.Module, config: TrainingConfig, group: ProcessGroup) -> None:
        self.model, self.config, self.group = model, config, group
        self.device = device_of(model)
        self.embeddings = find_embeddings(model) if config.sparse_embeddings else {}
        with use_sparse_gradients(self.embeddings.values()):
            self.window_loss = group.wrap(WindowLoss(model))
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = config.build_optimizer(self.parameters)
        self.history = BpttHistory((config.bptt_length or 0) - (config.bptt_stride or 0))
        self.average = (
            None if config.ema_decay is None else ExponentialMovingAverage(model, config.ema_decay)
        )

    def update(
        self,
        chunks: Sequence[Chunk],
        learning_rate: float,
        clock: Callable[[], float],
        observe: ObserveFunction | None = None,
    ) -> UpdateResult:
        """Update the weights by the mean gradient over all items of `chunks`, of all processes.

        `observe` surrounds the passes of the last chunk.

        Raises:
            NonFiniteError: the loss or a gradient is NaN or infinite.
        """
        self.optimizer.zero_grad()
        total, items, began = 0.0, 0, "in another process"
        for number, chunk in enumerate(chunks, 1):
            window, randomness = self._build_window(chunk), torch.get_rng_state()
            # Gradients are averaged over the processes with the last chunk.
            with nullcontext() if number == len(chunks) else self.group.no_sync(self.window_loss):
                watched = observe if number == len(chunks) and chunk.is_counted else None
                loss, count, state = self._run_passes(chunk, window, watched)
            self.history.append(window.batch, state)
            if chunk.is_counted:
                total, items = total + loss.item(), items + count
            if not math.isfinite(total):
                began = self._diagnose(window, randomness)
                break
        first = self.group.rank == 0
        total, all_items, seconds = self.group.all_reduce_sum(
            total, items, clock() if first else 0.0
        )
        if not math.isfinite(total):
            raise NonFiniteError(f"loss became {total}", began)
        norm = self._scale_gradients(self.group.world_size / max(all_items, 1), window, randomness)
        for settings in self.optimizer.param_groups:
            settings["lr"] = learning_rate
        self.optimizer.step()
        if self.average is not None:
            self.average.update()
        return UpdateResult(total, int(all_items), norm, seconds)

    def _run_passes(
        self, chunk: Chunk, window: BpttWindow, observe: ObserveFunction | None
    ) -> tuple[Tensor, int, ModelState]:
        """The loss of a window, its items and the state behind it, after the backward pass."""
        items = 0

        def count_items() -> float:
            return float(max(items, 1))

        with nullcontext() if observe is None else observe(loss_scale=count_items):
            with use_sparse_gradients(self.embeddings.values()):
                loss, items, state = self.window_loss(window)
            (loss if chunk.is_counted else 0 * loss).backward()
        return loss, items, state

    def _build_window(self, chunk: Chunk) -> BpttWindow:
        return self.history.build_window(chunk._replace(batch=chunk.batch.to(self.device)))

    def _diagnose(self, window: BpttWindow, randomness: Tensor) -> str:
        run = WindowLoss(self.model)
        return diagnosis.describe_first_nonfinite(self.model, lambda: run(window), randomness)

    def _scale_gradients(self, factor: float, window: BpttWindow, randomness: Tensor) -> float:
        """Scale the gradients, then clip them; returns their norm before clipping.

        `window` is the last one, with torch's random state before it, for a diagnosis.
        """
        require_sparse_gradients(self.embeddings)
        found = map(select_gradient_values, self.parameters)
        gradients = [gradient for gradient in found if gradient is not None]
        norm = float(get_total_norm(gradients))
        if not 1e-12 < norm < 1e18:  # where the squares of float32 gradients may be 0 or infinite
            norm = compute_total_norm(gradients)
        norm *= factor
        if not math.isfinite(norm):
            raise NonFiniteError(
                f"gradients' norm became {norm}",
                diagnosis.describe_nonfinite_gradients(
                    self.model, lambda: WindowLoss(self.model)(window)[0], randomness
                ),
            )
        clip = self.config.max_grad_norm
        scale_tensors_(
            gradients, factor if clip is None else factor * min(1.0, clip / (norm + 1e-6))
        )
        return norm

    @torch.no_grad()
    def require_fitting_history(self, chunk: Chunk) -> None:
        """Run a chunk from the restored history, and compare its states with the model's own.

        Raises:
            ValueError: other shapes or types; a model may raise other errors.
        """
        randomness = torch.get_rng_state()
        window = self._build_window(chunk)
        model = cast(TrainableModel, self.model)
        for batch in (window.before, *window.overlap):
            if batch is not None:
                _require_alike(batch, window.batch)
        _, own = model.loss(slice_steps(window.batch, 0, 1), None)
        for state in (window.state, self.history.state):
            if _describe_tensors(state) != _describe_tensors(own):
                raise ValueError("the recurrent state has other shapes than the model's")
        WindowLoss(self.model)(window)
        torch.set_rng_state(randomness)

    def export_shared_state(self) -> SharedState:
        """What all processes have in common."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": None if self.average is None else self.average.export_state(),
        }

    def export_rank_state(self) -> RankState:
        """What this process has for itself: its random states, and the recurrent state."""
        cuda = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
        return {"cpu": torch.get_rng_state(), "cuda": cuda, "history": self.history.export_state()}

    def restore_state(self, shared: SharedState, rank_state: RankState | None) -> None:
        """Restore both; `rank_state` is None if another number of processes saved it."""
        self.model.load_state_dict(shared["model"])
        self.optimizer.load_state_dict(shared["optimizer"])
        for parameter, held in self.optimizer.state.items():
            for name, value in held.items():
                if isinstance(value, Tensor) and value.dim() and value.shape != parameter.shape:
                    raise ValueError(f"{name} of shape {tuple(value.shape)} is no parameter's")
        if self.average is not None and shared["average"] is not None:
            self.average.restore_state(shared["average"])
        if rank_state is None:
            return
        torch.set_rng_state(rank_state["cpu"])
        if rank_state["cuda"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(rank_state["cuda"], self.device)
        self.history.restore_state(map_tensors(lambda t: t.to(self.device), rank_state["history"]))


def _describe_tensors(state: object) -> object:
    """The shapes and types of nested tensors."""
    if isinstance(state, Tensor):
        return tuple(state.shape), state.dtype
    if isinstance(state, tuple | list):
        return [_describe_tensors(one) for one in state]
    return state if state is None else type(state)


def _require_alike(batch: Batch, other: Batch) -> None:
    for mine, own in ((batch.inputs, other.inputs), (batch.targets, other.targets)):
        if mine.shape[1:] != own.shape[1:] or mine.dtype != own.dtype:
            raise ValueError("earlier steps have another shape than the data")
