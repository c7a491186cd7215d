"""Rows that come in blocks, in one array that grows."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from sluice.sequence.data.ragged import Array

_SPARE = 8
"""It grows by an eighth, so that little memory is held that is not used."""


class RowBlocks:
    """Rows whose number is not known before the last; they are never held twice.

    >>> rows = RowBlocks((2,), "float64")
    >>> rows.extend(3)[:] = 1
    >>> rows.finish().shape
    (3, 2)
    """

    def __init__(self, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        self._whole = np.empty((0, *shape), dtype)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, row: int) -> object:
        return self._whole[: self._length][row]

    def extend(self, rows: int) -> Array:
        """A view of new rows, to be filled before the next call."""
        first, self._length = self._length, self._length + rows
        if self._length > len(self._whole):
            self._resize(self._length + self._length // _SPARE)
        return self._whole[first : self._length]

    def finish(self) -> Array:
        """All rows; nothing can be added afterwards."""
        self._resize(self._length)
        return self._whole

    def _resize(self, rows: int) -> None:
        # The system moves the pages of a large array instead of copying them.
        self._whole.resize((rows, *self._whole.shape[1:]), refcheck=False)
