"""Torch's exporter to ONNX, which knows no translation of our operator by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

from sluice.errors import SluiceError

_is_translated = ContextVar("is_translated", default=False)


class UntranslatedOperatorError(SluiceError, NotImplementedError):
    """`torch.onnx.export` met a layer of Sluice's; the message says how to export it."""


@contextmanager
def translate_operator() -> Iterator[None]:
    """Inside, `torch.onnx.export` is given a translation of our operator."""
    token = _is_translated.set(True)
    try:
        yield
    finally:
        _is_translated.reset(token)


def refuse_untranslated() -> None:
    """Raise `UntranslatedOperatorError` inside `torch.onnx.export` called by anyone else."""
    if torch.onnx.is_in_onnx_export() and not _is_translated.get():
        raise UntranslatedOperatorError(
            "torch.onnx.export has no translation of Sluice's layers; write the file with "
            "sluice.export.onnx(model, path, inputs=...), or first make the layers torch's own "
            'with sluice.nn.convert(model, to="torch")'
        )
