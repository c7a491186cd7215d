"""Going on from a checkpoint: whether it may be, and what it holds."""

from __future__ import annotations

import json
from typing import Any

from sluice.files import StrPath
from sluice.sequence.errors import CheckpointError
from sluice.sequence.training.checkpoints import CheckpointManager, decode_state
from sluice.sequence.training.processes import ProcessGroup


def load_resume_state(
    folder: StrPath,
    group: ProcessGroup,
    *,
    resume: bool,
    settings: dict[str, Any],
    shapes: dict[str, list[int]],
) -> dict[str, Any] | None:
    """The state to go on from, or None where training begins anew; every process gets the same.

    Args:
        folder: where `CheckpointManager` lie.
        group: rank 0 reads for all.
        resume: whether to go on.
        plan: what decides the result, as JSON values.
        shapes: of the model's weights.

    Raises:
        CheckpointError: to go on, and nothing is whole, or plan or model are others; or not to go
            on, and the training there has not ended.
    """
    content, refused = group.broadcast(_read_state(folder) if group.rank == 0 else None)
    if refused is not None and resume:
        raise CheckpointError(refused)
    state = None if content is None else decode_state(content)
    if state is None or not resume:
        _require_finished(state, folder)
        if group.rank == 0:
            CheckpointManager(folder).clear()
        return None
    _require_same_run(state, folder, settings, shapes)
    return state


def require_finished(folder: StrPath) -> None:
    """See that no training in `folder` could still go on.

    Raises:
        CheckpointError: one could.
    """
    content, _ = _read_state(folder)
    _require_finished(None if content is None else decode_state(content), folder)


def _read_state(folder: StrPath) -> tuple[bytes | None, str | None]:
    try:
        return CheckpointManager(folder).load(), None
    except CheckpointError as error:
        return None, str(error)


def _require_finished(state: dict[str, Any] | None, folder: StrPath) -> None:
    if state is not None and state["ledger"]["ended"] is None:
        raise CheckpointError(
            f"{folder} holds a training that stopped after step {state['ledger']['steps']}; "
            "resume it, or take another folder, or begin anew without its last-*.state."
        )


def _require_same_run(
    state: dict[str, Any], folder: StrPath, settings: dict[str, Any], shapes: dict[str, list[int]]
) -> None:
    before = json.loads(state["plan"])
    now = json.loads(json.dumps(settings))
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            raise CheckpointError(
                f"The training in {folder} had {name} = {before.get(name)}, but now it is "
                f"{now.get(name)}; resume it as it was, or begin a new one in another folder."
            )
    kept = {name: list(tensor.shape) for name, tensor in state["shared"]["model"].items()}
    for name in sorted(kept.keys() | shapes.keys()):
        if kept.get(name) != shapes.get(name):
            raise CheckpointError(
                f"The training in {folder} is of another model: {name} has the shape "
                f"{kept.get(name, 'none')} there, and {shapes.get(name, 'none')} here."
            )
