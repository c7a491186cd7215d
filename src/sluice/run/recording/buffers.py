"""Tensors by name that recordings are written to, chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

TensorFactory = Callable[[str, tuple[int, ...], torch.dtype], Tensor]
"""Allocates a tensor of zeros for a name, of a shape and dtype."""


class TensorStore:
    """Tensors ``(recorded steps, batch, width)`` by name; ``factory`` allocates them."""

    def __init__(self, factory: TensorFactory | None = None) -> None:
        self._factory, self._tensors = factory or _allocate_in_memory, dict[str, Tensor]()
        self._closed_names = set[str]()

    def write(self, name: str, start: int, steps: int, rows: Tensor, every: int = 1) -> None:
        """Write ``rows``, every ``every``-th step of ``steps``, from step ``start`` on.

        A tensor of that name with another shape is replaced.
        """
        shape = (-(-steps // every), *rows.shape[1:])
        found = None if name in self._closed_names else self._tensors.get(name)
        if found is None or found.shape != shape:
            found = self._tensors[name] = self._factory(name, shape, rows.dtype)
            self._closed_names.discard(name)
        found[start // every : start // every + len(rows)] = rows

    def read(self, name: str) -> Tensor:
        """The tensor of that name."""
        return self._tensors[name]

    def close(self) -> None:
        """Leave all tensors as they are: what is written from now on is kept in memory."""
        self._factory, self._closed_names = _allocate_in_memory, set(self._tensors)


def _allocate_in_memory(name: str, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    return torch.zeros(shape, dtype=dtype)
