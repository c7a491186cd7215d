"""Writing files whole or not at all."""

import os
import tempfile
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` beside `path` and move it into place: readers see all of it or none.

    Folders on the way are made. On any failure the old file stays and nothing is left behind.

    Raises:
        OSError: the folder cannot be made or written to, or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(0o666 & ~_get_umask())
        beside.replace(path)
        _fsync_folder(path.parent)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def remove_temporary_files(folder: Path, pattern: str) -> None:
    """Remove the temporary files of a process that was killed inside `write_atomically`."""
    for left in folder.glob(f".{pattern}.*"):
        left.unlink(missing_ok=True)


def require_writable(folder: Path) -> None:
    """Make `folder` and see that a file can be written in it, before long work is begun.

    Raises:
        OSError: it cannot be made or written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


def _fsync_folder(folder: Path) -> None:
    """See that the folder's new entry is on the disk, too, where the system knows such a thing."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _get_umask() -> int:
    """The process's umask, which can only be read by setting it (mkstemp makes private files)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
