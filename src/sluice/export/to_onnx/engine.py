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
