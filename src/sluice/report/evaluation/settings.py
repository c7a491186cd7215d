"""What the caller of an evaluation may choose."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EvaluationSettings:
    """Choices that a kind of model may need.

    Attributes:
        period: the length of a season in steps, for the baselines of a forecast.
    """

    period: int | None = None
