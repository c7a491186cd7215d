"""Work of lower rank than tunes that are composed live: one thread does it, and gives way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sluice.studio.errors import StudioError

Result = TypeVar("Result")

_PAUSE = 0.004
"""Seconds between two tokens of lower rank while tunes are composed."""
_LONGEST_WAIT = 2.0
"""Seconds that work which cannot be interrupted waits for tunes to be complete."""


class QueueIsFullError(StudioError):
    """As much waits as is allowed to wait."""


class EditQueue:
    """Edits of tunes and replays, one after the other.

    Args:
        is_busy: whether tunes are composed.
        most: how many may wait.
    """

    def __init__(self, is_busy: Callable[[], bool], most: int) -> None:
        self._is_busy, self._most = is_busy, most
        self._thread = ThreadPoolExecutor(1, "sluice edits")
        self.count = 0

    async def run(self, work: Callable[[], Result]) -> Result:
        """What `work` gives, called in the thread; it calls `give_way` between its steps.

        Raises:
            QueueIsFullError: too many wait.
        """
        if self.count >= self._most:
            raise QueueIsFullError(
                "Many tunes are being worked on at this moment; try again in a minute."
            )
        self.count += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self.count -= 1

    def give_way(self) -> None:
        """Let tunes go first, in the thread of `run`."""
        if self._is_busy():
            time.sleep(_PAUSE)

    def wait_for_tunes(self) -> None:
        """Wait until no tune is composed, for two seconds at most."""
        end = time.monotonic() + _LONGEST_WAIT
        while self._is_busy() and time.monotonic() < end:
            time.sleep(_PAUSE)

    def close(self) -> None:
        """Begin nothing more."""
        self._thread.shutdown(wait=False, cancel_futures=True)
