"""The state of a training, written so that a run killed at any moment can go on."""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path
from typing import Any

import torch

from sluice.files import StrPath, remove_temporary_files, write_atomically
from sluice.sequence.errors import CheckpointError

_MAGIC = b"sluice training 1\n"
_DIGEST_SIZE = hashlib.sha256().digest_size
_MAX_TO_KEEP = 2


class CheckpointManager:
    """The last two states of a training, as `last-<steps>.state` in a folder.

    A file holds a checksum of its content, and is written beside its place, flushed to the disk
    and moved there; only then is the oldest of three removed.
    """

    def __init__(self, folder: StrPath) -> None:
        self.folder = Path(folder)

    def list_files(self) -> list[Path]:
        """What is there, the newest first."""
        return sorted(self.folder.glob("last-*.state"), reverse=True)

    def save(self, steps: int, state: dict[str, Any]) -> None:
        """Write a state, and drop what is older than the one before.

        Raises:
            OSError: the folder cannot be written to, or the disk is full.
        """
        write_atomically(self.folder / f"last-{steps:012}.state", encode_state(state))
        for old in self.list_files()[_MAX_TO_KEEP:]:
            old.unlink(missing_ok=True)

    def load(self) -> bytes | None:
        """The newest whole state, still encoded; None where there is none.

        A damaged one is passed over with a warning.

        Raises:
            CheckpointError: all that is there is damaged.
        """
        remove_temporary_files(self.folder, "last-*.state")
        found = self.list_files()
        for path in found:
            content = path.read_bytes()
            if _is_intact(content):
                return content
            warnings.warn(
                f"{path} is damaged; going on from an older checkpoint, if one is whole",
                stacklevel=2,
            )
        if found:
            raise CheckpointError(
                f"No checkpoint in {self.folder} is whole; copy them anew, or begin a new training."
            )
        return None

    def clear(self) -> None:
        """Remove all states: another training begins here."""
        remove_temporary_files(self.folder, "last-*.state")
        for path in reversed(self.list_files()):
            path.unlink(missing_ok=True)


def encode_state(state: dict[str, Any]) -> bytes:
    """A state of tensors and plain values, with its checksum."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    return _MAGIC + hashlib.sha256(content).digest() + content


def decode_state(content: bytes, device: torch.device | str = "cpu") -> dict[str, Any]:
    """What `encoded` was given; nothing but tensors and plain values is ever unpickled."""
    found: dict[str, Any] = torch.load(
        io.BytesIO(content[len(_MAGIC) + _DIGEST_SIZE :]), map_location=device, weights_only=True
    )
    return found


def _is_intact(content: bytes) -> bool:
    head, body = content[: len(_MAGIC) + _DIGEST_SIZE], content[len(_MAGIC) + _DIGEST_SIZE :]
    return head == _MAGIC + hashlib.sha256(body).digest()
