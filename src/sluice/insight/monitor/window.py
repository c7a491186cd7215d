"""What units did over several observations in a row."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from functools import reduce

import torch
from torch import Tensor

from sluice.insight.monitor.measuring import NEAR, LayerMeasurement, UnitRange
from sluice.insight.monitor.observation import LayerObservation, ValueStatistics

MEMORY_OPEN = 1 - 1e-4
"""Above it a gate that keeps the memory is open: nothing is forgotten in 10,000 steps."""


class LayerWindow:
    """The last observations of one layer.

    Args:
        length: how many.
    """

    def __init__(self, length: int) -> None:
        self._found: deque[LayerMeasurement] = deque(maxlen=length)

    def add(self, measurement: LayerMeasurement) -> LayerObservation:
        """The observation with its counts of units; all 0 until the window is full."""
        self._found.append(measurement)
        seen = measurement.seen
        if len(self._found) < (self._found.maxlen or 0):
            return seen
        values = {name: self._count_shut(name, one) for name, one in seen.values.items()}
        counts = [self._count_dead(name) for name in measurement.outputs]
        return replace(
            seen,
            values=values,
            constant_units=sum(constant for constant, _ in counts),
            unread_units=sum(unread for _, unread in counts),
        )

    def _count_shut(self, name: str, one: ValueStatistics) -> ValueStatistics:
        found, seen = self._join(name), self._found[-1].seen
        if one.kind != "gate" or found is None:
            return one
        if name == seen.memory_gate:
            shut = found.high < NEAR
            opened = (found.low > MEMORY_OPEN) & ~self._lets_in_little(name)
        else:
            shut = (found.high < NEAR) & ~self._is_slow(name)
            opened = found.low > 1 - NEAR
        return replace(one, shut=int(shut.sum()), open=int(opened.sum()))

    def _is_slow(self, name: str) -> Tensor:
        """Units that let in little because they forget little, as chrono initialisation wants."""
        last = self._found[-1]
        kept, mean = last.memory_means, last.seen.unit_means.get(name)
        if kept is None or mean is None or kept.shape != mean.shape:
            return torch.tensor(False)
        return (kept > 0.9) & (1 - kept < 10 * mean)

    def _lets_in_little(self, memory: str) -> Tensor:
        """Units with another gate that is as near to 0 as that of the memory is to 1."""
        means = self._found[-1].seen.unit_means
        kept, found = means[memory], torch.tensor(False)
        for name, mean in means.items():
            if name != memory and mean.shape == kept.shape:
                found = found | (mean < 10 * (1 - kept))
        return found

    def _join(self, name: str) -> UnitRange | None:
        parts = [one.ranges[name] for one in self._found if name in one.ranges]
        if len(parts) < len(self._found) or len({one.low.shape for one in parts}) > 1:
            return None
        return reduce(UnitRange.join, parts)

    def _count_dead(self, output: str) -> tuple[int, int]:
        """How many units never changed, and how many others had derivatives of 0 alone."""
        found = self._join(output)
        if found is None:
            return 0, 0
        constant, parts = found.low == found.high, list[Tensor]()
        for one in self._found:
            if output in one.derivatives:  # there was a backward pass
                parts.append(one.derivatives[output])
        if len(parts) < len(self._found):
            return int(constant.sum()), 0
        unread = torch.stack(parts).amax(0) == 0
        # A layer without any gradient is told of as a whole.
        unread = unread if bool(unread.all()) else unread & ~constant
        return int(constant.sum()), int(unread.sum())
