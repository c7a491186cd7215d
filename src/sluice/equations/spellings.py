"""How operations are spelled in torch, in NumPy and as methods: one table for all three.

A value of a step is no tensor. What torch's users write is understood where an operation of
`sluice.equations.ops` is exactly that; the rest is for `sluice.equations.advice`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

_NAMES = {
    "add": "add",
    "subtract": "sub subtract",
    "multiply": "mul multiply",
    "divide": "div divide true_divide",
    "negative": "neg negative",
    "exp": "exp",
    "log": "log",
    "sqrt": "sqrt",
    "sigmoid": "sigmoid expit special_expit",
    "log_sigmoid": "logsigmoid log_sigmoid",
    "tanh": "tanh",
    "relu": "relu",
    "absolute": "abs absolute fabs",
    "maximum": "maximum",
    "minimum": "minimum",
    "greater": "gt greater",
    "where": "where",
    "detach": "detach",
}
"""For each operation the names of the functions and methods that are the same."""


def _apply(op: str, *operands: Any) -> Any:
    symbol = next(operand for operand in operands if hasattr(operand, "symbolic_apply"))
    return symbol.symbolic_apply(op, *operands)


def _less(a: Any, b: Any) -> Any:
    return _apply("greater", b, a)


def _clamp(a: Any, min: Any = None, max: Any = None) -> Any:
    """As torch's, whose gradient at a bound is that of ``a``."""
    found = a
    if max is not None:
        found = _apply("where", _apply("greater", found, max), max, found)
    if min is not None:
        found = _apply("where", _apply("greater", min, found), min, found)
    return found


def _same(a: Any) -> Any:
    return a


OPERATION_NAMES = tuple(_NAMES)
"""The operations as Sluice calls them."""

OPERATIONS: dict[str, Callable[..., Any]] = {
    **{name: partial(_apply, op) for op, names in _NAMES.items() for name in names.split()},
    "lt": _less,
    "less": _less,
    "clamp": _clamp,
    "clip": _clamp,
    "clamp_min": lambda a, min: _clamp(a, min),
    "clamp_max": lambda a, max: _clamp(a, None, max),
    "square": lambda a: a * a,
    "pow": lambda a, exponent: a**exponent,
    "power": lambda a, exponent: a**exponent,
    "reciprocal": lambda a: 1.0 / a,
    "rsqrt": lambda a: 1.0 / _apply("sqrt", a),
    "clone": _same,
    "contiguous": _same,
    "positive": _same,
}
"""What a function or method of the given name means; its first argument is the value."""

_WITHOUT_EFFECT = {"inplace": False, "out": None, "alpha": 1, "rounding_mode": None, "dtype": None}
_POSITIONAL = ("condition", "input", "self", "x", "x1", "other", "x2", "exponent")


def call_operation(name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """The operation called ``name`` on these arguments.

    Raises KeyError where there is none, TypeError for arguments that it does not take.
    """
    operation = OPERATIONS[name]
    asked = {
        key: value
        for key, value in options.items()
        if not (key in _WITHOUT_EFFECT and value == _WITHOUT_EFFECT[key])
    }
    named = tuple(asked.pop(key) for key in _POSITIONAL if key in asked)
    return operation(*args, *named, **asked)
