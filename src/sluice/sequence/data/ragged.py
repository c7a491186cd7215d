"""Sequences of different lengths in one array, in memory or memory-mapped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

Array = NDArray[Any]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RaggedArray(Sequence[Array]):
    """Slices of one array: sequence `i` is `flat[starts[i]:stops[i]]`.

    Selecting and slicing copy nothing, and a memory-mapped `flat` is read only where it is used.

    >>> ragged = RaggedArray.of([[7, 8, 9], [], [5]])
    >>> len(ragged), ragged[0].tolist(), ragged.lengths.tolist()
    (3, [7, 8, 9], [3, 0, 1])
    >>> ragged.select([2, 0])[1][1:].tolist(), ragged.slice_fraction(1 / 3, 1).lengths.tolist()
    ([8, 9], [2, 0, 1])

    Attributes:
        flat: (steps,) or (steps, features), any dtype.
        starts: the first step of each sequence, int64.
        stops: the step after its last, int64.
    """

    flat: Array
    starts: Indices
    stops: Indices

    @classmethod
    def of(cls, sequences: Iterable[ArrayLike], dtype: DTypeLike = np.int64) -> RaggedArray:
        """A copy of `sequences`, concatenated."""
        arrays = [np.asarray(sequence, dtype) for sequence in sequences]
        ends = np.cumsum([0, *(len(array) for array in arrays)], dtype=np.int64)
        flat = np.concatenate(arrays) if arrays else np.empty(0, dtype)
        return cls(flat, ends[:-1], ends[1:])

    @property
    def lengths(self) -> Indices:
        """The steps of each sequence, int64."""
        return self.stops - self.starts

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, index: int) -> Array: ...
    @overload
    def __getitem__(self, index: slice) -> RaggedArray: ...
    def __getitem__(self, index: int | slice) -> Array | RaggedArray:
        if isinstance(index, slice):
            return RaggedArray(self.flat, self.starts[index], self.stops[index])
        return self.flat[self.starts[index] : self.stops[index]]

    def __iter__(self) -> Iterator[Array]:
        return (self[index] for index in range(len(self)))

    def select(self, indices: Sequence[int]) -> RaggedArray:
        """The sequences at `indices`, in that order."""
        chosen = np.asarray(indices, np.int64)
        return RaggedArray(self.flat, self.starts[chosen], self.stops[chosen])

    def slice_fraction(self, first: float, last: float) -> RaggedArray:
        """Each sequence between two fractions of its length."""
        begin, end = (np.round(part * self.lengths).astype(np.int64) for part in (first, last))
        return RaggedArray(self.flat, self.starts + begin, self.starts + end)
