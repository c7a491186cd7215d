"""One update of the weights: losses, gradients, the optimizer's step, the average."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.utils._pytree import tree_map_only

from sluice.sequence.batch import Learner
from sluice.sequence.training import faults
from sluice.sequence.training.average import Average
from sluice.sequence.training.evaluate import device_of
from sluice.sequence.training.pieces import Memory, Piece, Window
from sluice.sequence.training.plan import Plan
from sluice.sequence.training.processes import Group


class NotFinite(Exception):
    """A loss or gradient that is NaN or infinite; the weights are those before the update."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(what, where)
        self.what, self.where = what, where


class Updated(NamedTuple):
    """The loss summed over all processes' items, their number, the gradients' norm, the time."""

    total: float
    items: int
    norm: float
    seconds: float


class LossOf(nn.Module):
    """A window's loss as a module's forward pass, which is what several processes can share."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, window: Window) -> tuple[Tensor, int, Any]:
        learner, state = cast(Learner, self.model), window.state
        if window.before is not None:
            with torch.no_grad():
                _, state = learner.loss(window.before, state)
        for batch in window.head:
            _, state = learner.loss(batch, state)
        (total, items), state = learner.loss(window.batch, state)
        return total, items, state


class Updates:
    """A model, and all that moves its weights."""

    def __init__(self, model: nn.Module, plan: Plan, group: Group) -> None:
        self.model, self.plan, self.group = model, plan, group
        self.device = device_of(model)
        self.loss_of = group.wrap(LossOf(model))
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = plan.make_optimizer(self.parameters)
        self.memory = Memory((plan.reaches_back or 0) - (plan.updates_every or 0))
        self.average = None if plan.average is None else Average(model, plan.average)

    def update(
        self, pieces: Sequence[Piece], learning_rate: float, clock: Callable[[], float]
    ) -> Updated:
        """Move the weights by the mean gradient over all items of `pieces`, of all processes.

        Raises:
            NotFinite: the loss or a gradient is NaN or infinite.
        """
        self.optimizer.zero_grad()
        total, items, began = 0.0, 0, "in another process"
        for number, piece in enumerate(pieces, 1):
            window, randomness = self._window(piece), torch.get_rng_state()
            # Gradients of all but the last wait for its round among the processes.
            with nullcontext() if number == len(pieces) else self.group.alone(self.loss_of):
                loss, count, state = self.loss_of(window)
                (loss if piece.counts else 0 * loss).backward()
            self.memory.keep(window.batch, state)
            if piece.counts:
                total, items = total + loss.item(), items + count
            if not math.isfinite(total):
                began = self._where(window, randomness)
                break
        first = self.group.rank == 0
        total, all_items, seconds = self.group.sum(total, items, clock() if first else 0.0)
        if not math.isfinite(total):
            raise NotFinite(f"loss became {total}", began)
        norm = self._scale(self.group.size / max(all_items, 1))
        for settings in self.optimizer.param_groups:
            settings["lr"] = learning_rate
        self.optimizer.step()
        if self.average is not None:
            self.average.update()
        return Updated(total, int(all_items), norm, seconds)

    def _window(self, piece: Piece) -> Window:
        return self.memory.window(piece._replace(batch=piece.batch.to(self.device)))

    def _where(self, window: Window, randomness: Tensor) -> str:
        run = LossOf(self.model)
        return faults.where_it_began(self.model, lambda: run(window), randomness)

    def _scale(self, by: float) -> float:
        """Scale the gradients, and clip them; gives their norm between the two."""
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        norm = float(get_total_norm(gradients)) * by
        if not math.isfinite(norm):
            raise NotFinite(f"gradients' norm became {norm}", faults.in_gradients(self.model))
        clip = self.plan.clip
        torch._foreach_mul_(gradients, by if clip is None else by * min(1.0, clip / (norm + 1e-6)))
        return norm

    def as_plain(self) -> dict[str, Any]:
        """What all processes have in common."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": None if self.average is None else self.average.as_plain(),
        }

    def own(self) -> dict[str, Any]:
        """What this process has for itself: its random states, and the state it carries."""
        cuda = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
        return {"cpu": torch.get_rng_state(), "cuda": cuda, "memory": self.memory.as_plain()}

    def restore(self, shared: dict[str, Any], own: dict[str, Any] | None) -> None:
        """Take back both; `own` is None in a process that there was none of."""
        self.model.load_state_dict(shared["model"])
        self.optimizer.load_state_dict(shared["optimizer"])
        if self.average is not None:
            self.average.restore(shared["average"])
        if own is None:
            return
        torch.set_rng_state(own["cpu"])
        if own["cuda"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(own["cuda"], self.device)
        self.memory.restore(tree_map_only(Tensor, lambda t: t.to(self.device), own["memory"]))
