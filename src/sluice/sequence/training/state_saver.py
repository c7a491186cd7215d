"""When a training saves its state, and how it continues from one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import cast

from sluice.errors import SluiceError
from sluice.files import StrPath, remove_temporary_files
from sluice.sequence.batch import BatchSource
from sluice.sequence.errors import CheckpointError
from sluice.sequence.training.config import BUDGETS, TrainingConfig
from sluice.sequence.training.processes import ProcessGroup
from sluice.sequence.training.progress import TrainerState
from sluice.sequence.training.resume import load_resume_state
from sluice.sequence.training.state_files import CheckpointFolder, TrainingState
from sluice.sequence.training.truncation import DataPosition, split_into_chunks
from sluice.sequence.training.update import Updater
from sluice.sequence.training.validator import BEST, Validator

_DAMAGES = (
    SluiceError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What comes of a state that is made to harm: its checksum is right, its content is not."""


class Checkpointer:
    """Saves the state of a training to a folder, and restores it; does nothing without a folder.

    Args:
        folder: where `last-*.state` are.
        config: how often to save.
        settings: what decides the result, as JSON values; a training continues only with the same.
        group: the processes; rank 0 reads and writes for all.
        training: where batches come from.
        updater, validator: what is saved besides `TrainerState`.
    """

    def __init__(
        self,
        folder: StrPath | None,
        config: TrainingConfig,
        settings: Mapping[str, object],
        group: ProcessGroup,
        training: BatchSource,
        updater: Updater,
        validator: Validator,
    ) -> None:
        self.folder = None if folder is None else Path(folder)
        self.config, self.settings = config, settings
        self.group, self.training = group, training
        self.updater, self.validator = updater, validator
        self._last_steps, self._last_seconds = 0, 0.0

    def restore(self, *, resume: bool) -> TrainerState:
        """The state to continue from, everything else put back; a new one if there is none.

        Raises:
            CheckpointError: as `load_resume_state`; or nothing is left of another budget.
        """
        if self.folder is None:
            return TrainerState()
        weights = self.updater.model.state_dict()
        shapes = {name: list(tensor.shape) for name, tensor in weights.items()}
        saved = load_resume_state(
            self.folder, self.group, resume=resume, settings=self.settings, shapes=shapes
        )
        if self.group.rank == 0:
            remove_temporary_files(self.folder, BEST)
        if saved is None:
            return TrainerState()
        try:
            state = self._restore(saved)
            self._require_fitting_history(state)
        except _DAMAGES as error:
            why = " ".join(f"{type(error).__name__}: {error}".split())
            raise CheckpointError(
                f"The checkpoint in {self.folder} does not fit this training ({why:.200}); start a "
                "new one in another folder."
            ) from None
        if any(json.loads(saved["settings"]).get(one) != self.settings[one] for one in BUDGETS):
            self._start_budget(state)
        return state

    def _start_budget(self, state: TrainerState) -> None:
        try:
            state.start_budget(self.config, cast(int, self.settings["training batches"]))
        except CheckpointError as error:
            name, amount = self.config.budget
            raise CheckpointError(
                f"{error}: a budget of {amount:g} {name} leaves nothing to train in {self.folder}; "
                "give more."
            ) from None

    def _restore(self, saved: TrainingState) -> TrainerState:
        ranks = saved["ranks"]
        # Recurrent states and random numbers belong to one way of sharing the batches.
        own = ranks[self.group.rank] if len(ranks) == self.group.world_size else None
        self.updater.restore_state(saved["shared"], own)
        self.validator.best_weights = saved["best"]
        state = TrainerState(**saved["trainer"])
        self._last_steps, self._last_seconds = state.steps, state.seconds
        return state

    def _require_fitting_history(self, state: TrainerState) -> None:
        """Run the next chunk from the recurrent state that was saved, which may not belong to it.

        Raises:
            ValueError: a recurrent state of other shapes than the model's own.
        """
        if state.batch >= len(self.training):
            raise ValueError(f"batch {state.batch} of {len(self.training)}")
        history = self.updater.history
        if history.state is None and not history.past:
            return
        position = DataPosition(state.epoch, state.batch, state.chunk)
        chunks = split_into_chunks(self.training, self.config.bptt_stride, position, self.group)
        chunk = next(chunks, None)
        if chunk is not None and not chunk.starts_fresh:
            self.updater.require_fitting_history(chunk)

    def save_if_due(self, state: TrainerState) -> None:
        """Save if enough seconds or steps have passed since the last time."""
        seconds, steps = state.seconds - self._last_seconds, state.steps - self._last_steps
        longest, every = self.config.save_seconds, self.config.save_steps
        if (longest is not None and seconds >= longest) or (every is not None and steps >= every):
            self.save(state)

    def save(self, state: TrainerState) -> None:
        """Save now; all processes call this.

        Raises:
            OSError: the folder cannot be written to, or the disk is full.
        """
        if self.folder is None:
            return
        ranks = self.group.all_gather(self.updater.export_rank_state())
        self._last_steps, self._last_seconds = state.steps, state.seconds
        if self.group.rank == 0:
            saved: TrainingState = {
                "settings": json.dumps(self.settings),
                "trainer": asdict(state),
                "shared": self.updater.export_shared_state(),
                "best": self.validator.best_weights,
                "ranks": ranks,
            }
            CheckpointFolder(self.folder).save(state.steps, saved)
