"""Linear readouts fitted in closed form, and correlations."""

from __future__ import annotations

import torch
from torch import Tensor


def fit_ridge(x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """The weights of y ≈ [x, 1] W with least ‖y − [x, 1] W‖² + penalty · rows · ‖W‖².

    ``x`` is ``(rows, features)`` and ``y`` ``(rows, targets)``; the weights, ``(features + 1,
    targets)``, end with the constant, which is not penalised.
    """
    mean_x, mean_y = x.mean(0), y.mean(0)
    centred = x - mean_x
    scale = torch.full((x.shape[1],), penalty * len(x), dtype=x.dtype, device=x.device)
    gram = centred.T @ centred + torch.diag(scale)
    weights = torch.linalg.lstsq(gram, centred.T @ (y - mean_y), driver="gelsd").solution
    return torch.cat([weights, (mean_y - mean_x @ weights).unsqueeze(0)])


def predict(x: Tensor, weights: Tensor) -> Tensor:
    """[x, 1] W, ``(rows, targets)``."""
    return x @ weights[:-1] + weights[-1]


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """Pearson's correlation over the first dimension; 0 where one of the two does not vary."""
    a, b = a - a.mean(0), b - b.mean(0)
    scale = (a.square().sum(0) * b.square().sum(0)).sqrt()
    return torch.where(scale > 0, (a * b).sum(0) / scale.clamp_min(1e-300), 0.0)


def flatten_steps(values: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Recorded values ``(time, batch, width)`` as ``(rows, width)``, one sequence after another.

    Steps beyond ``lengths``, ``(batch,)``, are left out. ``(rows, width)`` stay as they are.
    Raises ValueError for another shape, or where no steps are left.
    """
    if values.dim() not in (2, 3):
        raise ValueError(
            f"values must be (time, batch, width) or (rows, width), got {tuple(values.shape)}"
        )
    if values.dim() == 3:
        kept = values.transpose(0, 1)
        if lengths is not None:
            steps = torch.arange(values.shape[0], device=values.device)
            values = kept[steps < lengths.to(values.device).unsqueeze(1)]
        else:
            values = kept.flatten(0, 1)
    if len(values) == 0:
        raise ValueError("there are no steps to measure: every sequence has length 0")
    return values
