"""The state of a training as files, so that a run killed at any moment can continue."""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path
from typing import Any, TypedDict, cast

import torch
from torch import Tensor

from sluice.files import StrPath, remove_temporary_files, write_atomically
from sluice.sequence.errors import CheckpointError
from sluice.sequence.training.update import RankState, SharedState

_MAGIC = b"sluice training 1\n"
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
            CheckpointError: all files are damaged.
        """
        remove_temporary_files(self.folder, "last-*.state")
        files = self.list_files()
        for path in files:
            content = path.read_bytes()
            if _is_intact(content):
                return content
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
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    return _MAGIC + hashlib.sha256(content).digest() + content


def decode_state(content: bytes, device: torch.device | str = "cpu") -> TrainingState:
    """The state that `encode_state` wrote; only tensors and plain values are unpickled."""
    body = io.BytesIO(content[len(_MAGIC) + _DIGEST_SIZE :])
    return cast(TrainingState, torch.load(body, map_location=device, weights_only=True))


def _is_intact(content: bytes) -> bool:
    head, body = content[: len(_MAGIC) + _DIGEST_SIZE], content[len(_MAGIC) + _DIGEST_SIZE :]
    return head == _MAGIC + hashlib.sha256(body).digest()
