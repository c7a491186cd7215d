"""How torch and NumPy spell what is made of several operations, with the arguments that they take.

Rounding is a case of its own: torch's has no gradient, that of `sluice.equations.ops` has one.
"""

from __future__ import annotations

from typing import Any

from sluice.equations import ops
from sluice.equations.ops import Value
from sluice.equations.spellings import OPERATIONS
from sluice.equations.symbol import EquationError, Symbol


def _add(a: Value, b: Value, *, alpha: float = 1.0) -> Value:
    return a + alpha * b


def _subtract(a: Value, b: Value, *, alpha: float = 1.0) -> Value:
    return a - alpha * b


def _power(a: Any, exponent: Any) -> Value:
    base: Value = a if isinstance(a, Symbol) else float(a)  # NumPy's numbers would ask again
    return ops.power(base, exponent)


def _floor(a: Value) -> Value:
    return ops.detach(ops.floor(a))


def _round(a: Value, decimals: int = 0) -> Value:
    if decimals != 0:
        raise EquationError(f"decimals of round must be 0 in a step, got {decimals}")
    return ops.detach(ops.round(a))


def _softplus(a: Value, beta: float = 1.0, threshold: float = 20.0) -> Value:
    if threshold != 20:
        raise EquationError(f"threshold of softplus must be 20 in a step, got {threshold}")
    return ops.softplus(a, beta)


def _threshold(a: Value, threshold: float, value: float) -> Value:
    return ops.where(ops.greater_equal(threshold, a), value, a)


OPERATIONS |= {
    "add": _add,
    "sub": _subtract,
    "subtract": _subtract,
    "pow": _power,
    "power": _power,
    "float_power": _power,
    "floor": _floor,
    "round": _round,
    "rint": _round,
    "clamp": ops.clamp,
    "clip": ops.clamp,
    "clamp_min": lambda a, min: ops.clamp(a, min=min),
    "clamp_max": lambda a, max: ops.clamp(a, max=max),
    "hardtanh": ops.hard_tanh,
    "relu6": lambda a: ops.hard_tanh(a, 0.0, 6.0),
    "hardsigmoid": lambda a: ops.hard_sigmoid(a),
    "threshold": _threshold,
    "_threshold": _threshold,
    "leaky_relu": ops.leaky_relu,
    "elu": ops.elu,
    "celu": ops.celu,
    "selu": ops.selu,
    "softsign": ops.softsign,
    "softplus": _softplus,
    "mish": ops.mish,
    "gelu": ops.gelu,
}
