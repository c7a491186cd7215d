"""Elementwise operations in Triton, and the functions that every kernel begins with."""

from __future__ import annotations

SPELLINGS = {
    "add": "({0} + {1})",
    "subtract": "({0} - {1})",
    "multiply": "({0} * {1})",
    "divide": "({0} / {1})",
    "negative": "(-{0})",
    "exp": "tl.exp({0})",
    "expm1": "_expm1({0})",
    "log": "tl.log({0})",
    "sqrt": "tl.sqrt({0})",
    "power": "_power({0}, {1})",
    "sin": "tl.sin({0})",
    "cos": "tl.cos({0})",
    "erf": "tl.erf({0})",
    "sigmoid": "_sigmoid({0})",
    "log_sigmoid": "_log_sigmoid({0})",
    "softplus": "tl.where({0} > 20.0, {0}, -_log_sigmoid(-{0}))",
    "silu": "({0} * _sigmoid({0}))",
    "tanh": "_tanh({0})",
    "relu": "tl.where({0} <= 0.0, 0.0, {0})",
    "absolute": "tl.abs({0})",
    "sign": "tl.where({0} > 0.0, 1.0, tl.where({0} < 0.0, -1.0, 0.0))",
    "floor": "tl.floor({0})",
    "round": "_round({0})",
    "maximum": "tl.maximum({0}, {1}, propagate_nan=tl.PropagateNan.ALL)",
    "minimum": "tl.minimum({0}, {1}, propagate_nan=tl.PropagateNan.ALL)",
    "clamp": "_clamp({0}, {1}, {2})",
    "hard_tanh": "_clamp({0}, {1}, {2})",
    "greater": "({0} > {1})",
    "greater_equal": "({0} >= {1})",
    "where": "tl.where({0}, {1}, {2})",
    "detach": "{0}",
}
"""How each operation of `sluice.equations.ops.OPS` is written."""

PRELUDE = '''\
import triton
import triton.language as tl


@triton.jit
def _sigmoid(x):
    small = tl.exp(-tl.abs(x))
    return tl.where(x >= 0.0, 1.0, small) / (1.0 + small)


@triton.jit
def _tanh(x):
    """Near zero a series, since 1 - exp(-2x) would lose digits there."""
    size = tl.abs(x)
    small = tl.exp(-2.0 * size)
    quotient = (1.0 - small) / (1.0 + small)
    s = size * size
    tail = -1382.0 / 155925.0 + s * (21844.0 / 6081075.0)
    tail = 62.0 / 2835.0 + s * tail
    tail = -17.0 / 315.0 + s * tail
    tail = 2.0 / 15.0 + s * tail
    tail = -1.0 / 3.0 + s * tail
    series = size + size * s * tail
    result = tl.where(size < (0.02 if x.dtype == tl.float64 else 0.3), series, quotient)
    return tl.where(x < 0.0, -result, result)


@triton.jit
def _log_sigmoid(x):
    small = tl.exp(-tl.abs(x))
    sum_ = 1.0 + small
    lost = tl.where(sum_ == 1.0, 1.0, sum_ - 1.0)  # what of `small` is left in the sum
    log1p = tl.where(sum_ == 1.0, small, tl.log(sum_) * (small / lost))
    return tl.minimum(x, 0.0) - log1p


@triton.jit
def _expm1(x):
    """By the tanh of half of it where e^x - 1 would lose digits."""
    half = _tanh(0.5 * x)
    return tl.where(tl.abs(x) < 1.0, 2.0 * half / (1.0 - half), tl.exp(x) - 1.0)


@triton.jit
def _round(x):
    """To the nearest whole number, half to even: what is added leaves no room for a fraction."""
    least = 4503599627370496.0 if x.dtype == tl.float64 else 8388608.0
    size = tl.abs(x)
    whole = (size + least) - least
    return tl.where(size < least, tl.where(x < 0.0, -whole, whole), x)


@triton.jit
def _clamp(x, low, high):
    raised = tl.maximum(x, low, propagate_nan=tl.PropagateNan.ALL)
    return tl.minimum(raised, high, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def _power(a, b):
    """In float64, since the exponent magnifies the logarithm's error."""
    wide = (a + tl.where(b == b, 0.0, 0.0)).to(tl.float64)  # either may be a plain number
    exponent = (b + tl.where(a == a, 0.0, 0.0)).to(tl.float64)
    size = tl.abs(wide)
    log = tl.where(size == 0.0, -float("inf"), tl.log(size))
    result = tl.exp(tl.where(size == 1.0, 0.0, exponent * log))
    half = 0.5 * exponent
    is_whole = tl.floor(exponent) == exponent
    signed = tl.where(is_whole & (tl.floor(half) != half), -result, result)
    negative = tl.where(is_whole | (wide == -float("inf")), signed, float("nan"))
    result = tl.where(wide < 0.0, negative, result)
    return tl.where(exponent == 0.0, 1.0, result).to((a + b).dtype)


@triton.jit
def _arrive(counter):
    """Tell the others that all that this program has stored so far can be read."""
    tl.debug_barrier()
    tl.atomic_add(counter, 1, sem="release", scope="gpu")


@triton.jit
def _wait(counter, goal, is_met):
    """Wait until so many have arrived; whether they have, this time and before.

    It gives up after about a second, so that a fault cannot hang the GPU.
    """
    arrived = tl.atomic_add(counter, 0, sem="acquire", scope="gpu")
    tries = tl.where(is_met, 0, 1000000)
    while (arrived < goal) & (tries < 1000000):
        arrived = tl.atomic_add(counter, 0, sem="acquire", scope="gpu")
        tries += 1
    tl.debug_barrier()
    return is_met & (arrived >= goal)
'''
