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
    "expm1": "expm1",
    "log": "log",
    "sqrt": "sqrt",
    "sin": "sin",
    "cos": "cos",
    "erf": "erf",
    "sigmoid": "sigmoid expit special_expit",
    "log_sigmoid": "logsigmoid log_sigmoid",
    "tanh": "tanh",
    "silu": "silu",
    "relu": "relu",
    "absolute": "abs absolute fabs",
    "sign": "sign",
    "maximum": "maximum",
    "minimum": "minimum",
    "greater": "gt greater",
    "greater_equal": "ge greater_equal",
    "where": "where",
    "detach": "detach",
}
"""For each operation the names of the functions and methods that are the same."""


def _apply(op: str, *operands: Any) -> Any:
    symbol = next(operand for operand in operands if hasattr(operand, "symbolic_apply"))
    return symbol.symbolic_apply(op, *operands)


def _less(a: Any, b: Any) -> Any:
    return _apply("greater", b, a)


def _less_equal(a: Any, b: Any) -> Any:
    return _apply("greater_equal", b, a)


def _same(a: Any) -> Any:
    return a


OPERATION_NAMES = (
    *_NAMES,
    *"celu clamp elu floor gelu hard_sigmoid hard_tanh leaky_relu mish power round".split(),
    *"scaled_tanh selu softplus softsign thresholded_relu".split(),
)
"""The operations as Sluice calls them, also those that are made of others."""

OPERATIONS: dict[str, Callable[..., Any]] = {
    **{name: partial(_apply, op) for op, names in _NAMES.items() for name in names.split()},
    "lt": _less,
    "less": _less,
    "le": _less_equal,
    "less_equal": _less_equal,
    "square": lambda a: a * a,
    "reciprocal": lambda a: 1.0 / a,
    "rsqrt": lambda a: 1.0 / _apply("sqrt", a),
    "clone": _same,
    "contiguous": _same,
    "positive": _same,
}
"""What a function or method of the given name means; its first argument is the value.

`sluice.equations.composed_spellings` adds those made of several operations, and
`sluice.equations.row_spellings` those over a row's units.
"""

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
