"""What torch's own functions do when a step calls them on symbols: the same equations.

Each entry takes the arguments that torch's function takes, by the same names.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from sluice.equations import ops
from sluice.equations.ops import Value
from sluice.equations.symbol import TORCH_FUNCTIONS, EquationError


def _add(input: Value, other: Value, *, alpha: float = 1.0) -> Value:
    return input + (other if alpha == 1 else alpha * other)


def _subtract(input: Value, other: Value, *, alpha: float = 1.0) -> Value:
    return input - (other if alpha == 1 else alpha * other)


def _divide(input: Value, other: Value, *, rounding_mode: None = None) -> Value:
    if rounding_mode is not None:
        raise EquationError("rounding_mode of torch.div must be None in a cell; write floor(a / b)")
    return input / other


def _clamp(input: Value, min: Value | None = None, max: Value | None = None) -> Value:
    return ops.clamp(input, min, max)


def _round(input: Value, *, decimals: int = 0) -> Value:
    if decimals != 0:
        raise EquationError(f"decimals of torch.round must be 0 in a cell, got {decimals}")
    return ops.detach(ops.round(input))


def _softplus(input: Value, beta: float = 1.0, threshold: float = 20.0) -> Value:
    if threshold != 20:
        raise EquationError(f"threshold of softplus must be 20 in a cell, got {threshold}")
    return ops.softplus(input, beta)


def _check_not_in_place(inplace: bool) -> None:
    if inplace:
        raise EquationError("a cell's values cannot be changed in place; leave inplace=True out")


def _relu(input: Value, inplace: bool = False) -> Value:
    _check_not_in_place(inplace)
    return ops.relu(input)


def _relu6(input: Value, inplace: bool = False) -> Value:
    _check_not_in_place(inplace)
    return ops.hard_tanh(input, 0.0, 6.0)


def _leaky_relu(input: Value, negative_slope: float = 0.01, inplace: bool = False) -> Value:
    _check_not_in_place(inplace)
    return ops.leaky_relu(input, negative_slope)


def _threshold(input: Value, threshold: float, value: float, inplace: bool = False) -> Value:
    _check_not_in_place(inplace)
    return ops.where(ops.greater_equal(threshold, input), value, input)


def _elu(input: Value, alpha: float = 1.0, inplace: bool = False) -> Value:
    _check_not_in_place(inplace)
    return ops.elu(input, alpha)


def _celu(input: Value, alpha: float = 1.0, inplace: bool = False) -> Value:
    _check_not_in_place(inplace)
    return ops.celu(input, alpha)


def _selu(input: Value, inplace: bool = False) -> Value:
    _check_not_in_place(inplace)
    return ops.selu(input)


def _silu(input: Value, inplace: bool = False) -> Value:
    _check_not_in_place(inplace)
    return ops.silu(input)


def _mish(input: Value, inplace: bool = False) -> Value:
    _check_not_in_place(inplace)
    return ops.mish(input)


def _hard_sigmoid(input: Value, inplace: bool = False) -> Value:
    _check_not_in_place(inplace)
    return ops.hard_sigmoid(input)


def _hard_tanh(
    input: Value, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Value:
    _check_not_in_place(inplace)
    return ops.hard_tanh(input, min_val, max_val)


TORCH_FUNCTIONS |= {
    torch.add: _add,
    torch.sub: _subtract,
    torch.mul: lambda input, other: input * other,
    torch.div: _divide,
    torch.neg: lambda input: -input,
    torch.square: lambda input: input * input,
    torch.reciprocal: lambda input: 1.0 / input,
    torch.rsqrt: lambda input: 1.0 / ops.sqrt(input),
    torch.pow: lambda input, exponent: ops.power(input, exponent),
    torch.exp: lambda input: ops.exp(input),
    torch.expm1: lambda input: ops.expm1(input),
    torch.log: lambda input: ops.log(input),
    torch.sqrt: lambda input: ops.sqrt(input),
    torch.sin: lambda input: ops.sin(input),
    torch.cos: lambda input: ops.cos(input),
    torch.erf: lambda input: ops.erf(input),
    torch.abs: lambda input: ops.absolute(input),
    torch.sign: lambda input: ops.sign(input),
    torch.floor: lambda input: ops.detach(ops.floor(input)),
    torch.round: _round,
    torch.maximum: lambda input, other: ops.maximum(input, other),
    torch.minimum: lambda input, other: ops.minimum(input, other),
    torch.clamp: _clamp,
    torch.clip: _clamp,
    torch.gt: lambda input, other: ops.greater(input, other),
    torch.ge: lambda input, other: ops.greater_equal(input, other),
    torch.lt: lambda input, other: ops.greater(other, input),
    torch.le: lambda input, other: ops.greater_equal(other, input),
    torch.where: lambda condition, input, other: ops.where(condition, input, other),
    torch.detach: lambda input: ops.detach(input),
    torch.sigmoid: lambda input: ops.sigmoid(input),
    F.sigmoid: lambda input: ops.sigmoid(input),
    F.logsigmoid: lambda input: ops.log_sigmoid(input),
    F.softplus: _softplus,
    torch.tanh: lambda input: ops.tanh(input),
    F.tanh: lambda input: ops.tanh(input),
    F.hardtanh: _hard_tanh,
    F.hardsigmoid: _hard_sigmoid,
    F.softsign: lambda input: ops.softsign(input),
    torch.relu: _relu,
    F.relu: _relu,
    F.relu6: _relu6,
    F.leaky_relu: _leaky_relu,
    F.threshold: _threshold,
    F.elu: _elu,
    torch.celu: _celu,
    F.celu: _celu,
    torch.selu: _selu,
    F.selu: _selu,
    F.silu: _silu,
    F.mish: _mish,
    F.gelu: lambda input, approximate="none": ops.gelu(input, approximate),
}
