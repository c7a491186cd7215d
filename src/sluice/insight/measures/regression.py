"""Values in standard units, linear readouts of them, and correlations."""

from __future__ import annotations

import torch
from torch import Tensor

from sluice.insight.checks import read_step_counts, require_numbers
from sluice.insight.measures.norms import compute_norm


def standardise(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Columns less their means, divided by their standard deviations; the means and these.

    In float64, whatever the size of the numbers. A column that does not vary is divided by 1.
    """
    wide, scale = x.double(), find_scale(x.double())
    scaled = wide / scale
    means = scaled.mean(0)
    deviation = compute_norm(scaled - means, 0) / len(wide) ** 0.5
    # A constant less its mean may be a rounding error.
    deviation = torch.where(wide.amax(0) > wide.amin(0), deviation, 0)
    unit = torch.where(deviation > 0, deviation, 1.0)
    centred = torch.where(deviation > 0, scaled - means, 0.0)
    return centred / unit, means * scale, unit * scale


def undo_standardise(weights: Tensor, means: Tensor, sizes: Tensor) -> Tensor:
    """Weights of what `standardise` gives, the constant last, as those of the columns."""
    raw = weights[:-1] / sizes.unsqueeze(1)
    constant = weights[-1] - ((means / sizes).unsqueeze(0) @ weights[:-1]).squeeze(0)
    return torch.cat([raw, constant.unsqueeze(0)])


def predict(x: Tensor, weights: Tensor) -> Tensor:
    """[x, 1] W, ``(rows, targets)``."""
    return x @ weights[:-1] + weights[-1]


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """Pearson's correlation over the first dimension; 0 where one of the two does not vary."""
    (a, _, _), (b, _, _) = standardise(a), standardise(b)
    return (a * b).mean(0)


def find_scale(values: Tensor) -> Tensor:
    """The largest absolute number of each column; 1 where that is 0 or not finite.

    Divided by it, columns have squares that are neither 0 nor infinite for their size alone.
    """
    peak = values.abs().amax(0)
    return torch.where((peak > 0) & peak.isfinite(), peak, 1.0)


def flatten_steps(values: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Recorded values ``(time, batch, width)`` as ``(rows, width)``, one sequence after another.

    Steps beyond ``lengths``, ``(batch,)``, are left out. ``(rows, width)`` stay as they are.
    Raises ValueError for another shape or lengths that do not fit it, or where no steps are left.
    """
    require_numbers(values, "values", finite=False)
    if values.dim() not in (2, 3):
        raise ValueError(
            f"values must be (time, batch, width) or (rows, width), got {tuple(values.shape)}"
        )
    if values.dim() == 3:
        kept = values.transpose(0, 1)
        if lengths is not None:
            counts = read_step_counts(lengths, *values.shape[:2]).to(values.device)
            steps = torch.arange(values.shape[0], device=values.device)
            values = kept[steps < counts.unsqueeze(1)]
        else:
            values = kept.flatten(0, 1)
    if len(values) == 0:
        raise ValueError("there are no steps to measure: every sequence has length 0")
    return values
