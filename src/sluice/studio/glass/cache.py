"""Files of the glass box on disk, compressed, under a name that says what is in them."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sluice.files import write_atomically
from sluice.studio.glass.packing import VERSION

_MAX_FILES = 4000
"""About 400 MB; the oldest go first."""


@dataclass(frozen=True)
class PackCache:
    """A folder of compressed files. What is lost in it is computed anew."""

    folder: Path

    def find(self, key: str) -> bytes | None:
        """The compressed file of a key; None without one, or where it cannot be read."""
        try:
            content = self._get_path(key).read_bytes()
            is_whole = len(gzip.decompress(content)) > 0
        except (OSError, EOFError, zlib.error):
            return None
        return content if is_whole else None

    def store(self, key: str, pack: bytes) -> bytes:
        """Keep a file, whole or not at all, and return it compressed.

        A full disk is no reason not to show it.
        """
        content = gzip.compress(pack, 6, mtime=0)
        with suppress(OSError):
            self._get_path(key).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._get_path(key), content)
            self._remove_oldest()
        return content

    def decompress(self, content: bytes) -> bytes:
        """For a browser that reads no compressed answers."""
        return gzip.decompress(content)

    def _get_path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key[2:]}.gz"

    def _remove_oldest(self) -> None:
        kept = sorted(self.folder.glob("*/*.gz"), key=lambda path: path.stat().st_mtime)
        for path in kept[:-_MAX_FILES]:
            path.unlink(missing_ok=True)


def compute_key(model: str, tokens: Sequence[str], options: Mapping[str, object]) -> str:
    """64 hexadecimal digits of all that a file follows from."""
    content = json.dumps([VERSION, model, list(tokens), options], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
