"""`Plan`: the bars and phrases of a piece that is to be composed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sluice.chorales.errors import ChoraleError
from sluice.chorales.roll import PITCHES, Roll

METERS = {"4/4": (4, 1, 3), "3/4": (3, 1, 2)}
"""Quarters of a bar, of the pickup, and of the bar that ends a phrase up to its fermata's end."""
_PHRASE_BARS = 2


@dataclass(frozen=True)
class Plan:
    """The form of a chorale: phrases of two bars after a pickup of a quarter note.

    The last quarter note of a phrase bears a fermata: in 4/4 the third of its second bar, in 3/4
    the second; the next phrase begins with the pickup that follows.

    Attributes:
        phrases: how many.
        meter: "4/4" or "3/4".

    Raises:
        ChoraleError: no phrase, too many, or another meter.

    >>> roll = Plan(phrases=2).make_roll(grid=4)
    >>> len(roll), roll.places[:5].tolist(), int(roll.fermatas.sum())
    (64, [12, 13, 14, 15, 0], 8)
    """

    phrases: int = 6
    meter: str = "4/4"

    def __post_init__(self) -> None:
        if not 1 <= self.phrases <= 64:
            raise ChoraleError(f"A chorale has 1 to 64 phrases, got {self.phrases}.")
        if self.meter not in METERS:
            raise ChoraleError(f"The meter must be {' or '.join(METERS)}, got {self.meter!r}.")

    def make_roll(self, grid: int) -> Roll:
        """A silent piece with the bars and fermatas of the plan."""
        bar, pickup, close = METERS[self.meter]
        steps = self.phrases * _PHRASE_BARS * bar * grid
        quarters = (np.arange(steps) // grid + bar - pickup) % bar
        bars = (np.arange(steps) // grid + bar - pickup) // bar
        fermatas = (bars % _PHRASE_BARS == 0) & (bars > 0) & (quarters == close - 1)
        return Roll(
            np.zeros((steps, PITCHES), np.uint8),
            grid,
            (np.arange(steps) + (bar - pickup) * grid) % (bar * grid),
            np.full(steps, bar * grid),
            fermatas,
        )
