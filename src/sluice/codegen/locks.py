"""A lock for caches of compiled code, in programs that fork."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ForkSafeLock:
    """A lock that is free in a forked child, even if another thread held it in the parent.

    Example:
        >>> lock = ForkSafeLock()
        >>> with lock.hold():
        ...     pass
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._replace)

    def _replace(self) -> None:
        self._lock = threading.Lock()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the lock inside a ``with`` block."""
        with self._lock:
            yield
