"""How many threads to train with, found by trying.

Two threads are nearly twice as fast as one on an idle machine, and many times slower where
something else runs: at every barrier the one waits for the other, which waits for a processor.
"""

from __future__ import annotations

from collections import defaultdict

_PERIOD = 128
_TRIAL = 2


class Threads:
    """One thread or `many`, whichever was faster when last tried.

    Every 128 steps, two steps are tried with one thread and two with `many`.

    >>> threads = Threads(many=2)
    >>> for _ in range(4):
    ...     seconds = 0.1 if threads.number() == 1 else 5.0
    ...     threads.took(work=100, seconds=seconds)
    >>> threads.number()
    1
    """

    def __init__(self, many: int) -> None:
        self.many = many
        self._steps = 0
        self._work: defaultdict[int, float] = defaultdict(float)
        self._seconds: defaultdict[int, float] = defaultdict(float)

    def number(self) -> int:
        """How many threads the next step is to use."""
        place = self._steps % _PERIOD
        if place < _TRIAL:
            return 1
        if place < 2 * _TRIAL:
            return self.many
        return max((self.many, 1), key=self._speed)

    def took(self, work: float, seconds: float) -> None:
        """The step that `number` was asked for did so much work in so many seconds."""
        place = self._steps % _PERIOD
        if place == 0:
            self._work.clear()
            self._seconds.clear()
        if place < 2 * _TRIAL:
            self._work[self.number()] += work
            self._seconds[self.number()] += seconds
        self._steps += 1

    def _speed(self, threads: int) -> float:
        return self._work[threads] / max(self._seconds[threads], 1e-9)
