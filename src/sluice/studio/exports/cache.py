"""Files that were made once, kept on the disk until there are too many."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from sluice._version import __version__
from sluice.files import write_atomically

MAX_BYTES = 500_000_000
_WRITES_BETWEEN_CHECKS = 20
_RECIPE = f"1 {__version__}"
"""Changed with what a file of the same request would look like."""


class FileCache:
    """A folder of files, each named by the hash of what it was made from.

    Several processes may share it. When it is larger than `max_bytes`, the files that were longest
    not asked for are deleted.
    """

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES) -> None:
        self._folder, self._max_bytes = folder, max_bytes
        self._num_writes = 0

    def make_path(self, request: dict[str, Any]) -> Path:
        """Where the file of a request is or will be."""
        text = json.dumps([_RECIPE, request], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        return self._folder / digest[:2] / f"{digest}.{request['format']}"

    def find(self, path: Path) -> bool:
        """Whether the file is there; it then counts as new."""
        try:
            os.utime(path)
        except OSError:
            return False
        return True

    def write(self, path: Path, content: bytes) -> None:
        """Keep a file, whole or, on a full disk, not at all.

        Raises:
            OSError: it cannot be written.
        """
        write_atomically(path, content)
        if self._num_writes % _WRITES_BETWEEN_CHECKS == 0:
            self.remove_old()
        self._num_writes += 1

    def remove_old(self) -> None:
        """Delete the files that were longest not asked for, down to four fifths of the limit."""
        found = []
        for path in self._folder.glob("*/*"):
            with contextlib.suppress(OSError):  # another process deleted it
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in found)
        if total <= self._max_bytes:
            return
        for _, size, path in sorted(found):
            path.unlink(missing_ok=True)
            total -= size
            if total <= 0.8 * self._max_bytes:
                return
