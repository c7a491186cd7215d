"""Instructions of LLVM IR on whole vectors: what `vector_math` is written with."""

from __future__ import annotations

import struct
from dataclasses import dataclass

MANTISSA_BITS, EXPONENT_BIAS = {32: 23, 64: 52}, {32: 127, 64: 1023}
MAGIC = {32: 12582912.0, 64: 6755399441055744.0}
"""Added to a number well below it, it rounds to a whole one and shows that in its low bits."""


@dataclass
class VectorIRBuilder:
    """Emits the instructions of one function on vectors of one precision."""

    bits: int
    lines: list[str]
    value_count: int = 0
    avx512: bool = False
    lane_count: int = 0

    @property
    def lanes(self) -> int:
        """As many as fill 64 bytes, unless ``lane_count`` says another number."""
        return self.lane_count or 512 // self.bits

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
        """An intrinsic or a function of `vector_math` on whole vectors."""
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

    def combine(self, name: str, a: str, b: str) -> str:
        """``and`` or ``or`` of two comparisons."""
        return self.emit(f"{name} <{self.lanes} x i1> {a}, {b}")

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

    def round(self, a: str) -> str:
        """The nearest whole number, half to even. Written so that no system needs a library."""
        size, least = self.intrinsic("fabs", a), self.constant(2.0 ** MANTISSA_BITS[self.bits])
        whole = self.float_op("fsub", self.float_op("fadd", size, least), least)
        whole = self.intrinsic("copysign", whole, a)
        return self.select(self.compare("olt", size, least), whole, a)

    def exp2(self, n: str) -> str:
        """2ⁿ for integers n whose power is a normal number."""
        shifted = self.int_op("add", n, self.integer_constant(EXPONENT_BIAS[self.bits]))
        return self.bitcast_to_float(
            self.int_op("shl", shifted, self.integer_constant(MANTISSA_BITS[self.bits]))
        )

    def ldexp(self, a: str, n: str) -> str:
        """a · 2ⁿ for any whole n, rounded once; AVX-512 has an instruction for it."""
        kind, mask = ("ps", "i16") if self.bits == 32 else ("pd", "i8")
        return self.emit(
            f"call {self.vector} @llvm.x86.avx512.mask.scalef.{kind}.512({self.vector} {a}, "
            f"{self.vector} {n}, {self.vector} {a}, {mask} -1, i32 4)"
        )
