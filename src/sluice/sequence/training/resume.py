"""Continuing from a checkpoint: whether it fits, and what it holds."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sluice.files import StrPath
from sluice.sequence.errors import CheckpointError
from sluice.sequence.training.processes import ProcessGroup
from sluice.sequence.training.state_files import CheckpointFolder, TrainingState, decode_state


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
        settings: what decides the result, as JSON values.
        shapes: of the model's weights.

    Raises:
        CheckpointError: with `resume`, all files are damaged, or settings or model differ;
            without it, the training there has not ended.
    """
    content, error = group.broadcast(_read_state(folder) if group.rank == 0 else (None, None))
    if error is not None and resume:
        raise CheckpointError(error)
    state = None if content is None else decode_state(content)
    if state is None or not resume:
        _require_finished(state, folder)
        if group.rank == 0:
            CheckpointFolder(folder).clear()
        return None
    _require_same_run(state, folder, settings, shapes)
    return state


def require_finished(folder: StrPath) -> None:
    """Check that `folder` holds no unfinished training.

    Raises:
        CheckpointError: it holds one.
    """
    content, _ = _read_state(folder)
    _require_finished(None if content is None else decode_state(content), folder)


def _read_state(folder: StrPath) -> tuple[bytes | None, str | None]:
    try:
        return CheckpointFolder(folder).load(), None
    except CheckpointError as error:
        return None, str(error)


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
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            raise CheckpointError(
                f"The training in {folder} had {name} = {before.get(name)}, got "
                f"{now.get(name)}; resume with the same, or start a new one in another folder."
            )
    kept = {name: list(tensor.shape) for name, tensor in state["shared"]["model"].items()}
    for name in sorted(kept.keys() | shapes.keys()):
        if kept.get(name) != shapes.get(name):
            raise CheckpointError(
                f"The training in {folder} has another model: expected {name} of shape "
                f"{kept.get(name, 'none')}, got {shapes.get(name, 'none')}."
            )
