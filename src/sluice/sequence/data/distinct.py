"""The different values of an array that is mostly in order, as times are."""

from __future__ import annotations

import numpy as np

from sluice.sequence.data.ragged import Array


def find_distinct(values: Array) -> Array:
    """The different values in ascending order; without sorting if they are in order already.

    Args:
        values: (steps,), of any type that has an order.

    >>> find_distinct(np.array([1, 1, 3])).tolist(), find_distinct(np.array([3, 1, 3])).tolist()
    ([1, 3], [1, 3])
    """
    rises = values[1:] > values[:-1]
    if rises.all():
        return values
    if (values[1:] < values[:-1]).any():
        values = np.sort(values)
        rises = values[1:] > values[:-1]
    chosen: Array = values[np.concatenate((np.ones(min(len(values), 1), bool), rises))]
    return chosen


def count_distinct(values: Array) -> tuple[Array, Array]:
    """The different values in ascending order, and how often each occurs, int64."""
    if len(values) and (values == values[0]).all():
        return values[:1], np.array([len(values)])
    return np.unique(values, return_counts=True)
