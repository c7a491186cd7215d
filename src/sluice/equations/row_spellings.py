"""How torch and NumPy spell what is made of whole rows: reductions over the last dimension.

A value of a step is a row of units for each sequence; its last dimension is 1, or -1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sluice.equations import ops, rows
from sluice.equations.ops import Value
from sluice.equations.spellings import OPERATIONS
from sluice.equations.symbol import EquationError

_LAST = (-1, 1, (-1,), (1,), [-1], [1])


def _require_last(name: str, written: str, dim: object) -> None:
    if dim not in _LAST:
        raise EquationError(
            f"{name} over dim={dim} is none over a row's units; write {written}(a), or dim=-1"
        )


def _reduce(function: Callable[[Value], Value], name: str) -> Callable[..., Value]:
    """One number a row, which torch keeps as a dimension of size 1 if asked to."""
    written = function.__name__

    def reduce(
        a: Value, dim: Any = None, keepdim: bool = False, axis: Any = None, keepdims: bool = False
    ) -> Value:
        _require_last(name, written, axis if dim is None else dim)
        if not (keepdim or keepdims):
            raise EquationError(
                f"{name} without keepdim=True makes no row; write {written}(a), which keeps one "
                "number a row"
            )
        return function(a)

    return reduce


def _choose(
    pairwise: Callable[[Value, Value], Value], name: str, written: str, operand: str = "a"
) -> Callable[..., Value]:
    """torch's max and min: of two values, or over units, where they give positions as well."""

    def choose(a: Value, other: Any = None, **options: Any) -> Value:
        if options or other is None or isinstance(other, int):
            raise EquationError(
                f"{name} over units is written {written}({operand}), {name} of two values "
                f"{pairwise.__name__}(a, b)"
            )
        return pairwise(a, other)

    return choose


def _soften(a: Value, dim: Any = None, _stacklevel: int = 3) -> Value:
    _require_last("softmax", "softmax", dim)
    return rows.softmax(a)


def _accumulate(a: Value, dim: Any = None) -> Value:
    _require_last("cumsum", "cumulative_sum", dim)
    return rows.cumulative_sum(a)


OPERATIONS |= {
    "sum": _reduce(rows.sum_units, "sum"),
    "mean": _reduce(rows.mean_units, "mean"),
    "amax": _reduce(rows.max_units, "amax"),
    "logsumexp": _reduce(rows.log_sum_exp, "logsumexp"),
    "max": _choose(ops.maximum, "max", "max_units"),
    "min": _choose(ops.minimum, "min", "-max_units", "-a"),
    "softmax": _soften,
    "cumsum": _accumulate,
}
