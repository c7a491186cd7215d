"""Quantiles of forecasts: their loss, their order, their calibration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sluice.sequence.errors import SequenceError

DEFAULT_QUANTILES = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
"""The median, and the ends of the intervals of 50 %, 80 % and 95 %."""
_FEWEST_FOR_A_STEP = 40
"""Values of a step ahead that are enough to calibrate its intervals alone."""


def require_quantiles(quantiles: Sequence[float]) -> tuple[float, ...]:
    """Quantiles as a tuple, or none.

    Raises:
        SequenceError: quantiles that do not rise between 0 and 1, symmetric around 0.5.
    """
    given = tuple(float(level) for level in quantiles)
    rises = all(low < high for low, high in zip((0.0, *given), (*given, 1.0), strict=True))
    mirrored = all(abs(a + b - 1) < 1e-9 for a, b in zip(given, given[::-1], strict=True))
    if given and not (rises and mirrored and len(given) % 2):
        raise SequenceError(
            "quantiles must rise between 0 and 1 and be symmetric around 0.5, which is one of "
            f"them, as in 0.1, 0.5, 0.9; got {', '.join(map(str, given))}."
        )
    return given


class Interval(NamedTuple):
    """An interval between two quantiles: its percentage, and the numbers of its two levels."""

    percent: float
    low: int
    high: int


def list_intervals(quantiles: Sequence[float]) -> tuple[Interval, ...]:
    """The intervals that quantiles bound, the narrowest first.

    >>> [(one.percent, one.low, one.high) for one in list_intervals((0.1, 0.25, 0.5, 0.75, 0.9))]
    [(50.0, 1, 3), (80.0, 0, 4)]
    """
    last = len(quantiles) - 1
    pairs = [(low, last - low) for low in reversed(range(len(quantiles) // 2))]
    # The last digits of a difference come of float arithmetic.
    return tuple(
        Interval(float(np.round(100 * (quantiles[high] - quantiles[low]), 6)), low, high)
        for low, high in pairs
    )


def weigh_quantiles(quantiles: Sequence[float]) -> Tensor:
    """The share of (0, 1) that each quantile stands for, (quantiles,), float64.

    It reaches to the middle between neighbours; the first reaches down to 0, the last up to 1.

    >>> weigh_quantiles((0.1, 0.5, 0.9)).tolist()
    [0.3, 0.4, 0.3]
    """
    levels = torch.tensor(quantiles, dtype=torch.float64)
    middles = (levels[1:] + levels[:-1]) / 2
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
    return torch.cat((ends[:1], middles, ends[1:])).diff().round(decimals=12)


def compute_crps(forecasts: Tensor, truth: Tensor, quantiles: Sequence[float]) -> Tensor:
    """The continuous ranked probability score, from quantiles: of the shape of `truth`.

    It is the integral over levels of twice the pinball loss (Koenker & Bassett 1978; Gneiting &
    Raftery 2007, section 4.2), here a sum weighted by `weigh_quantiles`, in the unit of the values;
    0 where the truth is NaN.

    Args:
        forecasts: (..., quantiles).
        truth: (...).
        quantiles: their levels.

    >>> compute_crps(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([4.0]), (0.1, 0.5, 0.9))
    tensor([1.5200])
    """
    levels = forecasts.new_tensor(quantiles)
    error = truth[..., None] - forecasts
    pinball = torch.maximum(levels * error, (levels - 1) * error)
    weights = 2 * weigh_quantiles(quantiles).to(forecasts)
    return (pinball * weights).sum(-1).masked_fill(truth.isnan(), 0)


def order_quantiles(outputs: Tensor) -> Tensor:
    """Quantiles that never cross, from a readout's outputs (..., quantiles).

    The middle output is the median; each other one is its distance from its inner neighbour,
    through a softplus.
    """
    middle = outputs.shape[-1] // 2
    steps = functional.softplus(outputs)
    median = outputs[..., middle : middle + 1]
    above = median + steps[..., middle + 1 :].cumsum(-1)
    below = median - steps[..., :middle].flip(-1).cumsum(-1).flip(-1)
    return torch.cat((below, median, above), -1)


def stretch_intervals(ordered: Tensor, factors: Tensor) -> Tensor:
    """Ordered quantiles with the distance of each from the median multiplied by a factor.

    None passes its inner neighbour.

    Args:
        ordered: (..., quantiles).
        factors: the same shape, or one that broadcasts.
    """
    middle = ordered.shape[-1] // 2
    median = ordered[..., middle : middle + 1]
    moved = median + factors * (ordered - median)
    above = moved[..., middle:].cummax(-1).values
    below = moved[..., : middle + 1].flip(-1).cummin(-1).values.flip(-1)
    return torch.cat((below[..., :-1], above), -1)


def fit_factors(
    ordered: Tensor, truth: Tensor, quantiles: Sequence[float], independent: float | None = None
) -> Tensor:
    """By how much to stretch each interval, so that it holds its share of `truth`: (quantiles,).

    Conformalised quantile regression (Romano, Patterson & Candès 2019) with the score of
    Kivaranovic, Johnson & Leeb 2020: a value's distance from the median, divided by that of the
    interval's end on its side. The factor is the quantile of the scores at level
    (1 - α)(1 + 1/n), or the largest score, if that is above 1. It holds for exchangeable values,
    which the steps of a series are only roughly: of forecasts h steps ahead, whose errors share all
    but one step with their neighbours', only every h-th counts in n.

    Args:
        ordered: (values, quantiles).
        truth: (values,), none missing.
        quantiles: their levels.
        independent: how many of the values are independent; default all.

    >>> ordered, truth = torch.tensor([[-1.0, 0.0, 1.0]] * 9), torch.arange(-4.0, 5.0)
    >>> fit_factors(ordered, truth, (0.1, 0.5, 0.9)).tolist()
    [4.0, 1.0, 4.0]
    """
    count, middle = len(truth), len(quantiles) // 2
    spread = 1 + 1 / max(count if independent is None else independent, 1e-9)
    factors = torch.ones(len(quantiles), dtype=torch.float64)
    distance = truth - ordered[:, middle]
    for low in range(middle if count else 0):
        high = len(quantiles) - 1 - low
        ends = torch.where(distance > 0, ordered[:, high], ordered[:, low]) - ordered[:, middle]
        scores = distance / torch.where(ends == 0, torch.finfo(ends.dtype).tiny, ends)
        rank = min(count, (quantiles[high] - quantiles[low]) * spread * count)
        factors[low] = factors[high] = scores.kthvalue(max(1, math.ceil(rank - 1e-9))).values
    return factors


def fit_all_factors(
    ordered: Tensor, truth: Tensor, quantiles: Sequence[float], horizon: int
) -> Tensor:
    """`fit_factors` of each step ahead and target, if there are values enough for that, else of
    each target: (outputs × quantiles,).

    Args:
        ordered: (values, outputs, quantiles).
        truth: (values, outputs), NaN where it is missing.
        quantiles: their levels.
        horizon: the steps ahead; outputs are ordered by step.
    """
    known, outputs = ~truth.isnan(), truth.shape[1]
    width = outputs // horizon
    apart = int(known.sum(dim=0).min()) >= _FEWEST_FOR_A_STEP
    factors = list[Tensor]()
    for output in range(outputs):
        pooled = slice(output, output + 1) if apart else slice(output % width, None, width)
        used = known[:, pooled]
        # Forecasts h steps ahead from h steps in a row overlap; pooled, (h + 1) / 2 of them.
        overlap = output // width + 1 if apart else horizon * (horizon + 1) / 2
        found, wanted = ordered[:, pooled][used], truth[:, pooled][used]
        factors.append(fit_factors(found, wanted, quantiles, int(used.sum()) / overlap))
    return torch.cat(factors)
