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
class Writer:
    """Instructions of one function on vectors of one precision, in the making."""

    bits: int
    lines: list[str]
    names: int = 0
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
    def integers(self) -> str:
        return f"<{self.lanes} x i{self.bits}>"

    @property
    def suffix(self) -> str:
        return f"v{self.lanes}f{self.bits}"

    def emit(self, text: str) -> str:
        """Write an instruction; returns the name of its result."""
        self.names += 1
        self.lines.append(f"  %v{self.names} = {text}")
        return f"%v{self.names}"

    def number(self, value: float) -> str:
        """A vector with the same number in every lane."""
        if self.bits == 32:
            value = struct.unpack("<f", struct.pack("<f", value))[0]
        (word,) = struct.unpack("<Q", struct.pack("<d", value))
        return f"<{', '.join([f'{self.scalar} 0x{word:016X}'] * self.lanes)}>"

    def integer(self, value: int) -> str:
        return f"<{', '.join([f'i{self.bits} {value}'] * self.lanes)}>"

    def op(self, name: str, a: str, b: str) -> str:
        return self.emit(f"{name} {self.vector} {a}, {b}")

    def iop(self, name: str, a: str, b: str) -> str:
        return self.emit(f"{name} {self.integers} {a}, {b}")

    def call(self, name: str, *operands: str) -> str:
        """An intrinsic or one of the functions below on whole vectors."""
        listed = ", ".join(f"{self.vector} {operand}" for operand in operands)
        return self.emit(f"call {self.vector} @{name}({listed})")

    def intrinsic(self, name: str, *operands: str) -> str:
        return self.call(f"llvm.{name}.{self.suffix}", *operands)

    def fma(self, a: str, b: str, c: str) -> str:
        return self.intrinsic("fma", a, b, c)

    def negative(self, a: str) -> str:
        return self.emit(f"fneg {self.vector} {a}")

    def compare(self, kind: str, a: str, b: str) -> str:
        return self.emit(f"fcmp {kind} {self.vector} {a}, {b}")

    def select(self, condition: str, a: str, b: str) -> str:
        mask = f"<{self.lanes} x i1>"
        return self.emit(f"select {mask} {condition}, {self.vector} {a}, {self.vector} {b}")

    def bits_of(self, a: str) -> str:
        return self.emit(f"bitcast {self.vector} {a} to {self.integers}")

    def from_bits(self, a: str) -> str:
        return self.emit(f"bitcast {self.integers} {a} to {self.vector}")

    def polynomial(self, coefficients: tuple[float, ...], x: str) -> str:
        total = self.number(coefficients[-1])
        for coefficient in coefficients[-2::-1]:
            total = self.fma(total, x, self.number(coefficient))
        return total

    def at_least(self, a: str, low: float) -> str:
        """max(a, low), NaN staying NaN."""
        bound = self.number(low)
        return self.select(self.compare("olt", a, bound), bound, a)

    def at_most(self, a: str, high: float) -> str:
        bound = self.number(high)
        return self.select(self.compare("ogt", a, bound), bound, a)

    def power(self, n: str) -> str:
        """2ⁿ for integers n whose power is a normal number."""
        shifted = self.iop("add", n, self.integer(_BIAS[self.bits]))
        return self.from_bits(self.iop("shl", shifted, self.integer(_MANTISSA[self.bits])))

    def scaled(self, a: str, n: str) -> str:
        """a · 2ⁿ for any whole n, rounded once; AVX-512 has an instruction for it."""
        kind, mask = ("ps", "i16") if self.bits == 32 else ("pd", "i8")
        return self.emit(
            f"call {self.vector} @llvm.x86.avx512.mask.scalef.{kind}.512({self.vector} {a}, "
            f"{self.vector} {n}, {self.vector} {a}, {mask} -1, i32 4)"
        )

    def reduced(self, x: str) -> tuple[str, str, str]:
        """n, as a number and as an integer, and e^r − 1 where x = n ln 2 + r."""
        magic, (high, low) = self.number(_MAGIC[self.bits]), _LN2[self.bits]
        t = self.fma(x, self.number(1.4426950408889634074), magic)
        n, whole = self.op("fsub", t, magic), self.bits_of(t)
        r = self.fma(n, self.number(-high), x)
        r = self.fma(n, self.number(-low), r)
        q = self.polynomial(_Q[self.bits], r)
        integer = self.iop("sub", whole, self.bits_of(magic))
        return n, integer, self.fma(self.op("fmul", q, r), r, r)


def _exp_of(w: Writer, x: str) -> str:
    """e^x for x within the ends."""
    n, whole, e = w.reduced(x)
    e = w.op("fadd", e, w.number(1.0))
    if w.avx512:
        return w.scaled(e, n)
    half = w.iop("ashr", whole, w.integer(1))
    first, second = w.power(half), w.power(w.iop("sub", whole, half))
    return w.op("fmul", w.op("fmul", e, first), second)


def _exp(w: Writer, x: str) -> str:
    low, high, _ = _ENDS[w.bits]
    return _exp_of(w, w.at_most(w.at_least(x, low), high))


def _exp_of_negative(w: Writer, x: str) -> str:
    """e^(−|x|)."""
    down = w.negative(w.intrinsic("fabs", x))
    return _exp_of(w, w.at_least(down, _ENDS[w.bits][0]))


def _sigmoid(w: Writer, x: str) -> str:
    e, one = _exp_of_negative(w, x), w.number(1.0)
    above = w.select(w.compare("olt", x, w.number(0.0)), e, one)
    return w.op(_RATIO, above, w.op("fadd", e, one))


def _tanh(w: Writer, x: str) -> str:
    double = w.op("fmul", w.intrinsic("fabs", x), w.number(-2.0))
    n, whole, e = w.reduced(w.at_least(double, -2 * _ENDS[w.bits][2]))
    scale = w.scaled(w.number(1.0), n) if w.avx512 else w.power(whole)
    down = w.fma(e, scale, w.op("fsub", scale, w.number(1.0)))
    size = w.op(_RATIO, w.negative(down), w.op("fadd", down, w.number(2.0)))
    return w.intrinsic("copysign", size, x)


def _log(w: Writer, x: str) -> str:
    bits, mantissa = w.bits, _MANTISSA[w.bits]
    least = 2.0 ** (-126 if bits == 32 else -1022)
    small = w.compare("olt", x, w.number(least))
    scaled = w.select(small, w.op("fmul", x, w.number(2.0 ** (mantissa + 2))), x)
    # Subtract √½ as an integer: the exponent of what remains is that of x / √½.
    root = 0x3F3504F3 if bits == 32 else 0x3FE6A09E667F3BCD
    offset = w.iop("sub", w.bits_of(scaled), w.integer(root))
    k = w.iop("ashr", offset, w.integer(mantissa))
    fraction = w.iop("and", offset, w.integer((1 << mantissa) - 1))
    f = w.op("fsub", w.from_bits(w.iop("add", fraction, w.integer(root))), w.number(1.0))
    exponent = w.emit(f"sitofp {w.integers} {k} to {w.vector}")
    down = w.op("fsub", exponent, w.number(float(mantissa + 2)))
    exponent = w.select(small, down, exponent)
    s = w.op("fdiv", f, w.op("fadd", f, w.number(2.0)))
    z = w.op("fmul", s, s)
    r = w.op("fmul", w.polynomial(_LOG[bits], z), z)
    half = w.op("fmul", w.op("fmul", f, f), w.number(0.5))
    high, low = _LN2[bits]
    inner = w.op("fmul", s, w.op("fadd", half, r))
    inner = w.fma(exponent, w.number(low), inner)
    result = w.op("fsub", f, w.op("fsub", half, inner))
    result = w.fma(exponent, w.number(high), result)
    infinite = w.compare("oeq", x, w.number(float("inf")))
    result = w.select(infinite, x, result)
    nothing = w.compare("oeq", x, w.number(0.0))
    result = w.select(nothing, w.number(float("-inf")), result)
    wrong = w.compare("ult", x, w.number(0.0))
    return w.select(wrong, w.number(float("nan")), result)


def _log_sigmoid(w: Writer, x: str) -> str:
    """min(x, 0) − log(1 + e^(−|x|)), the last with what 1 + e loses put back."""
    e, one = _exp_of_negative(w, x), w.number(1.0)
    u = w.op("fadd", one, e)
    lost = w.op("fdiv", w.op("fsub", e, w.op("fsub", u, one)), u)
    logarithm = w.op("fadd", w.call("sluice.log", u), lost)
    return w.op("fsub", w.at_most(x, 0.0), logarithm)


_FUNCTIONS = {
    "exp": _exp,
    "log": _log,
    "sigmoid": _sigmoid,
    "log_sigmoid": _log_sigmoid,
    "tanh": _tanh,
}
NAMES = tuple(_FUNCTIONS)


def definitions(bits: int, avx512: bool = False) -> str:
    """IR of all the functions, called ``@sluice.exp`` and so on; they are inlined where used."""
    parts = []
    for name, write in _FUNCTIONS.items():
        w = Writer(bits, [], avx512=avx512)
        result = write(w, "%x")
        head = f"define internal {w.vector} @sluice.{name}({w.vector} %x) alwaysinline {{"
        parts.append("\n".join([head, *w.lines, f"  ret {w.vector} {result}", "}"]))
    v = Writer(bits, [])
    for name, count in (("fma", 3), ("fabs", 1), ("copysign", 2), ("sqrt", 1)):
        operands = ", ".join([v.vector] * count)
        parts.append(f"declare {v.vector} @llvm.{name}.{v.suffix}({operands})")
    if avx512:
        kind, mask = ("ps", "i16") if bits == 32 else ("pd", "i8")
        operands = ", ".join([v.vector] * 3)
        name = f"llvm.x86.avx512.mask.scalef.{kind}.512"
        parts.append(f"declare {v.vector} @{name}({operands}, {mask}, i32 immarg)")
    return "\n".join(parts)
