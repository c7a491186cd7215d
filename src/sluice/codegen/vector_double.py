"""Functions that are computed in float64 whatever the precision: sin, cos, erf and the power.

The circular functions reduce their argument by three parts of π/2, accurately up to 10¹⁵, and use
the polynomials of fdlibm (Sun Microsystems 1993, k_sin.c and k_cos.c). erf is x·p(x²) below 1;
above, 1 − e^(−x²)·q(t), t = (x − 2)/(x + 2), p and q interpolating at Chebyshev nodes. The power
keeps its logarithm in two numbers, since the exponent magnifies its error.
"""

from __future__ import annotations

from sluice.codegen.vector_builder import MAGIC, VectorIRBuilder
from sluice.codegen.vector_exponentials import (
    LN2,
    LOG_SERIES,
    split_exponent,
    write_exp,
    write_exp_of_pair,
)

_HALF_PI = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591833e-33)
_SIN = (
    -1.66666666666666324348e-01,
    8.33333333332248946124e-03,
    -1.98412698298579493134e-04,
    2.75573137070700676789e-06,
    -2.50507602534068634195e-08,
    1.58969099521155010221e-10,
)
_COS = (
    -0.5,
    4.16666666666666019037e-02,
    -1.38888888888741095749e-03,
    2.48015872894767294178e-05,
    -2.75573143513906633035e-07,
    2.08757232129817482790e-09,
    -1.13596475577881948265e-11,
)
_LARGEST_ANGLE = 1e15
_ERF = (
    1.1283791670955126,
    -0.3761263890318375,
    0.11283791670954879,
    -0.026866170645076792,
    0.0052239776248180145,
    -0.000854832698083379,
    0.0001205533111164271,
    -1.4925595266831182e-05,
    1.6461000484121368e-06,
    -1.6350312701054695e-07,
    1.4659775274047436e-08,
    -1.1372848856791674e-09,
    5.957176147748911e-11,
)
_ERFCX = (
    0.2553956763105057,
    -0.4271858474139585,
    0.24165819424248763,
    -0.07897858101571269,
    0.0037328924016564484,
    0.006997461739200575,
    -0.0008471431229415333,
    -0.0009819771114740715,
    4.355265359817883e-05,
    0.00017436477257256738,
    2.7560352756678313e-05,
    -2.7640727821912852e-05,
    -1.4166339069117108e-05,
    1.859427387429402e-06,
    4.146302183268488e-06,
    -2.22812957637235e-07,
)


def write_sin(w: VectorIRBuilder, x: str) -> str:
    return _write_circular(w, x, quarter_turns=0)


def write_cos(w: VectorIRBuilder, x: str) -> str:
    return _write_circular(w, x, quarter_turns=1)


def _write_circular(w: VectorIRBuilder, x: str, quarter_turns: int) -> str:
    """The sine of x and some quarter turns; beyond 10¹⁵ that of ±10¹⁵."""
    inside = w.clamp_max(w.clamp_min(x, -_LARGEST_ANGLE), _LARGEST_ANGLE)
    magic = w.constant(MAGIC[64])
    t = w.fma(inside, w.constant(0.6366197723675813430755351), magic)
    n = w.float_op("fsub", t, magic)
    r = inside
    for part in _HALF_PI:
        r = w.fma(n, w.constant(-part), r)
    z = w.float_op("fmul", r, r)
    sine = w.fma(w.float_op("fmul", r, z), w.polynomial(_SIN, z), r)
    cosine = w.fma(z, w.polynomial(_COS, z), w.constant(1.0))
    turns = w.int_op("add", w.bitcast_to_int(t), w.integer_constant(quarter_turns))
    odd = w.int_op("and", turns, w.integer_constant(1))
    is_odd = w.emit(f"icmp ne {w.integer_vector} {odd}, {w.integer_constant(0)}")
    size = w.bitcast_to_int(w.select(is_odd, cosine, sine))
    sign = w.int_op("shl", w.int_op("lshr", turns, w.integer_constant(1)), w.integer_constant(63))
    result = w.bitcast_to_float(w.int_op("xor", size, sign))
    infinite = w.compare("oeq", w.intrinsic("fabs", x), w.constant(float("inf")))
    return w.select(infinite, w.constant(float("nan")), result)


def write_erf(w: VectorIRBuilder, x: str) -> str:
    z, size = w.float_op("fmul", x, x), w.intrinsic("fabs", x)
    small = w.float_op("fmul", size, w.polynomial(_ERF, z))
    two, bounded = w.constant(2.0), w.clamp_max(size, 6.0)
    t = w.float_op("fdiv", w.float_op("fsub", bounded, two), w.float_op("fadd", bounded, two))
    down = write_exp(w, w.negate(w.float_op("fmul", bounded, bounded)))
    large = w.fma(w.negate(down), w.polynomial(_ERFCX, t), w.constant(1.0))
    result = w.select(w.compare("olt", size, w.constant(1.0)), small, large)
    return w.intrinsic("copysign", result, x)


def write_power(w: VectorIRBuilder, a: str, b: str) -> str:
    """aᵇ with the special cases of C's pow."""
    zero, infinity = w.constant(0.0), w.constant(float("inf"))
    size = w.intrinsic("fabs", a)
    high, low = _write_log_pair(w, size)
    high = w.select(w.compare("oeq", size, infinity), infinity, high)
    high = w.select(w.compare("oeq", size, zero), w.constant(float("-inf")), high)
    high = w.select(w.compare("uno", size, size), size, high)
    t = w.float_op("fmul", b, high)
    rest = w.fma(b, low, w.fma(b, high, w.negate(t)))
    is_moderate = w.compare("olt", w.intrinsic("fabs", t), w.constant(800.0))
    t = w.select(w.compare("oeq", high, zero), zero, t)
    result = write_exp_of_pair(w, t, w.select(is_moderate, rest, zero))
    half = w.float_op("fmul", b, w.constant(0.5))
    is_whole, is_odd = w.compare("oeq", w.round(b), b), w.compare("one", w.round(half), half)
    is_odd = w.combine("and", is_whole, is_odd)
    result = w.select(is_odd, w.intrinsic("copysign", result, a), result)
    is_negative = w.combine(
        "and", w.compare("olt", a, zero), w.compare("one", a, w.constant(float("-inf")))
    )
    result = w.select(is_negative, w.select(is_whole, result, w.constant(float("nan"))), result)
    return w.select(w.compare("oeq", b, zero), w.constant(1.0), result)


def _write_log_pair(w: VectorIRBuilder, x: str) -> tuple[str, str]:
    """log(x) as a sum of two numbers, of positive finite x."""
    two = w.constant(2.0)
    f, k = split_exponent(w, x)
    d = w.float_op("fadd", f, two)
    lost = w.float_op("fsub", f, w.float_op("fsub", d, two))
    s = w.float_op("fdiv", f, d)
    back = w.negate(s)
    s_low = w.float_op("fdiv", w.fma(back, lost, w.fma(back, d, f)), d)
    z = w.float_op("fmul", s, s)
    r = w.float_op("fmul", w.polynomial(LOG_SERIES[64], z), z)
    first, second = LN2[64]
    whole, double = w.float_op("fmul", k, w.constant(first)), w.float_op("fmul", s, two)
    high = w.float_op("fadd", whole, double)
    low = w.float_op("fsub", double, w.float_op("fsub", high, whole))
    more = w.fma(k, w.constant(second), w.fma(s, r, w.float_op("fmul", s_low, two)))
    low = w.float_op("fadd", low, more)
    total = w.float_op("fadd", high, low)
    return total, w.float_op("fsub", low, w.float_op("fsub", total, high))
