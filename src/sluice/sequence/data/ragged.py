"""Sequences of different lengths in one array, in memory or mapped from a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RaggedArray(Sequence[Array]):
    """Parts of one array, each a sequence: part `i` is `flat[starts[i]:stops[i]]`.

    Choosing and cutting copy nothing, and a file behind `flat` is read only where it is asked for.

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
    def of(cls, sequences: Iterable[Any], dtype: Any = np.int64) -> RaggedArray:
        """A copy of `sequences`, laid end to end."""
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
    def __getitem__(self, place: int) -> Array: ...
    @overload
    def __getitem__(self, place: slice) -> RaggedArray: ...
    def __getitem__(self, place: int | slice) -> Array | RaggedArray:
        if isinstance(place, slice):
            return RaggedArray(self.flat, self.starts[place], self.stops[place])
        return self.flat[self.starts[place] : self.stops[place]]

    def __iter__(self) -> Iterator[Array]:
        return (self[place] for place in range(len(self)))

    def select(self, indices: Sequence[int]) -> RaggedArray:
        """The sequences at `places`, in that order."""
        chosen = np.asarray(indices, np.int64)
        return RaggedArray(self.flat, self.starts[chosen], self.stops[chosen])

    def slice_fraction(self, first: float, last: float) -> RaggedArray:
        """Of each sequence the part between two fractions of its length."""
        begin, end = (np.round(part * self.lengths).astype(np.int64) for part in (first, last))
        return RaggedArray(self.flat, self.starts + begin, self.starts + end)
