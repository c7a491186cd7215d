"""Arrays on disk that grow row by row: ``.npy`` files whose header is rewritten in place."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sluice.files import StrPath

_HEADER = 256
"""Bytes before the numbers; the format asks for a multiple of 64."""


class GrowingArray:
    """A ``.npy`` file, version 1.0, and the tensor that it is mapped to.

    Args:
        path: The file; one that is there is replaced, and whoever has mapped it keeps the old one.
        row_shape: The shape without its first dimension.
        dtype: That of the tensor.
    """

    def __init__(self, path: StrPath, row_shape: tuple[int, ...], dtype: torch.dtype) -> None:
        self.path, self.row_shape, self.dtype = Path(path), row_shape, dtype
        kind = torch.empty(0, dtype=dtype).numpy().dtype
        self._kind, self._row_bytes = kind, kind.itemsize * int(np.prod(row_shape, dtype=np.int64))
        self._array: NDArray[np.generic] = np.zeros((0, *row_shape), kind)
        self.path.unlink(missing_ok=True)
        self.path.touch()
        self._resize(0)

    def __len__(self) -> int:
        return len(self._array)

    def extend_to(self, rows: int) -> None:
        """Have at least so many rows; new ones are zero."""
        if rows > len(self._array):
            self._resize(rows)

    def _resize(self, rows: int) -> None:
        shape = (rows, *self.row_shape)
        with self.path.open("r+b") as file:
            os.truncate(file.fileno(), _HEADER + rows * self._row_bytes)
            file.write(_format_header(shape, self._kind))
        if rows and self._row_bytes:  # nothing cannot be mapped
            self._array = np.memmap(self.path, self._kind, "r+", _HEADER, shape)
        else:
            self._array = np.zeros(shape, self._kind)

    def read(self, start: int, stop: int) -> Tensor:
        """Rows ``start`` to ``stop`` − 1, in the file."""
        return torch.from_numpy(self._array[start:stop])

    def flush(self) -> None:
        """Write what is in memory only."""
        if isinstance(self._array, np.memmap):
            self._array.flush()


def _format_header(shape: tuple[int, ...], kind: np.dtype[np.generic]) -> bytes:
    about = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
    magic = np.lib.format.magic(1, 0)
    room = _HEADER - len(magic) - 2
    text = repr(about).encode().ljust(room - 1) + b"\n"
    assert len(text) == room
    return magic + room.to_bytes(2, "little") + text
