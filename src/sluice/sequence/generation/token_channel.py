"""Tokens from the thread that samples them to those that read them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from sluice.sequence.errors import SequenceError


class TokenChannel:
    """A queue of ids with an end, which may be an error.

    It holds at most the ids of one sequence that nobody has read yet.
    """

    def __init__(self) -> None:
        self._condition, self._process = threading.Condition(), os.getpid()
        self._unread: list[int] = []
        self._is_closed = False
        self._error: BaseException | None = None
        self._wakers: list[Callable[[], None]] = []

    def put(self, ids: list[int]) -> None:
        """Add ids for the reader."""
        with self._condition:
            self._unread += ids
            self._wake()

    def close(self, error: BaseException | None = None) -> None:
        """Nothing comes any more; the reader gets the error after the last id."""
        with self._condition:
            if not self._is_closed:
                self._is_closed, self._error = True, error
                self._wake()

    def take(self, timeout: float | None = None) -> list[int]:
        """All ids that nobody has read, at least one; none at the end.

        Raises:
            TimeoutError: none came within `timeout` seconds.
            SequenceError: the sequence failed or was cancelled, or this is a forked process.
        """
        self.check_process()
        with self._condition:
            if not self._condition.wait_for(lambda: self._is_ready, timeout):
                raise TimeoutError(f"No token came within {timeout} seconds.")
            return self._take_now()

    def take_now(self) -> list[int] | None:
        """As `take`, but None where it would wait."""
        with self._condition:
            return self._take_now() if self._is_ready else None

    def wake_when_ready(self, waker: Callable[[], None]) -> None:
        """Call `waker`, in any thread, once `take` would not wait; at once if so already."""
        self.check_process()
        with self._condition:
            self._wakers.append(waker)
            if self._is_ready:
                self._wake()

    def check_process(self) -> None:
        """Raise SequenceError in a forked child, in which no thread samples."""
        if os.getpid() != self._process:
            raise SequenceError(
                "The thread that samples tokens did not follow into this forked process; make a "
                "GenerationServer here."
            )

    @property
    def _is_ready(self) -> bool:
        return bool(self._unread) or self._is_closed

    def _take_now(self) -> list[int]:
        found, self._unread = self._unread, []
        if not found and self._error is not None:
            raise self._error
        return found

    def _wake(self) -> None:
        self._condition.notify_all()
        wakers, self._wakers = self._wakers, []
        for waker in wakers:
            waker()
