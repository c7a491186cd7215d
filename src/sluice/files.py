"""Paths, and files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

StrPath: TypeAlias = str | os.PathLike[str]
"""A path, as every function that reads or writes files takes it."""

StrPaths: TypeAlias = StrPath | Iterable[StrPath]
"""One path or several."""


def to_paths(paths: StrPaths) -> list[Path]:
    """One path or several as a list.

    >>> [path.name for path in to_paths("tunes/jigs.abc")]
    ['jigs.abc']
    >>> [path.name for path in to_paths(["a.txt", Path("b.txt")])]
    ['a.txt', 'b.txt']
    """
    if isinstance(paths, str | os.PathLike):
        return [Path(paths)]
    return [Path(path) for path in paths]


def write_atomically(path: StrPath, content: bytes) -> None:
    """Write `content` to a temporary file beside `path`, then rename it to `path`.

    A reader sees the old file or the new one, never a part. Missing folders are created. If
    anything fails, the old file stays and the temporary file is removed.

    Raises:
        OSError: the folder cannot be created or written to, or the disk is full; it names `path`.
    """
    path = Path(path)
    try:
        _write_beside(path, content)
    except OSError as error:  # names the temporary file, or none
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None


def _write_beside(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_get_umask())
        temporary.replace(path)
        _fsync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove_temporary_files(folder: StrPath, pattern: str) -> None:
    """Remove the temporary files of a process that was killed inside `write_atomically`."""
    for file in Path(folder).glob(f".{pattern}.*"):
        file.unlink(missing_ok=True)


def require_writable(folder: StrPath) -> None:
    """Create `folder` and check that files can be written in it, before long work begins.

    Raises:
        OSError: it cannot be created or written to.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:  # names the temporary file
        raise OSError(error.errno, os.strerror(error.errno or 0), str(folder)) from None


def _fsync_folder(folder: Path) -> None:
    """Flush the folder's new entry to the disk, on systems that can."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _get_umask() -> int:
    """The process's umask, which can only be read by setting it; mkstemp makes private files."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
