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

    After the start most of torch and LLVM is never used again. On Linux their pages are dropped;
    what is needed once more comes back from the file.
    """
    gc.collect()
    if not sys.platform.startswith("linux"):
        return
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.malloc_trim(0)
        libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        for start, size in _list_unchanged():
            libc.madvise(start, size, _MADV_DONTNEED)


def _list_unchanged() -> list[tuple[int, int]]:
    """Where code and constants of files lie that nobody has written to, and how much."""
    found: list[tuple[int, int]] = []
    place = size = 0
    for line in Path("/proc/self/smaps").read_text().splitlines():
        name, _, rest = line.partition(" ")
        if "-" in name:
            start, stop = (int(text, 16) for text in name.split("-"))
            rights, *_, file = rest.split(maxsplit=4)
            is_file = rights in ("r-xp", "r--p") and file.startswith("/")
            place, size = start, stop - start if is_file else 0
        elif name == "Anonymous:" and rest.split()[0] == "0" and size >= _SMALLEST:
            found.append((place, size))
    return found
