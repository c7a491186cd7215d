"""What a file gives beside what it was written from, in its own dtype and in float64."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import Tensor, nn

from sluice.export.errors import ExportError
from sluice.nn.stack import RecurrentStack
from sluice.run.dispatch import REFERENCE


class Original:
    """A layer or a model in evaluation, run by the reference, and the same in float64."""

    def __init__(self, module: nn.Module) -> None:
        self._own = deepcopy(module).cpu().eval()
        for layer in self._own.modules():
            if isinstance(layer, RecurrentStack):
                layer.backend = REFERENCE
        self._exact = deepcopy(self._own).double()

    def compare(self, x: Tensor, found: Tensor, case: str) -> float:
        """The greatest difference of ``found`` from the output for ``x``, both batch first.

        Raises `ExportError` where it is more than rounding explains.
        """
        with torch.no_grad():
            exact, rounded = ({"output": _call(one, x)} for one in (self._exact, self._own))
        tolerance = find_tolerance(rounded, exact, rounded["output"].dtype)
        return measure_difference({"output": found}, exact, tolerance, case)


def _call(module: nn.Module, x: Tensor) -> Tensor:
    x = x.to(next(module.parameters()).dtype) if x.is_floating_point() else x.long()
    is_batch_first = isinstance(module, RecurrentStack) and module.batch_first
    y: Tensor = module(x if is_batch_first else x.transpose(0, 1))[0]
    return y if is_batch_first or y.dim() < 3 else y.transpose(0, 1)


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
