"""A lock for what programs that fork compile and import at first use."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST_WAIT = 10.0
"""How many seconds a fork waits for another thread that holds a lock."""


class ForkSafeLock:
    """A lock that is free in a forked child, whoever held it in the parent.

    A fork waits until it is free: what was under way, an import or a compilation of LLVM's, would
    never end in the child, and hold locks of their own for ever. After `LONGEST_WAIT` it goes on.

    Example:
        >>> lock = ForkSafeLock()
        >>> with lock.hold():
        ...     pass
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._is_held_by_fork = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._acquire, after_in_parent=self._release, after_in_child=self._replace
            )

    def _acquire(self) -> None:
        self._is_held_by_fork = self._lock.acquire(timeout=LONGEST_WAIT)

    def _release(self) -> None:
        if self._is_held_by_fork:
            self._lock.release()

    def _replace(self) -> None:
        self._lock = threading.RLock()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the lock inside a ``with`` block."""
        with self._lock:
            yield


first_use = ForkSafeLock()
"""Held by what is imported or compiled at first use, all of it."""
