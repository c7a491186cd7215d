"""Cells that are deep within a step."""

from __future__ import annotations

from sluice.cells.cell import Cell
from sluice.cells.declarations import Gate, Map
from sluice.equations.ops import Value, sigmoid, tanh


class RecurrentHighway(Cell):
    """The recurrent highway network: ``depth`` gated layers from step to step (Zilly et al. 2017,
    equations 7 to 9, with the carry gate 1 − t).

    Good for: language models; depth from step to step gave more than stacked layers.
    """

    first, first_transform = Gate(), Gate()
    deeper, deeper_transform = Map(count="more"), Map(count="more")

    def __init__(self, depth: int = 3) -> None:
        if depth < 2:
            raise ValueError(f"depth must be at least 2, got {depth}")
        self.more = depth - 1

    def step(self, x: Value, s: Value) -> dict[str, Value]:
        t = sigmoid(self.first_transform(x, s))
        s = tanh(self.first(x, s)) * t + s * (1.0 - t)
        for layer, transform in zip(self.deeper, self.deeper_transform, strict=True):
            t = sigmoid(transform(s))
            s = tanh(layer(s)) * t + s * (1.0 - t)
        return dict(s=s)
