"""Stretches of time over which a unit holds its value."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class ConstantSpan(NamedTuple):
    """A stretch over which a unit's value stays, as `find_constant_spans` gives it."""

    unit: int
    sequence: int
    start: int
    """The first step."""
    stop: int
    """The step behind the last."""
    value: float
    """The mean value."""

    def __len__(self) -> int:
        return self.stop - self.start


def find_constant_spans(
    values: Tensor,
    tolerance: float = 0.05,
    shortest: int = 10,
    lengths: Tensor | None = None,
) -> list[ConstantSpan]:
    """Where units hold their values: the linear update of a cell state can be constant for long.

    A span is as long as its largest and its least value differ by at most ``tolerance`` of the
    unit's range over the whole recording; spans are taken from the first step on and do not
    overlap. A unit that never varies holds nothing and has none.

    Args:
        values: A recorded state, ``(time, batch, hidden)``, such as ``tape.c``.
        tolerance: As a share of the unit's range.
        shortest: The least number of steps.
        lengths: How many steps of each sequence count, ``(batch,)``; None for all.

    Returns:
        The spans, the longest first.

    Raises:
        ValueError: another number of dimensions, tolerance not in [0, 1), or shortest below 2.

    Example:
        >>> import torch
        >>> c = torch.tensor([0.0, 1.0, 1.0, 1.01, 1.0, -1.0])[:, None, None]
        >>> [(span.start, span.stop) for span in find_constant_spans(c, shortest=3)]
        [(1, 5)]
    """
    if values.dim() != 3 or not 0 <= tolerance < 1 or shortest < 2:
        raise ValueError(
            "values must be (time, batch, hidden), tolerance in [0, 1) and shortest at least 2, "
            f"got {tuple(values.shape)}, {tolerance} and {shortest}"
        )
    steps, batch, _ = values.shape
    v = values.detach().double().cpu()
    ends = torch.full((batch,), steps) if lengths is None else lengths.cpu()
    valid = (torch.arange(steps)[:, None] < ends)[..., None]
    highest = torch.where(valid, v, -torch.inf).amax((0, 1)) if steps and batch else v.sum((0, 1))
    lowest = torch.where(valid, v, torch.inf).amin((0, 1)) if steps and batch else v.sum((0, 1))
    allowed = tolerance * (highest - lowest)
    varies = (highest > lowest).expand(v.shape[1:])
    start, found = torch.zeros(v.shape[1:], dtype=torch.int64), list[ConstantSpan]()
    low = high = torch.zeros(v.shape[1:], dtype=v.dtype)
    for step in range(steps + 1):
        if step == 0:
            low = high = v[0] if steps else low
            continue
        going = torch.zeros_like(varies)
        if step < steps:
            now = v[step]
            going = (torch.maximum(high, now) - torch.minimum(low, now) <= allowed) & valid[step]
        closed = ~going & varies & (step - start >= shortest) & (start < ends[:, None])
        for sequence, unit in closed.nonzero().tolist():
            first = int(start[sequence, unit])
            mean = float(v[first:step, sequence, unit].mean())
            found.append(ConstantSpan(unit, sequence, first, step, mean))
        if step < steps:
            low = torch.where(going, torch.minimum(low, now), now)
            high = torch.where(going, torch.maximum(high, now), now)
            start = torch.where(going, start, step)
    return sorted(found, key=lambda span: span.start - span.stop)
