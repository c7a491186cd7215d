"""Gives memory back that was needed to start only."""

from __future__ import annotations

import ctypes
import gc
import sys
from contextlib import suppress
from pathlib import Path

_MADV_DONTNEED, _M_ARENA_MAX = 4, -8
_SMALLEST = 1 << 20
"""Bytes; smaller libraries are left alone."""


def limit_arenas() -> None:
    """Let all threads share two arenas of memory, where glibc would keep one for each."""
    if sys.platform.startswith("linux"):
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def release_memory() -> None:
    """Return what is free to the system.

    After the start most of the code of torch and LLVM is never run again. On Linux its pages are
    dropped; what is needed once more comes back from the file.
    """
    gc.collect()
    if not sys.platform.startswith("linux"):
        return
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.malloc_trim(0)
        libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        for start, size in _list_code():
            libc.madvise(start, size, _MADV_DONTNEED)


def _list_code() -> list[tuple[int, int]]:
    """Where code from files lies, and how much. It is never written to, so it equals the file."""
    found = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        place, rights, _, _, _, *name = line.split(maxsplit=5)
        start, stop = (int(text, 16) for text in place.split("-"))
        if rights == "r-xp" and name and name[0].startswith("/") and stop - start >= _SMALLEST:
            found.append((start, stop - start))
    return found
