"""Exponentials and the logarithm in LLVM IR, float32 and float64.

e^r − 1 on |r| ≤ ln 2 / 2 is r + r²·q(r), q interpolating at Chebyshev nodes; the exponent is put
back in two factors, so that results which are subnormal are rounded once. The logarithm is that of
fdlibm (Sun Microsystems 1993, e_log.c): 2s + s·R(s²), s = f/(2 + f).
"""

from __future__ import annotations

from sluice.codegen.vector_builder import MAGIC, MANTISSA_BITS, VectorIRBuilder

_Q = {
    32: (0.5, 0.16666576986, 0.0416665546172, 0.00836317905272, 0.00139261835877),
    64: (
        0.5,
        0.16666666666666670991,
        0.041666666666666669755,
        0.0083333333333261351258,
        0.0013888888888883748305,
        0.00019841269874820625271,
        0.000024801587325547741216,
        2.755725540020642443e-6,
        2.7557273643110295328e-7,
        2.5105217004720745164e-8,
        2.0914686968086877233e-9,
    ),
}
LOG_SERIES = {
    32: (0.66666662693, 0.40000972152, 0.28498786688, 0.24279078841),
    64: (
        6.666666666666735130e-01,
        3.999999999940941908e-01,
        2.857142874366239149e-01,
        2.222219843214978396e-01,
        1.818357216161805012e-01,
        1.531383769920937332e-01,
        1.479819860511658591e-01,
    ),
}
LN2 = {
    32: (0.693359375, -2.12194440e-4),
    64: (6.93147180369123816490e-01, 1.90821492927058770002e-10),
}
# Where exp has reached 0 or infinity, and where tanh has reached 1.
_ENDS = {32: (-104.0, 89.0, 20.0), 64: (-746.0, 710.0, 40.0)}
# Of finite numbers, the divisor from 1 to 2: an estimate and a Newton step are exact enough.
_RATIO = "fdiv arcp ninf contract"


def _reduce_argument(w: VectorIRBuilder, x: str) -> tuple[str, str, str]:
    """n, as a number and as an integer, and e^r − 1 where x = n ln 2 + r."""
    magic, (high, low) = w.constant(MAGIC[w.bits]), LN2[w.bits]
    t = w.fma(x, w.constant(1.4426950408889634074), magic)
    n, whole = w.float_op("fsub", t, magic), w.bitcast_to_int(t)
    r = w.fma(n, w.constant(-high), x)
    r = w.fma(n, w.constant(-low), r)
    q = w.polynomial(_Q[w.bits], r)
    integer = w.int_op("sub", whole, w.bitcast_to_int(magic))
    return n, integer, w.fma(w.float_op("fmul", q, r), r, r)


def _exp_in_range(w: VectorIRBuilder, x: str, rest: str | None = None) -> str:
    """e^x for x within the ends, of which a tiny ``rest`` may be missing."""
    n, whole, e = _reduce_argument(w, x)
    e = w.float_op("fadd", e, w.constant(1.0))
    if rest is not None:
        e = w.fma(rest, e, e)
    if w.avx512:
        return w.ldexp(e, n)
    half = w.int_op("ashr", whole, w.integer_constant(1))
    first, second = w.exp2(half), w.exp2(w.int_op("sub", whole, half))
    return w.float_op("fmul", w.float_op("fmul", e, first), second)


def write_exp(w: VectorIRBuilder, x: str) -> str:
    low, high, _ = _ENDS[w.bits]
    return _exp_in_range(w, w.clamp_max(w.clamp_min(x, low), high))


def write_exp_of_pair(w: VectorIRBuilder, x: str, rest: str) -> str:
    """e^(x + rest), where ``rest`` is below the last place of x."""
    low, high, _ = _ENDS[w.bits]
    return _exp_in_range(w, w.clamp_max(w.clamp_min(x, low), high), rest)


def _exp_of_negative(w: VectorIRBuilder, x: str) -> str:
    """e^(−|x|)."""
    down = w.negate(w.intrinsic("fabs", x))
    return _exp_in_range(w, w.clamp_min(down, _ENDS[w.bits][0]))


def write_sigmoid(w: VectorIRBuilder, x: str) -> str:
    e, one = _exp_of_negative(w, x), w.constant(1.0)
    above = w.select(w.compare("olt", x, w.constant(0.0)), e, one)
    return w.float_op(_RATIO, above, w.float_op("fadd", e, one))


def write_tanh(w: VectorIRBuilder, x: str) -> str:
    double = w.float_op("fmul", w.intrinsic("fabs", x), w.constant(-2.0))
    n, whole, e = _reduce_argument(w, w.clamp_min(double, -2 * _ENDS[w.bits][2]))
    scale = w.ldexp(w.constant(1.0), n) if w.avx512 else w.exp2(whole)
    down = w.fma(e, scale, w.float_op("fsub", scale, w.constant(1.0)))
    size = w.float_op(_RATIO, w.negate(down), w.float_op("fadd", down, w.constant(2.0)))
    return w.intrinsic("copysign", size, x)


def split_exponent(w: VectorIRBuilder, x: str) -> tuple[str, str]:
    """f and k where x = (1 + f) 2ᵏ and 1 + f lies around 1, of positive finite numbers."""
    bits, mantissa = w.bits, MANTISSA_BITS[w.bits]
    least = 2.0 ** (-126 if bits == 32 else -1022)
    small = w.compare("olt", x, w.constant(least))
    scaled = w.select(small, w.float_op("fmul", x, w.constant(2.0 ** (mantissa + 2))), x)
    # Subtract √½ as an integer: the exponent of what remains is that of x / √½.
    root = 0x3F3504F3 if bits == 32 else 0x3FE6A09E667F3BCD
    offset = w.int_op("sub", w.bitcast_to_int(scaled), w.integer_constant(root))
    k = w.int_op("ashr", offset, w.integer_constant(mantissa))
    fraction = w.int_op("and", offset, w.integer_constant((1 << mantissa) - 1))
    f = w.float_op(
        "fsub",
        w.bitcast_to_float(w.int_op("add", fraction, w.integer_constant(root))),
        w.constant(1.0),
    )
    exponent = w.emit(f"sitofp {w.integer_vector} {k} to {w.vector}")
    down = w.float_op("fsub", exponent, w.constant(float(mantissa + 2)))
    return f, w.select(small, down, exponent)


def write_log(w: VectorIRBuilder, x: str) -> str:
    (f, exponent), bits = split_exponent(w, x), w.bits
    s = w.float_op("fdiv", f, w.float_op("fadd", f, w.constant(2.0)))
    z = w.float_op("fmul", s, s)
    r = w.float_op("fmul", w.polynomial(LOG_SERIES[bits], z), z)
    half = w.float_op("fmul", w.float_op("fmul", f, f), w.constant(0.5))
    high, low = LN2[bits]
    inner = w.float_op("fmul", s, w.float_op("fadd", half, r))
    inner = w.fma(exponent, w.constant(low), inner)
    result = w.float_op("fsub", f, w.float_op("fsub", half, inner))
    result = w.fma(exponent, w.constant(high), result)
    infinite = w.compare("oeq", x, w.constant(float("inf")))
    result = w.select(infinite, x, result)
    nothing = w.compare("oeq", x, w.constant(0.0))
    result = w.select(nothing, w.constant(float("-inf")), result)
    wrong = w.compare("ult", x, w.constant(0.0))
    return w.select(wrong, w.constant(float("nan")), result)


def write_log_sigmoid(w: VectorIRBuilder, x: str) -> str:
    """min(x, 0) − log(1 + e^(−|x|)), the last with what 1 + e loses put back."""
    e, one = _exp_of_negative(w, x), w.constant(1.0)
    u = w.float_op("fadd", one, e)
    lost = w.float_op("fdiv", w.float_op("fsub", e, w.float_op("fsub", u, one)), u)
    logarithm = w.float_op("fadd", write_log(w, u), lost)
    return w.float_op("fsub", w.clamp_max(x, 0.0), logarithm)


def write_expm1(w: VectorIRBuilder, x: str) -> str:
    """e^x − 1 = ((e^r − 1) 2ᵐ + (2ᵐ − 2^(m−n))) 2^(n−m), m half of n: no factor overflows."""
    _, high, one = _ENDS[w.bits]
    _, whole, e = _reduce_argument(w, w.clamp_max(w.clamp_min(x, -2 * one), high))
    half = w.int_op("ashr", whole, w.integer_constant(1))
    rest = w.int_op("sub", whole, half)
    first = w.exp2(half)
    down = w.float_op("fsub", first, w.exp2(w.int_op("sub", w.integer_constant(0), rest)))
    return w.float_op("fmul", w.fma(e, first, down), w.exp2(rest))


def write_softplus(w: VectorIRBuilder, x: str) -> str:
    """log(1 + e^x), and x itself above 20, as in torch."""
    small = w.float_op("fsub", w.constant(0.0), write_log_sigmoid(w, w.negate(x)))
    return w.select(w.compare("ogt", x, w.constant(20.0)), x, small)
