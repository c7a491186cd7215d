"""Functions of whole rows for a cell's ``step``: sums and maxima over units, and what they make.

On symbols they yield nodes, on tensors ``(..., units)`` they compute. A reduction gives one number
a row, ``(..., 1)``, which stands beside values of any width; with ``heads`` it gives one for each
of so many groups of units.
"""

from __future__ import annotations

from torch import Tensor

from sluice.equations.graph import Node, as_node
from sluice.equations.ops import Value, detach, exp, log, maximum, sqrt
from sluice.equations.row_maps import (
    CUMULATIVE_SUM,
    MAXIMUM,
    REPEAT,
    REVERSE_CUMULATIVE_SUM,
    SUM,
    SUM_TILES,
    TILE,
    apply_row_map,
    with_groups,
)
from sluice.equations.row_nodes import find_size, row_map
from sluice.equations.specs import CONSTANT
from sluice.equations.symbol import EquationError
from sluice.equations.widths import divide_width, multiply_widths


def sum_units(a: Value, heads: int = 1) -> Value:
    """The sum over a row's units.

    Example:
        >>> import torch
        >>> sum_units(torch.tensor([1.0, 2.0, 3.0, 4.0]), heads=2)
        tensor([3., 7.])
    """
    heads = _read_count("heads", heads)
    return _map_row(SUM, a, str(heads))


def mean_units(a: Value, heads: int = 1) -> Value:
    """The mean over a row's units."""
    heads = _read_count("heads", heads)
    units = find_size(a.width) if isinstance(a, Node) else float(_find_width(a))
    return sum_units(a, heads) / (units / heads if heads > 1 else units)


def max_units(a: Value, heads: int = 1) -> Value:
    """The greatest of a row's units; equal ones share the gradient, as in torch.amax."""
    heads = _read_count("heads", heads)
    return _map_row(with_groups(MAXIMUM, heads), a, str(heads))


def softmax(a: Value, heads: int = 1) -> Value:
    """exp(a) over its sum over a row's units, or over those of each head."""
    heads = _read_count("heads", heads)
    powers = exp(a - _spread(detach(max_units(a, heads)), a, heads))
    return powers / _spread(sum_units(powers, heads), a, heads)


def log_sum_exp(a: Value) -> Value:
    """The logarithm of the sum of exp(a) over a row's units."""
    peak = detach(max_units(a))
    return peak + log(sum_units(exp(a - peak)))


def rms_norm(a: Value, epsilon: float = 1e-5, heads: int = 1) -> Value:
    """a over the root of its mean square, over a row's units or those of each head, without a
    weight (Zhang & Sennrich 2019).

    Example:
        >>> import torch
        >>> rms_norm(torch.tensor([3.0, 3.0, 5.0, -5.0]), heads=2)
        tensor([ 1.0000,  1.0000,  1.0000, -1.0000])
    """
    return a / _spread(sqrt(mean_units(a * a, heads) + epsilon), a, heads)


def dot(a: Value, b: Value) -> Value:
    """The sum of a ⊙ b over a row's units."""
    return sum_units(a * b)


def cosine_similarity(a: Value, b: Value, epsilon: float = 1e-8) -> Value:
    """The dot product over both lengths, each at least ``epsilon``, as in torch."""
    least = epsilon**2  # below the root, so that a row of zeros has a gradient
    return dot(a, b) / (sqrt(maximum(dot(a, a), least)) * sqrt(maximum(dot(b, b), least)))


def cumulative_sum(a: Value, reverse: bool = False) -> Value:
    """At each unit the sum of all up to it, or, in ``reverse``, of all from it on."""
    return _map_row(REVERSE_CUMULATIVE_SUM if reverse else CUMULATIVE_SUM, a, _find_width(a))


def cumulative_softmax(a: Value) -> Value:
    """The cumulative sum of the softmax: a soft step from 0 to 1 (Shen et al. 2019)."""
    return cumulative_sum(softmax(a))


def repeat(a: Value, times: int | None = None, *, like: Value | None = None) -> Value:
    """Each unit ``times`` times in turn, or as often as makes the row as wide as ``like``.

    Example:
        >>> import torch
        >>> repeat(torch.tensor([1.0, 2.0]), 3)
        tensor([1., 1., 1., 2., 2., 2.])
    """
    return _map_row(REPEAT, a, _find_target(a, times, like))


def tile(a: Value, times: int | None = None, *, like: Value | None = None, heads: int = 1) -> Value:
    """The whole row, or that of each head, ``times`` times, or until it is as wide as ``like``.

    Example:
        >>> import torch
        >>> tile(torch.tensor([1.0, 2.0]), 3)
        tensor([1., 2., 1., 2., 1., 2.])
    """
    heads = _read_count("heads", heads)
    return _map_row(with_groups(TILE, heads), a, _find_target(a, times, like))


def outer(a: Value, b: Value, heads: int = 1) -> Value:
    """The outer product of two rows, or of each head's parts, as one row.

    It holds a matrix with a row for each unit of ``a``, one after another, so that its width is
    that of ``a`` times that of one head of ``b``.
    """
    heads = _read_count("heads", heads)
    width = multiply_widths(_find_width(a), divide_width(_find_width(b), str(heads)))
    return _map_row(REPEAT, a, width) * _map_row(with_groups(TILE, heads), b, width)


def matvec(matrix: Value, vector: Value, heads: int = 1) -> Value:
    """A matrix, laid out as `outer` does, times a vector: sums along its rows."""
    heads = _read_count("heads", heads)
    products = matrix * tile(vector, like=matrix, heads=heads)
    return _map_row(SUM, products, _find_other_side(matrix, vector, heads))


def vecmat(vector: Value, matrix: Value, heads: int = 1) -> Value:
    """A vector times a matrix laid out as `outer` does: sums along its columns."""
    heads = _read_count("heads", heads)
    products = matrix * repeat(vector, like=matrix)
    return _map_row(
        with_groups(SUM_TILES, heads), products, _find_other_side(matrix, vector, heads)
    )


def _spread(a: Value, like: Value, heads: int) -> Value:
    """One number for each head as wide as ``like``; one number a row stands beside it as it is."""
    return a if heads == 1 else repeat(a, like=like)


def _find_other_side(matrix: Value, vector: Value, heads: int) -> str:
    """The width of what a matrix makes of a vector that lies along one of its sides."""
    return multiply_widths(divide_width(_find_width(matrix), _find_width(vector)), str(heads))


def _find_target(a: Value, times: int | None, like: Value | None) -> str:
    if (times is None) == (like is None):
        raise EquationError("repeat and tile must be given a number of times, or like=, a value")
    if like is not None:
        return _find_width(like)
    return multiply_widths(_find_width(a), str(_read_count("the number of times", times)))


def _read_count(name: str, count: object) -> int:
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise EquationError(f"{name} must be a whole number of at least 1, got {count!r}")
    return count


def _find_width(a: Value) -> str:
    """The width of a symbol; the number of units of a tensor."""
    if isinstance(a, Tensor):
        return str(a.shape[-1])
    return a.width if isinstance(a, Node) else CONSTANT


def _map_row(op: str, a: Value, width: str) -> Value:
    if isinstance(a, Tensor):
        return apply_row_map(op, a, int(width))
    return row_map(op, as_node(a), width)
