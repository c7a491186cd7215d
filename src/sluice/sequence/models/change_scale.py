"""Means and deviations of values and of their changes, in one pass over a source."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from sluice.sequence.batch import BatchSource


@dataclass
class RunningMoments:
    """Mean and deviation of the columns of rows that come in parts; NaN is left out.

    Sums of differences from the first mean stay accurate if the mean is far from 0.
    """

    origin: Tensor | None = None
    count: Tensor = field(default_factory=lambda: torch.zeros(()))
    total: Tensor = field(default_factory=lambda: torch.zeros(()))
    squares: Tensor = field(default_factory=lambda: torch.zeros(()))

    def update(self, rows: Tensor) -> None:
        """Add (rows, columns)."""
        rows = rows.double().cpu()
        if self.origin is None:
            self.origin = rows.nanmean(dim=0).nan_to_num()
        differences = (rows - self.origin).nan_to_num()
        self.count = self.count + (~rows.isnan()).sum(dim=0)
        self.total = self.total + differences.sum(dim=0)
        self.squares = self.squares + differences.square().sum(dim=0)

    def compute(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation of each column, (columns,), float64; of no value, 0 and 0."""
        if self.origin is None:
            return torch.zeros(()), torch.zeros(())
        known = self.count.clamp_min(1)
        mean = self.total / known
        deviation = (self.squares / known - mean.square()).clamp_min(0).sqrt()
        return self.origin + mean, deviation


@dataclass(frozen=True)
class ChangeScale:
    """Means and deviations of changes, float64.

    Attributes:
        mean, deviation: of each feature's change in a step, (features,).
        ahead_mean, ahead_deviation: of the changes to forecast, (horizon × targets,).
    """

    mean: Tensor
    deviation: Tensor
    ahead_mean: Tensor
    ahead_deviation: Tensor


def fit_changes(source: BatchSource, targets: tuple[int, ...], features: int) -> ChangeScale:
    """The scale of the changes in a source's inputs, and from its inputs to its targets."""
    step, ahead, size = RunningMoments(), RunningMoments(), RunningMoments()
    for batch in source.batches(0):
        values = batch.inputs[..., :features].double()
        size.update(values.abs().flatten(0, 1))
        later = values[1:] - values[:-1]
        counts = torch.arange(1, len(values))[:, None]
        apart = torch.zeros(1, dtype=torch.bool) if batch.resets is None else batch.resets[1:]
        if batch.lengths is not None:
            apart = apart | (counts >= batch.lengths)
        step.update(later.masked_fill(apart[..., None], torch.nan).flatten(0, 1))
        places = list(targets) * (batch.targets.shape[-1] // len(targets))
        ahead.update((batch.targets.double() - values[..., places]).flatten(0, 1))
    mean, deviation = _floor(*step.compute(), size.compute()[0])
    size_ahead = size.compute()[0][list(targets)].repeat(len(ahead.compute()[0]) // len(targets))
    return ChangeScale(mean, deviation, *_floor(*ahead.compute(), size_ahead))


def _floor(mean: Tensor, deviation: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
    """A change that is always the same is no reason to divide by its rounding."""
    least = torch.maximum(1e-3 * (mean.square() + deviation.square()).sqrt(), 1e-9 * size)
    deviation = torch.maximum(deviation, least)
    return mean, torch.where(deviation > 0, deviation, 1.0)
