"""The output folder of `sluice train`: what is in it already, and the record of what was asked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.cli.errors import fail
from sluice.cli.train_options import TrainOptions

if TYPE_CHECKING:
    from sluice.cli.training_job import TrainingJob

RECORD = "training.json"
STATES = "training"
_MAY_CHANGE = ("data", "minutes", "epochs", "steps", "threads", "checkpoint_every")
"""Options that a training may be resumed with other values of."""


@dataclass(frozen=True)
class TrainingFolder:
    """A folder for one training: its weights, its checkpoints, its record."""

    out: Path
    weights: Path

    @property
    def record(self) -> Path:
        """The file of the options."""
        return self.out / RECORD

    @property
    def states(self) -> Path:
        """The folder of the checkpoints."""
        return self.out / STATES

    def require_unused(self) -> None:
        """Refuse to begin a new training where one is, finished or not."""
        from sluice.sequence.errors import CheckpointError
        from sluice.sequence.training.resume import count_steps
        from sluice.sequence.training.state_files import CheckpointFolder

        choices = f"--out for another folder, or --overwrite to replace {self.weights}"
        if not CheckpointFolder(self.states).list_files():
            if self.weights.exists():
                fail(
                    f"{self.weights} is there already; choose {choices} (with --from "
                    f"{self.weights} its training goes on on other data)"
                )
            return
        try:
            steps, has_ended = count_steps(self.states)
        except CheckpointError as error:
            fail(f"{str(error).removesuffix('.')}; choose {choices}")
        if has_ended:
            fail(
                f"{self.out} holds a training that has ended after {steps} steps; choose --resume "
                f"with a larger budget to go on, {choices}"
            )
        fail(
            f"{self.out} holds a training that stopped after step {steps}; choose --resume to go "
            f"on, {choices}"
        )

    def merge_record(self, asked: TrainOptions) -> TrainOptions | None:
        """What was asked for, completed from the record; None without one."""
        from sluice.sequence.training.state_files import CheckpointFolder

        before = TrainOptions.read(self.record)
        if before is None:
            if self.weights.exists() and not CheckpointFolder(self.states).list_files():
                fail(
                    f"{self.weights} is there, but no training that could be resumed; choose "
                    "another --out, or --overwrite to replace it"
                )
            return None
        if before.data != asked.data:
            fail(
                f"{self.record} is the record of a training on {before.data}; choose another --out"
            )
        for name, value in asked.to_json().items():
            had = before.to_json().get(name)
            if name not in _MAY_CHANGE and value != had:
                option = "--from" if name == "base" else f"--{name.replace('_', '-')}"
                fail(
                    f"The training in {self.out} had {option} {_show(had)}, got {_show(value)}; "
                    "leave it out to go on, or choose another --out"
                )
        return asked.with_defaults(before)

    def is_record_of(self, asked: TrainOptions) -> bool:
        """Whether the record is that of these options, as after a restart by torchrun."""
        before = TrainOptions.read(self.record)
        return before is not None and before.to_json() == asked.to_json()

    def prepare(
        self, job: TrainingJob, options: TrainOptions, first: bool, *, resume: bool, overwrite: bool
    ) -> None:
        """Check again what is in the folder, which is now this training's, and begin the record.

        An earlier model stays until there is a new one. Every process checks, so that all of them
        refuse; only the `first` one writes.
        """
        from sluice.insight.monitor.journal import JOURNAL
        from sluice.sequence.training.state_files import CheckpointFolder

        known = TrainOptions.read(self.record) is not None
        if resume and known:
            self.require_same_data(job, options.data)
        elif not overwrite and not resume:
            self.require_unused()
        if not first:
            return
        self.remove_leftovers()
        if overwrite:
            CheckpointFolder(self.states).clear()
        if not (resume and known):
            (self.out / JOURNAL).unlink(missing_ok=True)  # of an earlier training
            self.write_record(job, options)

    def require_same_data(self, job: TrainingJob, data: str) -> None:
        """Refuse to go on with data that have changed since the training began."""
        try:
            known = json.loads(self.record.read_text()).get("data", "")
        except (OSError, ValueError):
            return
        if known and known != job.fingerprint:
            fail(
                f"The training in {self.out} was on other data: what {data} holds has changed "
                f"since; choose another --out (with --from {self.weights} it goes on on the new)"
            )

    def remove_leftovers(self) -> None:
        """Remove what a process left that was killed while it wrote."""
        from sluice.files import remove_temporary_files

        for name in (self.weights.name, RECORD):
            remove_temporary_files(self.out, name)

    def write_record(self, job: TrainingJob, options: TrainOptions) -> None:
        """Write what was asked for, and what decides the result."""
        import torch

        from sluice._version import __version__
        from sluice.files import write_atomically

        record = {
            "options": options.to_json(),
            "plan": job.config.export_settings(),
            "data": job.fingerprint,
            "versions": {"sluice": __version__, "torch": torch.__version__},
        }
        write_atomically(self.record, (json.dumps(record, indent=1) + "\n").encode())


def _show(value: object) -> object:
    return "not given" if value is None else value
