"""Validation during training: the loss, and the best weights so far."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from safetensors.torch import save
from torch import Tensor, nn

from sluice.files import StrPath, write_atomically
from sluice.sequence.batch import BatchSource
from sluice.sequence.training.ema import ExponentialMovingAverage
from sluice.sequence.training.processes import ProcessGroup
from sluice.sequence.training.progress import TrainerState, preserve_rng
from sluice.sequence.training.schedules import Plateau, Schedule
from sluice.sequence.training.update import NonFiniteError
from sluice.sequence.training.validation import compute_loss

BEST = "best.safetensors"


class Validator:
    """Measures a model, or the average of its weights, and keeps the weights that were best.

    Args:
        model: what is trained.
        source: the validation data.
        group: the processes that share the work.
        average: the moving average of the weights, if there is one; it is measured and kept.
        on_best: called with each new lowest loss, while the model holds its weights.
    """

    def __init__(
        self,
        model: nn.Module,
        source: BatchSource,
        group: ProcessGroup,
        average: ExponentialMovingAverage | None,
        on_best: Callable[[float], None] | None,
    ) -> None:
        self.model, self.source, self.group = model, source, group
        self.average, self.on_best = average, on_best
        self.best_weights: dict[str, Tensor] = {}

    def validate(
        self,
        state: TrainerState,
        schedule: Schedule,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Measure the model, and note the result in `state`.

        Raises:
            NonFiniteError: the loss is NaN or infinite.
            EvaluationInterruptedError: `should_stop()` was true.
        """
        average = self.average
        with average.apply_average() if average is not None and average.count else nullcontext():
            loss = compute_loss(self.model, self.source, group=self.group, should_stop=should_stop)
            if not math.isfinite(loss):
                raise NonFiniteError(
                    f"validation loss became {loss}", "the weights have grown too far"
                )
            state.validation_loss, state.stale_validations = loss, state.stale_validations + 1
            if state.best_loss is None or loss < state.best_loss:
                state.best_loss, state.stale_validations = loss, 0
                self._keep_weights(loss)
        if isinstance(schedule, Plateau) and state.stale_validations:
            state.reductions += state.stale_validations % schedule.patience == 0

    def rewrite_best(self, loss: float) -> None:
        """Hand on the best weights again, after a restart: their file may be gone, or newer."""
        if self.on_best is None or not self.best_weights:
            return
        weights = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(self.best_weights)
        with preserve_rng():
            self.on_best(loss)
        self.model.load_state_dict(weights)

    def restore_best(self) -> None:
        """Load the best weights into the model, and leave it in evaluation mode."""
        if self.best_weights:
            self.model.load_state_dict(self.best_weights)
        self.model.eval()

    def _keep_weights(self, loss: float) -> None:
        if self.on_best is not None:
            with preserve_rng():
                self.on_best(loss)
        weights = self.model.state_dict()
        self.best_weights = {name: value.clone() for name, value in weights.items()}


def write_weights(folder: StrPath, model: nn.Module, loss: float) -> None:
    """Write a model's weights as `best.safetensors` into a folder."""
    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    write_atomically(Path(folder) / BEST, save(weights, {"validation": json.dumps(loss)}))
