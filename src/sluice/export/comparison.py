"""How far results of another engine are from ours, and how far rounding may bring them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from sluice.export.errors import ExportError


def measure_difference(
    found: Mapping[str, Tensor], expected: Mapping[str, Tensor], tolerance: float, case: str
) -> float:
    """The greatest difference of any output, relative to the greatest magnitude beyond 1.

    ``expected`` are in float64. Raises `ExportError` where it exceeds ``tolerance``.
    """
    worst = 0.0
    for name, value in expected.items():
        own = found[name]
        if own.shape != value.shape:
            raise ExportError(
                f"{case}: '{name}' has the shape {tuple(own.shape)}, expected {tuple(value.shape)}"
            )
        scale = max(1.0, float(value.abs().max())) if value.numel() else 1.0
        gap = (own.double() - value).abs() / scale
        gap = gap.nan_to_num(nan=torch.inf)
        difference = float(gap.max()) if gap.numel() else 0.0
        if difference > tolerance:
            raise ExportError(
                f"{case}: '{name}' differs from ours by {difference:.2g} (relative to {scale:.2g})"
                f", more than {tolerance:.2g}; nothing was written. With check=False the file is "
                "written as it is"
            )
        worst = max(worst, difference)
    return worst


_LEAST_TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-9}
_ROUNDING = 50.0
"""How many times our own error in a dtype the error of a file of this dtype may be."""


def find_tolerance(
    rounded: Mapping[str, Tensor], exact: Mapping[str, Tensor], dtype: torch.dtype
) -> float:
    """What rounding explains, by our own results in ``dtype`` and in float64."""
    error = max(_measure_error(rounded[name], exact[name]) for name in exact)
    return max(_LEAST_TOLERANCE[dtype], _ROUNDING * error)


def _measure_error(own: Tensor, exact: Tensor) -> float:
    if not exact.numel():
        return 0.0
    scale = max(1.0, float(exact.abs().max()))
    return float((own.double() - exact).abs().max()) / scale
