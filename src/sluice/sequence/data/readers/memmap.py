"""Arrays written once to files that are mapped into memory: whole, or not there at all."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from sluice.files import StrPath, StrPaths, to_paths, write_atomically
from sluice.sequence.data.ragged import Array, RaggedArray
from sluice.sequence.data.report import make_read_error
from sluice.sequence.errors import DataError

LARGE_BYTES = 64 << 20
"""Files of more bytes than this together are encoded to the disk and not to memory."""

_FORMAT = "sluice encoded tokens 1"
_ENDS = np.int64
_SAMPLE = 1 << 20


class ArraySink(Protocol):
    """Takes arrays that make up one."""

    def write(self, array: Array) -> None: ...


class EncodedSequences(NamedTuple):
    """Sequences, and what was kept along with them (JSON)."""

    ids: RaggedArray
    metadata: dict[str, Any]


Encode = Callable[[ArraySink, ArraySink], dict[str, Any]]
"""Writes ids and the end of each sequence; gives what to keep along, with the ids' dtype."""


def default_cache_folder() -> Path:
    """Where encoded files are kept if no folder is named: `~/.cache/sluice`, or as XDG has it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sluice"


def compute_fingerprint(files: StrPaths) -> str:
    """Changes when a file does: names, sizes, times, and the bytes at both ends of each.

    Raises:
        DataError: a file cannot be read.
    """
    told = hashlib.blake2b(digest_size=16)
    for path in to_paths(files):
        try:
            status = path.stat()
            told.update(f"{path.resolve()} {status.st_size} {status.st_mtime_ns} ".encode())
            with path.open("rb") as file:
                told.update(file.read(_SAMPLE))
                file.seek(max(0, status.st_size - _SAMPLE))
                told.update(file.read(_SAMPLE))
        except OSError as error:
            raise make_read_error(path, error) from None
    return told.hexdigest()


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
    """Map what was encoded before, or encode it now, if the files or options have changed.

    Of several processes that ask for the same one encodes and the others wait. Killed meanwhile,
    it leaves nothing that would be taken for whole: the description is written last.

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
            f"Cannot keep encoded tokens in {home}: {error.strerror or error}; name another "
            "folder with cache=."
        ) from None


def _write(home: Path, mark: str, files: Sequence[Path], encode: Encode) -> EncodedSequences:
    # Others may have the old files mapped: they keep them, unlinked.
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
    """What lies there, if it is complete and of these files."""
    try:
        kept = json.loads((home / "about.json").read_bytes())
        sizes = {name: (home / f"{name}.bin").stat().st_size for name in ("ids", "ends")}
        known = (kept["format"], kept["fingerprint"], kept["sizes"]) == (_FORMAT, mark, sizes)
        about: dict[str, Any] = kept["about"]
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


def _open_memmap(path: Path, dtype: np.dtype[Any]) -> Array:
    # An empty file cannot be mapped.
    return np.memmap(path, dtype, "r") if path.stat().st_size else np.empty(0, dtype)


def _build_ragged(flat: Array, ends: Array) -> RaggedArray:
    return RaggedArray(flat, np.concatenate((np.zeros(min(len(ends), 1), _ENDS), ends[:-1])), ends)


@contextmanager
def _lock_exclusively(lock: Path) -> Iterator[None]:
    """One process at a time; a process that dies lets go."""
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
    def __init__(self, file: Any) -> None:
        self.file = file

    def write(self, array: Array) -> None:
        self.file.write(np.ascontiguousarray(array).data)
