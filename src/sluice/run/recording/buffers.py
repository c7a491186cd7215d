"""Tensors by name that recordings are written to, chunk by chunk."""

from __future__ import annotations

import torch
from torch import Tensor


class TensorStore:
    """Tensors ``(recorded steps, batch, width)`` by name, in memory."""

    def __init__(self) -> None:
        self._tensors = dict[str, Tensor]()

    def write(self, name: str, start: int, total: int, rows: Tensor) -> None:
        """Write ``rows`` from row ``start`` on of a tensor of ``total`` rows.

        A tensor of that name with another shape is replaced.
        """
        shape = (total, *rows.shape[1:])
        found = self._tensors.get(name)
        if found is None or found.shape != shape:
            found = self._tensors[name] = torch.zeros(shape, dtype=rows.dtype)
        found[start : start + len(rows)] = rows

    def clear(self, name: str) -> None:
        """Forget what was written by that name."""
        self._tensors.pop(name, None)

    def read(self, name: str) -> Tensor:
        """The tensor of that name."""
        return self._tensors[name]
