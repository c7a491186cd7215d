"""How many tokens were composed lately."""

from __future__ import annotations

import time
from collections import deque

_WINDOW = 10
"""Seconds."""


class WorkCounter:
    """Counts tokens, in all and in the last seconds."""

    def __init__(self) -> None:
        self.total = 0
        self._start = time.monotonic()
        self._seconds: deque[tuple[int, int]] = deque()

    def add(self, count: int) -> None:
        """So many tokens were composed now."""
        self.total += count
        now = int(time.monotonic())
        if self._seconds and self._seconds[-1][0] == now:
            count += self._seconds.pop()[1]
        self._seconds.append((now, count))
        self._forget(now)

    @property
    def per_second(self) -> float:
        """Tokens a second, in the last ten."""
        now = time.monotonic()
        self._forget(int(now))
        lasting = min(max(now - self._start, 1.0), float(_WINDOW))
        return sum(count for _, count in self._seconds) / lasting

    def _forget(self, now: int) -> None:
        while self._seconds and self._seconds[0][0] <= now - _WINDOW:
            self._seconds.popleft()
