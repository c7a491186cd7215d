"""A folder that one process at a time works in, by a lock of the operating system."""

from __future__ import annotations

import errno
import os
import socket
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sluice.errors import SluiceError
from sluice.files import StrPath

LOCK_FILE = ".lock"
_IN_USE = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
_MOST_OWNER_BYTES = 300

_owned: dict[Path, int] = {}
"""The folders that this process has locked, and its id: a forked child's locks are its own."""
_owned_guard = threading.Lock()


class FolderInUseError(SluiceError, RuntimeError):
    """A folder that another process, or another thread, works in."""


@contextmanager
def lock_folder(
    folder: StrPath, purpose: str = "training", *, remedy: str = "choose another folder"
) -> Iterator[None]:
    """Own `folder` inside the ``with`` block; a second owner, of any process, is refused.

    The lock is one of the operating system on `folder / ".lock"`: it ends with its process,
    however that ends. On NFS it holds between machines where the server keeps locks; a file
    system without locks is worked in with a warning.

    Args:
        folder: it exists.
        purpose: what is done in it, for the message of a process that is refused.
        remedy: what that one can do instead of waiting.

    Raises:
        FolderInUseError: it is owned by another process or another thread.
        OSError: the file cannot be written.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> with lock_folder(folder):
    ...     with lock_folder(folder):  # doctest: +ELLIPSIS
    ...         pass
    Traceback (most recent call last):
        ...
    sluice.folder_lock.FolderInUseError: ...
    """
    place = Path(folder).resolve()
    with _owned_guard:
        if _owned.get(place) == os.getpid():
            raise _make_error(folder, place / LOCK_FILE, remedy)
        handle = _open_locked(folder, place / LOCK_FILE, remedy)
        _owned[place] = os.getpid()
    try:
        owner = f"{purpose}\t{os.getpid()}\t{socket.gethostname()}\t{time.strftime('%F %T')}"
        os.truncate(handle, 0)
        os.write(handle, owner.encode())
        yield
    finally:
        # Removed while it is locked: who waits for the file finds out that it is another one.
        if sys.platform != "win32":
            (place / LOCK_FILE).unlink(missing_ok=True)
        os.close(handle)
        with _owned_guard:
            _owned.pop(place, None)


def _open_locked(folder: StrPath, path: Path, remedy: str) -> int:
    """A handle of the lock's file, locked."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(handle)
        except OSError as error:
            if error.errno in _IN_USE:
                os.close(handle)
                raise _make_error(folder, path, remedy) from None
            warnings.warn(
                f"{folder} is on a file system without locks ({error.strerror}); see to it that "
                "nothing else works in it",
                stacklevel=4,
            )
        if _is_same_file(handle, path):
            return handle
        os.close(handle)  # its owner removed it between the two calls


def _lock(handle: int) -> None:
    """Lock a file, or raise OSError at once; not passed on to children, unlike flock."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(handle, 1 << 20, os.SEEK_SET)  # behind the text, which stays readable
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        os.lseek(handle, 0, os.SEEK_SET)
    else:
        import fcntl

        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_same_file(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _make_error(folder: StrPath, path: Path, remedy: str) -> FolderInUseError:
    try:
        parts = path.read_bytes()[:_MOST_OWNER_BYTES].decode(errors="replace").split("\t")
    except OSError:
        parts = []
    by = "another process"
    if len(parts) == 4:
        purpose, process, host, since = parts
        by = f"a {purpose}, process {process} on {host}, since {since}"
    return FolderInUseError(f"{folder} is in use by {by}; wait until that ends, or {remedy}.")
