"""An exported file in onnxruntime, beside what it was exported from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sluice.export.errors import ExportError
from sluice.extras import MissingExtraError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def open_session(content: bytes) -> InferenceSession:
    """The model in onnxruntime, on the CPU.

    Raises `ExportError` where the engine lacks an operation for these types.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "onnxruntime", "export") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its classes derive from nothing narrower
        raise ExportError(f"onnxruntime cannot run the file: {error}") from None


def run_session(session: InferenceSession, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The outputs by name."""
    names = [output.name for output in session.get_outputs()]
    try:
        found = session.run(names, {name: value.numpy() for name, value in inputs.items()})
    except Exception as error:
        raise ExportError(f"onnxruntime cannot run the file: {error}") from None
    return dict(zip(names, map(torch.from_numpy, found), strict=True))


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
