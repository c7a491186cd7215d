"""Token ids encoded once to files, and memory-mapped afterwards."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np

from sluice.files import StrPath, StrPaths, remove_temporary_files, to_paths
from sluice.option_names import name_option
from sluice.sequence.data.ragged import Array
from sluice.sequence.data.readers.encoded_cache import (
    ENDS_DTYPE,
    EncodedSequences,
    EncodingMetadata,
    build_ragged,
    compute_fingerprint,
    load_complete,
    write_complete,
)
from sluice.sequence.errors import DataError

LARGE_BYTES = 64 << 20
"""Files with more bytes than this in total are encoded to disk instead of memory."""

_LONGEST_NAME = 100


class ArraySink(Protocol):
    """Takes the parts of an array, in order."""

    def write(self, array: Array) -> None: ...


Encode = Callable[[ArraySink, ArraySink], EncodingMetadata]
"""Writes the ids and the end of each sequence; returns the metadata."""


def default_cache_folder() -> Path:
    """The default folder for encoded files: `$XDG_CACHE_HOME/sluice` or `~/.cache/sluice`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sluice"


def encode_to_memory(encode: Encode) -> EncodedSequences:
    """Encode to arrays in memory."""
    ids, ends = _MemorySink(), _MemorySink()
    about = encode(ids, ends)
    flat = np.concatenate([np.empty(0, about["dtype"]), *ids.arrays])
    return EncodedSequences(
        build_ragged(flat, np.concatenate([np.empty(0, ENDS_DTYPE), *ends.arrays])), about
    )


def encode_to_disk(
    folder: StrPath,
    files: StrPaths,
    options: Mapping[str, object],
    encode: Encode,
) -> EncodedSequences:
    """Map the ids encoded earlier, or encode now, if the files or options have changed.

    Whether they have is told by the content of the files, all of which is read. A cache that is
    damaged, or that no encoding could have written, is written anew. Of several processes one
    encodes and the others wait. An interrupted process leaves nothing that looks complete: the
    metadata are written last. A complete cache is also read from a folder that cannot be written.

    Raises:
        DataError: the folder cannot be written to, or a file changed while it was read.
    """
    files = to_paths(files)
    asked = json.dumps(options, sort_keys=True)
    names = " ".join(str(path.resolve()) for path in files)
    place = hashlib.blake2b(f"{asked} {names}".encode(), digest_size=8).hexdigest()
    home = Path(folder) / f"{files[0].stem[:_LONGEST_NAME]}-{place}"
    try:
        if home.is_dir() and not os.access(home, os.W_OK):
            found = load_complete(home, compute_fingerprint(files))
            if found is not None:
                return found
        home.mkdir(parents=True, exist_ok=True)
        with _lock_exclusively(home / "lock"):
            mark = compute_fingerprint(files)
            return load_complete(home, mark) or _write(home, mark, files, encode)
    except OSError as error:
        raise DataError(
            f"Cannot write encoded tokens to {home}: {error.strerror or error}; name another "
            f"folder with {name_option('cache')}."
        ) from None


def _write(home: Path, mark: str, files: Sequence[Path], encode: Encode) -> EncodedSequences:
    # Other processes may have mapped the old files: unlinked, these stay valid.
    _remove_files(home)
    try:
        with (home / "ids.bin").open("wb") as ids, (home / "ends.bin").open("wb") as ends:
            about = encode(_FileSink(ids), _FileSink(ends))
            for file in (ids, ends):
                file.flush()
                os.fsync(file.fileno())
        if compute_fingerprint(files) != mark:
            raise DataError(f"{files[0].name} changed while it was read; read it again.")
        write_complete(home, mark, about)
    except BaseException:
        _remove_files(home)  # a full disk is not left full
        raise
    found = load_complete(home, mark)
    if found is None:
        raise DataError(f"{home} changed while it was written; read {files[0].name} again.")
    return found


def _remove_files(home: Path) -> None:
    """Remove a cache, and what a killed process left of one."""
    remove_temporary_files(home, "about.json")
    for name in ("about.json", "ids.bin", "ends.bin"):
        (home / name).unlink(missing_ok=True)


@contextmanager
def _lock_exclusively(lock: Path) -> Iterator[None]:
    """Let one process in at a time; the lock ends with the process."""
    import fcntl

    # Unlike `open(lock, "w")`, this does not wait where somebody has put a pipe.
    with os.fdopen(os.open(lock, os.O_RDWR | os.O_CREAT, 0o666), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class _MemorySink:
    def __init__(self) -> None:
        self.arrays: list[Array] = []

    def write(self, array: Array) -> None:
        self.arrays.append(array)


class _FileSink:
    def __init__(self, file: BinaryIO) -> None:
        self.file = file

    def write(self, array: Array) -> None:
        self.file.write(np.ascontiguousarray(array).data)
