"""Which steps of a training are observed, so that it costs no more than a share of the time."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from statistics import median

GRACE = 10.0
"""Seconds of training whose share may be spent in advance, so that a short one is seen too."""
_WARM_UP = 5
"""First steps that are not observed: they say what a step takes, but for the first two."""
_GAP = 2
"""Steps between two observed ones that are not, at least: what a step takes may change."""


@dataclass
class MonitorCost:
    """What a monitor has cost so far, in seconds.

    Attributes:
        training: forward and backward passes without it.
        observing: what observed steps took beyond that, the first one excepted.
        setup: what the first observed step took beyond that: it compiles what records derivatives.
    """

    training: float = 0.0
    observing: float = 0.0
    setup: float = 0.0

    @property
    def share(self) -> float:
        """Observing as a share of the training; NaN if every step was observed."""
        return self.observing / self.training if self.training > 0 else math.nan


class ObservationSchedule:
    """Says of each step whether it is observed.

    Args:
        every: observe every so many steps, from the first on; None to keep to the budget.
        budget: the share of the training's time that observing may take: a step is observed if all
            observed so far, and one more as dear as the last ones, stay within that share of the
            time trained so far and `GRACE` more.
    """

    def __init__(self, every: int | None, budget: float) -> None:
        self.every, self.budget = every, budget
        self.cost = MonitorCost()
        self._steps = self._since = 0
        self._plain: deque[float] = deque(maxlen=15)
        self._extra: deque[float] = deque(maxlen=3)
        self._had_setup = False

    def is_due(self) -> bool:
        """Whether the next step is observed; called once before each."""
        self._steps += 1
        if self.every is not None:
            return (self._steps - 1) % self.every == 0
        if self._steps <= _WARM_UP or self._since < _GAP:
            return False
        expected = self._expect_extra()
        allowed = self.budget * (self.cost.training + GRACE)
        return self.cost.observing + expected <= allowed

    def _expect_extra(self) -> float:
        """What another observation will take; before any is known, what a step does at most."""
        if self._extra:
            return median(self._extra)
        return min(self.cost.setup, median(self._plain)) if self._had_setup else 0.0

    def add_plain(self, seconds: float) -> None:
        """A step that was not observed took so long."""
        self._since += 1
        if self._steps > 2:
            self._plain.append(seconds)
        self.cost.training += min(seconds, median(self._plain)) if self._plain else 0.0

    def add_observed(self, passes: float, measuring: float) -> None:
        """A step that was observed took so long, and what was then done with it.

        Passes that took more than twice the usual time were held up by something else.
        """
        self._since = 0
        usual = median(self._plain) if self._plain else 0.0
        beyond = max(0.0, passes - usual)
        self.cost.training += usual
        if not self._had_setup:
            self._had_setup, self.cost.setup = True, measuring + beyond
            return
        extra = measuring + min(beyond, usual)
        self._extra.append(extra)
        self.cost.observing += extra
