"""How many threads the next training step is to use.

Two threads are nearly twice as fast as one on an idle machine, and a hundred times slower where
something else runs: at each of a step's thousands of barriers the one waits for the other, which
waits for a processor.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

_REST = 16
_PRODUCTS = 10


def seconds_with(threads: int) -> float:
    """The time of a few products of the size that recurrent layers compute, torch set so."""
    torch.set_num_threads(threads)
    left, right = torch.ones(16, 256), torch.ones(256, 1024)
    before = time.perf_counter()
    for _ in range(_PRODUCTS):
        left @ right
    return time.perf_counter() - before


class Threads:
    """One thread, or `many` where a short trial shows that they help at this moment.

    After a trial that shows otherwise, 16 steps use one thread before the next trial.

    >>> busy = Threads(many=2, seconds=lambda threads: 1.0 if threads == 1 else 4.0)
    >>> idle = Threads(many=2, seconds=lambda threads: 1.0 / threads)
    >>> busy.number(), idle.number()
    (1, 2)
    """

    def __init__(self, many: int, seconds: Callable[[int], float] = seconds_with) -> None:
        self.many = many
        self._seconds = seconds
        self._alone = min(seconds(1) for _ in range(5)) if many > 1 else 0.0
        self._rest = 0

    def number(self) -> int:
        """For the next step; about a millisecond on an idle machine."""
        if self.many == 1 or self._rest > 0:
            self._rest -= 1
            return 1
        if self._seconds(self.many) < self._alone:
            return self.many
        self._rest = _REST
        return 1
