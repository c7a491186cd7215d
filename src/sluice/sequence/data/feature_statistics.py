"""Mean and standard deviation of features, for normalising."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sluice.sequence.data.ragged import Array


@dataclass(frozen=True)
class FeatureStatistics:
    """Mean and standard deviation of each feature, missing values ignored.

    >>> statistics = FeatureStatistics(("x",), (2.0,), (4.0,))
    >>> statistics.denormalise(statistics.normalise(np.array([[10.0]])))
    array([[10.]], dtype=float32)
    """

    features: tuple[str, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def normalise(self, values: Array) -> Array:
        """(..., features), float32, with mean 0 and deviation 1."""
        scaled: Array = (values - np.asarray(self.mean)) / np.asarray(self.deviation)
        return scaled.astype(np.float32)

    def denormalise(self, values: Array, features: Sequence[str] | None = None) -> Array:
        """The inverse of `normalise`: (..., features), of all features or those named."""
        columns = [self.features.index(name) for name in features or self.features]
        scale, mean = np.asarray(self.deviation)[columns], np.asarray(self.mean)[columns]
        restored: Array = values * scale + mean
        return restored.astype(np.float32)
