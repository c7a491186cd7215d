"""The state of a training as files, so that a run killed at any moment can continue."""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path
from typing import Any, TypedDict, cast

from torch import Tensor

from sluice.files import StrPath, remove_temporary_files, write_atomically
from sluice.sequence.errors import CheckpointError
from sluice.sequence.training.state_encoding import decode_tree, encode_tree
from sluice.sequence.training.update import RankState, SharedState

_MAGIC = b"sluice training 2\n"
_OLD_MAGIC = b"sluice training 1\n"
"""Of versions that wrote the state as a pickle, which can do more than hold data."""
_DIGEST_SIZE = hashlib.sha256().digest_size
_MAX_TO_KEEP = 2


class TrainingState(TypedDict):
    """What a file holds: tensors and plain values.

    `settings` is JSON, `trainer` the fields of `TrainerState`, `shared` what all processes have in
    common, `ranks` what each has for itself, `best` the best weights so far.
    """

    settings: str
    trainer: dict[str, Any]
    shared: SharedState
    best: dict[str, Tensor]
    ranks: list[RankState]


class CheckpointFolder:
    """The last two states of a training, as `last-<steps>.state` in a folder.

    A file starts with a checksum of its content. It is written under a temporary name, flushed to
    the disk and renamed; only then is the oldest of three removed.
    """

    def __init__(self, folder: StrPath) -> None:
        self.folder = Path(folder)

    def list_files(self) -> list[Path]:
        """The files, newest first."""
        return sorted(self.folder.glob("last-*.state"), reverse=True)

    def save(self, steps: int, state: TrainingState) -> None:
        """Write a state, and remove all but the newest two.

        Raises:
            OSError: the folder cannot be written to, or the disk is full.
        """
        write_atomically(self.folder / f"last-{steps:012}.state", encode_state(state))
        for old in self.list_files()[_MAX_TO_KEEP:]:
            old.unlink(missing_ok=True)

    def load(self) -> bytes | None:
        """The newest complete state, still encoded; None if there is no file.

        A damaged file is skipped with a warning.

        Raises:
            CheckpointError: all files are damaged, or of an earlier version.
        """
        remove_temporary_files(self.folder, "last-*.state")
        files = self.list_files()
        for path in files:
            content = path.read_bytes()
            if _is_intact(content):
                return content
            if content.startswith(_OLD_MAGIC):
                raise CheckpointError(
                    f"{path} was written by an earlier version of Sluice; go on with that version, "
                    "or start a new training in another folder, from the weights of this one."
                )
            warnings.warn(f"{path} is damaged; trying an older checkpoint", stacklevel=2)
        if files:
            raise CheckpointError(
                f"All checkpoints in {self.folder} are damaged; copy them again, or start a new "
                "training."
            )
        return None

    def clear(self) -> None:
        """Remove all states, for a new training in this folder."""
        remove_temporary_files(self.folder, "last-*.state")
        for path in reversed(self.list_files()):
            path.unlink(missing_ok=True)


def encode_state(state: TrainingState) -> bytes:
    """A state as bytes, with its checksum."""
    content = encode_tree(state)
    return _MAGIC + hashlib.sha256(content).digest() + content


def decode_state(content: bytes) -> TrainingState:
    """The state that `encode_state` wrote, its tensors on the CPU.

    Raises:
        CheckpointError: something else.
    """
    state = decode_tree(content[len(_MAGIC) + _DIGEST_SIZE :])
    if not _has_parts(state):
        raise CheckpointError("it is no state of a training")
    return cast(TrainingState, state)


def _has_parts(state: object) -> bool:
    """Whether all parts of a state are there, each of its kind."""
    kinds = {"settings": str, "trainer": dict, "shared": dict, "best": dict, "ranks": list}
    if not isinstance(state, dict) or state.keys() != kinds.keys():
        return False
    if not all(isinstance(state[name], kind) for name, kind in kinds.items()):
        return False
    trainer, shared = state["trainer"], state["shared"]
    if shared.keys() != SharedState.__annotations__.keys():
        return False
    return (
        all(_holds_tensors(one) for one in (shared["model"], state["best"]))
        and all(isinstance(one, dict) for one in state["ranks"])
        and all(one.keys() == RankState.__annotations__.keys() for one in state["ranks"])
        and isinstance(trainer.get("stop_reason", 0), str | None)
        and isinstance(trainer.get("steps"), int)
        and _is_object(state["settings"])
    )


def _holds_tensors(named: object) -> bool:
    return isinstance(named, dict) and all(isinstance(one, Tensor) for one in named.values())


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _is_intact(content: bytes) -> bool:
    head, body = content[: len(_MAGIC) + _DIGEST_SIZE], content[len(_MAGIC) + _DIGEST_SIZE :]
    return head == _MAGIC + hashlib.sha256(body).digest()
