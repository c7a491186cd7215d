"""The transcendental functions in LLVM IR, on 64-byte vectors, float32 and float64.

e^r − 1 on |r| ≤ ln 2 / 2 is r + r²·q(r), q interpolating at Chebyshev nodes; the exponent is put
back in two factors, so that results which are subnormal are rounded once. The logarithm is that of
fdlibm (Sun Microsystems 1993, e_log.c): 2s + s·R(s²), s = f/(2 + f).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

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
_LOG = {
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
_LN2 = {
    32: (0.693359375, -2.12194440e-4),
    64: (6.93147180369123816490e-01, 1.90821492927058770002e-10),
}
# Where exp has reached 0 or infinity, and where tanh has reached 1.
_ENDS = {32: (-104.0, 89.0, 20.0), 64: (-746.0, 710.0, 40.0)}
# Of finite numbers, the divisor from 1 to 2: an estimate and a Newton step are exact enough.
_RATIO = "fdiv arcp ninf contract"
_MAGIC = {32: 12582912.0, 64: 6755399441055744.0}
_MANTISSA, _BIAS = {32: 23, 64: 52}, {32: 127, 64: 1023}


@dataclass
class VectorIRBuilder:
    """Emits the instructions of one function on vectors of one precision."""

    bits: int
    lines: list[str]
    value_count: int = 0
    avx512: bool = False

    @property
    def lanes(self) -> int:
        return 512 // self.bits

    @property
    def scalar(self) -> str:
        return "float" if self.bits == 32 else "double"

    @property
    def vector(self) -> str:
        return f"<{self.lanes} x {self.scalar}>"

    @property
    def integer_vector(self) -> str:
        return f"<{self.lanes} x i{self.bits}>"

    @property
    def suffix(self) -> str:
        return f"v{self.lanes}f{self.bits}"

    def emit(self, text: str) -> str:
        """Write an instruction; returns the name of its result."""
        self.value_count += 1
        self.lines.append(f"  %v{self.value_count} = {text}")
        return f"%v{self.value_count}"

    def constant(self, value: float) -> str:
        """A vector with the same number in every lane."""
        if self.bits == 32:
            value = struct.unpack("<f", struct.pack("<f", value))[0]
        (word,) = struct.unpack("<Q", struct.pack("<d", value))
        return f"<{', '.join([f'{self.scalar} 0x{word:016X}'] * self.lanes)}>"

    def integer_constant(self, value: int) -> str:
        return f"<{', '.join([f'i{self.bits} {value}'] * self.lanes)}>"

    def float_op(self, name: str, a: str, b: str) -> str:
        return self.emit(f"{name} {self.vector} {a}, {b}")

    def int_op(self, name: str, a: str, b: str) -> str:
        return self.emit(f"{name} {self.integer_vector} {a}, {b}")

    def call(self, name: str, *operands: str, attribute: str = "") -> str:
        """An intrinsic or one of the functions below on whole vectors."""
        listed = ", ".join(f"{self.vector} {operand}" for operand in operands)
        return self.emit(f"call {self.vector} @{name}({listed}) {attribute}".rstrip())

    def intrinsic(self, name: str, *operands: str) -> str:
        return self.call(f"llvm.{name}.{self.suffix}", *operands)

    def fma(self, a: str, b: str, c: str) -> str:
        return self.intrinsic("fma", a, b, c)

    def negate(self, a: str) -> str:
        return self.emit(f"fneg {self.vector} {a}")

    def compare(self, kind: str, a: str, b: str) -> str:
        return self.emit(f"fcmp {kind} {self.vector} {a}, {b}")

    def select(self, condition: str, a: str, b: str) -> str:
        mask = f"<{self.lanes} x i1>"
        return self.emit(f"select {mask} {condition}, {self.vector} {a}, {self.vector} {b}")

    def bitcast_to_int(self, a: str) -> str:
        return self.emit(f"bitcast {self.vector} {a} to {self.integer_vector}")

    def bitcast_to_float(self, a: str) -> str:
        return self.emit(f"bitcast {self.integer_vector} {a} to {self.vector}")

    def polynomial(self, coefficients: tuple[float, ...], x: str) -> str:
        total = self.constant(coefficients[-1])
        for coefficient in coefficients[-2::-1]:
            total = self.fma(total, x, self.constant(coefficient))
        return total

    def clamp_min(self, a: str, low: float) -> str:
        """max(a, low), NaN staying NaN."""
        bound = self.constant(low)
        return self.select(self.compare("olt", a, bound), bound, a)

    def clamp_max(self, a: str, high: float) -> str:
        bound = self.constant(high)
        return self.select(self.compare("ogt", a, bound), bound, a)

    def exp2(self, n: str) -> str:
        """2ⁿ for integers n whose power is a normal number."""
        shifted = self.int_op("add", n, self.integer_constant(_BIAS[self.bits]))
        return self.bitcast_to_float(
            self.int_op("shl", shifted, self.integer_constant(_MANTISSA[self.bits]))
        )

    def ldexp(self, a: str, n: str) -> str:
        """a · 2ⁿ for any whole n, rounded once; AVX-512 has an instruction for it."""
        kind, mask = ("ps", "i16") if self.bits == 32 else ("pd", "i8")
        return self.emit(
            f"call {self.vector} @llvm.x86.avx512.mask.scalef.{kind}.512({self.vector} {a}, "
            f"{self.vector} {n}, {self.vector} {a}, {mask} -1, i32 4)"
        )

    def reduce_argument(self, x: str) -> tuple[str, str, str]:
        """n, as a number and as an integer, and e^r − 1 where x = n ln 2 + r."""
        magic, (high, low) = self.constant(_MAGIC[self.bits]), _LN2[self.bits]
        t = self.fma(x, self.constant(1.4426950408889634074), magic)
        n, whole = self.float_op("fsub", t, magic), self.bitcast_to_int(t)
        r = self.fma(n, self.constant(-high), x)
        r = self.fma(n, self.constant(-low), r)
        q = self.polynomial(_Q[self.bits], r)
        integer = self.int_op("sub", whole, self.bitcast_to_int(magic))
        return n, integer, self.fma(self.float_op("fmul", q, r), r, r)


def _exp_in_range(w: VectorIRBuilder, x: str) -> str:
    """e^x for x within the ends."""
    n, whole, e = w.reduce_argument(x)
    e = w.float_op("fadd", e, w.constant(1.0))
    if w.avx512:
        return w.ldexp(e, n)
    half = w.int_op("ashr", whole, w.integer_constant(1))
    first, second = w.exp2(half), w.exp2(w.int_op("sub", whole, half))
    return w.float_op("fmul", w.float_op("fmul", e, first), second)


def _exp(w: VectorIRBuilder, x: str) -> str:
    low, high, _ = _ENDS[w.bits]
    return _exp_in_range(w, w.clamp_max(w.clamp_min(x, low), high))


def _exp_of_negative(w: VectorIRBuilder, x: str) -> str:
    """e^(−|x|)."""
    down = w.negate(w.intrinsic("fabs", x))
    return _exp_in_range(w, w.clamp_min(down, _ENDS[w.bits][0]))


def _sigmoid(w: VectorIRBuilder, x: str) -> str:
    e, one = _exp_of_negative(w, x), w.constant(1.0)
    above = w.select(w.compare("olt", x, w.constant(0.0)), e, one)
    return w.float_op(_RATIO, above, w.float_op("fadd", e, one))


def _tanh(w: VectorIRBuilder, x: str) -> str:
    double = w.float_op("fmul", w.intrinsic("fabs", x), w.constant(-2.0))
    n, whole, e = w.reduce_argument(w.clamp_min(double, -2 * _ENDS[w.bits][2]))
    scale = w.ldexp(w.constant(1.0), n) if w.avx512 else w.exp2(whole)
    down = w.fma(e, scale, w.float_op("fsub", scale, w.constant(1.0)))
    size = w.float_op(_RATIO, w.negate(down), w.float_op("fadd", down, w.constant(2.0)))
    return w.intrinsic("copysign", size, x)


def _log(w: VectorIRBuilder, x: str) -> str:
    bits, mantissa = w.bits, _MANTISSA[w.bits]
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
    exponent = w.select(small, down, exponent)
    s = w.float_op("fdiv", f, w.float_op("fadd", f, w.constant(2.0)))
    z = w.float_op("fmul", s, s)
    r = w.float_op("fmul", w.polynomial(_LOG[bits], z), z)
    half = w.float_op("fmul", w.float_op("fmul", f, f), w.constant(0.5))
    high, low = _LN2[bits]
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


def _log_sigmoid(w: VectorIRBuilder, x: str) -> str:
    """min(x, 0) − log(1 + e^(−|x|)), the last with what 1 + e loses put back."""
    e, one = _exp_of_negative(w, x), w.constant(1.0)
    u = w.float_op("fadd", one, e)
    lost = w.float_op("fdiv", w.float_op("fsub", e, w.float_op("fsub", u, one)), u)
    logarithm = w.float_op("fadd", w.call("sluice.log", u), lost)
    return w.float_op("fsub", w.clamp_max(x, 0.0), logarithm)


_FUNCTIONS = {
    "exp": _exp,
    "log": _log,
    "sigmoid": _sigmoid,
    "log_sigmoid": _log_sigmoid,
    "tanh": _tanh,
}
FUNCTION_NAMES = tuple(_FUNCTIONS)


def emit_definitions(bits: int, avx512: bool = False) -> str:
    """IR of all the functions, called ``@sluice.exp`` and so on; they are inlined where used."""
    parts = []
    for name, write in _FUNCTIONS.items():
        w = VectorIRBuilder(bits, [], avx512=avx512)
        result = write(w, "%x")
        head = f"define internal {w.vector} @sluice.{name}({w.vector} %x) alwaysinline {{"
        parts.append("\n".join([head, *w.lines, f"  ret {w.vector} {result}", "}"]))
    v = VectorIRBuilder(bits, [])
    for name, count in (("fma", 3), ("fabs", 1), ("copysign", 2), ("sqrt", 1)):
        operands = ", ".join([v.vector] * count)
        parts.append(f"declare {v.vector} @llvm.{name}.{v.suffix}({operands})")
    if avx512:
        kind, mask = ("ps", "i16") if bits == 32 else ("pd", "i8")
        operands = ", ".join([v.vector] * 3)
        name = f"llvm.x86.avx512.mask.scalef.{kind}.512"
        parts.append(f"declare {v.vector} @{name}({operands}, {mask}, i32 immarg)")
    return "\n".join(parts)
