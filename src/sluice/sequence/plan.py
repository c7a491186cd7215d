"""How long to train and how fast to learn."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sluice.sequence.errors import SequenceError


@dataclass(frozen=True)
class Plan:
    """How to train, and for how long: `seconds` of wall clock or `epochs`, exactly one of them.

    With `epochs` a seed repeats a run exactly (for a fixed number of threads); with `seconds`
    the number of steps depends on the machine's speed.

    The learning rate rises linearly over the first `warmup` part of the budget to its peak and
    falls along a cosine to nothing at the end. AdamW (Loshchilov & Hutter 2019), gradients
    clipped to a norm of `clip` (Pascanu et al. 2013).

    Raises:
        SequenceError: no budget or two, or a value that is not positive.
    """

    seconds: float | None = None
    epochs: float | None = None
    batch_size: int = 32
    learning_rate: float = 4e-3
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    validations: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.seconds is None) == (self.epochs is None):
            raise SequenceError("Give training either seconds or epochs, one of the two.")
        for name in ("seconds", "epochs", "batch_size", "learning_rate", "clip", "validations"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise SequenceError(f"{name} is above 0, but {value} came.")
        if not 0 <= self.warmup < 1:
            raise SequenceError(f"warmup lies in [0, 1), but {self.warmup} came.")


def learning_rate(part: float, plan: Plan) -> float:
    """The learning rate when `part` (0 to 1) of the budget is spent."""
    if part < plan.warmup:
        return plan.learning_rate * max(part / plan.warmup, 0.01)
    fall = (part - plan.warmup) / (1 - plan.warmup)
    return plan.learning_rate * 0.5 * (1 + math.cos(math.pi * min(fall, 1.0)))
