"""Continuing from a checkpoint: whether it fits, and what it holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from itertools import islice

from sluice.files import StrPath
from sluice.sequence.batch import BatchSource
from sluice.sequence.data.fingerprint import hash_contents
from sluice.sequence.errors import CheckpointError
from sluice.sequence.training.config import BUDGETS
from sluice.sequence.training.processes import ProcessGroup
from sluice.sequence.training.state_files import CheckpointFolder, TrainingState, decode_state

DATA = "data"
"""The name of the data's fingerprint among the settings."""
_OF_A_PROCESS = ("rank", "world_size")


def load_resume_state(
    folder: StrPath,
    group: ProcessGroup,
    *,
    resume: bool,
    settings: Mapping[str, object],
    shapes: Mapping[str, list[int]],
) -> TrainingState | None:
    """The state to continue from, the same in every process; None if training starts new.

    Args:
        folder: where the checkpoints are.
        group: rank 0 reads for all.
        resume: whether to continue.
        settings: what decides the result, as JSON values; the budget may be another.
        shapes: of the model's weights.

    Raises:
        CheckpointError: with `resume`, all files are damaged, or settings or model differ;
            without it, the training there has not ended.
    """
    content, error = group.broadcast(_read_state(folder) if group.rank == 0 else (None, None))
    if error is not None and resume:
        raise CheckpointError(error)
    state = None if content is None else _decode(content, folder)
    if state is None or not resume:
        _require_finished(state, folder)
        if group.rank == 0:
            CheckpointFolder(folder).clear()
        return None
    _require_same_run(state, folder, settings, shapes)
    return state


def hash_sources(*sources: BatchSource) -> str:
    """A fingerprint of what sources of batches hold, or else of their first batches."""
    return hash_contents(*map(_hash_source, sources))


def _hash_source(source: BatchSource) -> str:
    made: object = source
    if is_dataclass(made) and not isinstance(made, type):
        held = {one.name: getattr(made, one.name) for one in fields(made)}
        # Processes share one training.
        shared = {name: value for name, value in held.items() if name not in _OF_A_PROCESS}
        try:
            return hash_contents(shared)
        except TypeError:  # a field of another kind
            pass
    return hash_contents(*islice(source.batches(0), 1))


def count_steps(folder: StrPath) -> tuple[int, bool]:
    """The steps of the training in `folder`, and whether it has ended.

    Raises:
        CheckpointError: there is none, or its checkpoints cannot be used.
    """
    content = CheckpointFolder(folder).load()
    if content is None:
        raise CheckpointError(f"{folder} holds no training.")
    trainer = _decode(content, folder)["trainer"]
    return trainer["steps"], trainer["stop_reason"] is not None


def _read_state(folder: StrPath) -> tuple[bytes | None, str | None]:
    try:
        return CheckpointFolder(folder).load(), None
    except CheckpointError as error:
        return None, str(error)


def _decode(content: bytes, folder: StrPath) -> TrainingState:
    try:
        return decode_state(content)
    except CheckpointError as error:
        raise CheckpointError(
            f"The newest last-*.state in {folder} cannot be used: {error}; remove it, or start a "
            "new training in another folder."
        ) from None


def _require_finished(state: TrainingState | None, folder: StrPath) -> None:
    if state is not None and state["trainer"]["stop_reason"] is None:
        raise CheckpointError(
            f"{folder} holds a training that stopped after step {state['trainer']['steps']}; "
            "resume it, choose another folder, or delete its last-*.state files."
        )


def _require_same_run(
    state: TrainingState,
    folder: StrPath,
    settings: Mapping[str, object],
    shapes: Mapping[str, list[int]],
) -> None:
    before: dict[str, object] = json.loads(state["settings"])
    now: dict[str, object] = json.loads(json.dumps(settings))
    for name in sorted((before.keys() | now.keys()).difference(BUDGETS, (DATA,))):
        if before.get(name) != now.get(name):
            raise CheckpointError(
                f"The training in {folder} had {name} = {before.get(name)}, got "
                f"{now.get(name)}; resume with the same, or start a new one in another folder."
            )
    if DATA in before and before[DATA] != now[DATA]:  # unknown to trainings of earlier versions
        raise CheckpointError(
            f"The training in {folder} was on other data: their contents differ; resume with the "
            "same, or start a new one in another folder."
        )
    for weights in (state["shared"]["model"], state["best"]):
        kept = {name: list(tensor.shape) for name, tensor in weights.items()}
        differ = (
            name for name in kept.keys() | shapes.keys() if kept.get(name) != shapes.get(name)
        )
        other = min(differ, default=None)
        if other is not None and (kept or weights is not state["best"]):  # there may be no best yet
            raise CheckpointError(
                f"The training in {folder} has another model: expected {other} of shape "
                f"{kept.get(other, 'none')}, got {shapes.get(other, 'none')}."
            )
