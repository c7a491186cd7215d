"""Token ids encoded once to files, and memory-mapped afterwards."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol, TypedDict

import numpy as np

from sluice.files import StrPath, StrPaths, to_paths, write_atomically
from sluice.sequence.data.ragged import Array, RaggedArray
from sluice.sequence.data.report import make_read_error
from sluice.sequence.errors import DataError

LARGE_BYTES = 64 << 20
"""Files with more bytes than this in total are encoded to disk instead of memory."""

_FORMAT = "sluice encoded tokens 1"
_ENDS = np.int64
_SAMPLE = 1 << 20


class ArraySink(Protocol):
    """Takes the parts of an array, in order."""

    def write(self, array: Array) -> None: ...


class EncodingMetadata(TypedDict):
    """What is stored with encoded text, as JSON.

    `counts` are sequences by file, `refused` the source, line and reason of skipped items, `notes`
    what was assumed, and `guess` the encoding that was guessed for all files, or empty.
    """

    dtype: str
    vocabulary: str
    encodings: list[str]
    counts: dict[str, int]
    refused: list[tuple[str, int | None, str]]
    notes: list[str]
    guess: str


class EncodedSequences(NamedTuple):
    """Sequences with their metadata."""

    ids: RaggedArray
    metadata: EncodingMetadata


Encode = Callable[[ArraySink, ArraySink], EncodingMetadata]
"""Writes the ids and the end of each sequence; returns the metadata."""


def default_cache_folder() -> Path:
    """The default folder for encoded files: `$XDG_CACHE_HOME/sluice` or `~/.cache/sluice`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sluice"


def compute_fingerprint(files: StrPaths) -> str:
    """A hash of the names, sizes, times, and first and last bytes of files.

    Raises:
        DataError: a file cannot be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    for path in to_paths(files):
        try:
            status = path.stat()
            digest.update(f"{path.resolve()} {status.st_size} {status.st_mtime_ns} ".encode())
            with path.open("rb") as file:
                digest.update(file.read(_SAMPLE))
                file.seek(max(0, status.st_size - _SAMPLE))
                digest.update(file.read(_SAMPLE))
        except OSError as error:
            raise make_read_error(path, error) from None
    return digest.hexdigest()


def encode_to_memory(encode: Encode) -> EncodedSequences:
    """Encode to arrays in memory."""
    ids, ends = _MemorySink(), _MemorySink()
    about = encode(ids, ends)
    flat = np.concatenate([np.empty(0, about["dtype"]), *ids.arrays])
    return EncodedSequences(
        _build_ragged(flat, np.concatenate([np.empty(0, _ENDS), *ends.arrays])), about
    )


def encode_to_disk(
    folder: StrPath,
    files: StrPaths,
    options: Mapping[str, object],
    encode: Encode,
) -> EncodedSequences:
    """Map the ids encoded earlier, or encode now, if the files or options have changed.

    Of several processes one encodes and the others wait. An interrupted process leaves nothing
    that looks complete: the metadata are written last.

    Raises:
        DataError: the folder cannot be written to, or a file changed while it was read.
    """
    files = to_paths(files)
    asked = json.dumps(options, sort_keys=True)
    names = " ".join(str(path.resolve()) for path in files)
    place = hashlib.blake2b(f"{asked} {names}".encode(), digest_size=8).hexdigest()
    home = Path(folder) / f"{files[0].stem}-{place}"
    try:
        home.mkdir(parents=True, exist_ok=True)
        with _lock_exclusively(home / "lock"):
            mark = compute_fingerprint(files)
            if (found := _load_complete(home, mark)) is not None:
                return found
            return _write(home, mark, files, encode)
    except OSError as error:
        raise DataError(
            f"Cannot write encoded tokens to {home}: {error.strerror or error}; name another "
            "folder with cache=."
        ) from None


def _write(home: Path, mark: str, files: Sequence[Path], encode: Encode) -> EncodedSequences:
    # Other processes may have mapped the old files: unlinked, these stay valid.
    for name in ("about.json", "ids.bin", "ends.bin"):
        (home / name).unlink(missing_ok=True)
    with (home / "ids.bin").open("wb") as ids, (home / "ends.bin").open("wb") as ends:
        about = encode(_FileSink(ids), _FileSink(ends))
        for file in (ids, ends):
            file.flush()
            os.fsync(file.fileno())
        sizes = {"ids": ids.tell(), "ends": ends.tell()}
    if compute_fingerprint(files) != mark:
        raise DataError(f"{files[0].name} changed while it was read; read it again.")
    kept = {"format": _FORMAT, "fingerprint": mark, "sizes": sizes, "about": about}
    write_atomically(home / "about.json", json.dumps(kept).encode())
    found = _load_complete(home, mark)
    assert found is not None
    return found


def _load_complete(home: Path, mark: str) -> EncodedSequences | None:
    """The encoded files there, if they are complete and of these sources."""
    try:
        kept = json.loads((home / "about.json").read_bytes())
        sizes = {name: (home / f"{name}.bin").stat().st_size for name in ("ids", "ends")}
        known = (kept["format"], kept["fingerprint"], kept["sizes"]) == (_FORMAT, mark, sizes)
        about: EncodingMetadata = kept["about"]
        dtype = np.dtype(about["dtype"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not known:
        return None
    flat, ends = (
        _open_memmap(home / "ids.bin", dtype),
        _open_memmap(home / "ends.bin", np.dtype(_ENDS)),
    )
    return EncodedSequences(_build_ragged(flat, ends), about)


def _open_memmap(path: Path, dtype: np.dtype[np.generic]) -> Array:
    # An empty file cannot be mapped.
    return np.memmap(path, dtype, "r") if path.stat().st_size else np.empty(0, dtype)


def _build_ragged(flat: Array, ends: Array) -> RaggedArray:
    return RaggedArray(flat, np.concatenate((np.zeros(min(len(ends), 1), _ENDS), ends[:-1])), ends)


@contextmanager
def _lock_exclusively(lock: Path) -> Iterator[None]:
    """Let one process in at a time; the lock ends with the process."""
    import fcntl

    with lock.open("w") as file:
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
