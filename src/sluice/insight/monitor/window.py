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
        constant = sum(
            int((found.low == found.high).sum())
            for found in (self._join(name) for name in measurement.outputs)
            if found is not None
        )
        return replace(
            seen, values=values, constant_units=constant, unread_units=self._count_unread()
        )

    def _count_shut(self, name: str, one: ValueStatistics) -> ValueStatistics:
        found, seen = self._join(name), self._found[-1].seen
        if one.kind != "gate" or found is None:
            return one
        if name == seen.memory_gate:
            shut, opened = found.high < NEAR, found.low > MEMORY_OPEN
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

    def _join(self, name: str) -> UnitRange | None:
        parts = [one.ranges[name] for one in self._found if name in one.ranges]
        if len(parts) < len(self._found) or len({one.low.shape for one in parts}) > 1:
            return None
        return reduce(UnitRange.join, parts)

    def _count_unread(self) -> int:
        """Units whose derivatives were all 0; a derivative that is missing counts as unknown."""
        total = 0
        for name in self._found[-1].outputs:
            parts = [one.derivatives.get(name) for one in self._found]
            known = [one for one in parts if one is not None]
            if len(known) == len(parts) and len({one.shape for one in known}) == 1:
                total += int((torch.stack(known).amax(0) == 0).sum())
        return total
