"""The functions of the op table in LLVM IR, on 64-byte vectors, float32 and float64."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sluice.codegen.vector_builder import VectorIRBuilder
from sluice.codegen.vector_double import write_cos, write_erf, write_power, write_sin
from sluice.codegen.vector_exponentials import (
    write_exp,
    write_expm1,
    write_log,
    write_log_sigmoid,
    write_sigmoid,
    write_softplus,
    write_tanh,
)


def _write_floor(w: VectorIRBuilder, x: str) -> str:
    whole = w.round(x)
    less = w.float_op("fsub", whole, w.constant(1.0))
    return w.select(w.compare("ogt", whole, x), less, whole)


def _widen(write: Callable[..., str]) -> Callable[..., str]:
    """Compute a function in float64 and round its result once."""

    def write_wide(w: VectorIRBuilder, *operands: str) -> str:
        if w.bits == 64:
            return write(w, *operands)
        wide = VectorIRBuilder(64, w.lines, w.value_count, lane_count=w.lanes)
        found = [wide.emit(f"fpext {w.vector} {operand} to {wide.vector}") for operand in operands]
        result = write(wide, *found)
        w.value_count = wide.value_count
        return w.emit(f"fptrunc {wide.vector} {result} to {w.vector}")

    return write_wide


_FUNCTIONS: dict[str, Callable[..., str]] = {
    "exp": write_exp,
    "expm1": write_expm1,
    "log": write_log,
    "sigmoid": write_sigmoid,
    "log_sigmoid": write_log_sigmoid,
    "softplus": write_softplus,
    "silu": lambda w, x: w.float_op("fmul", x, write_sigmoid(w, x)),
    "tanh": write_tanh,
    "sin": _widen(write_sin),
    "cos": _widen(write_cos),
    "erf": _widen(write_erf),
    "power": _widen(write_power),
    "round": VectorIRBuilder.round,
    "floor": _write_floor,
}
_ARITIES = {"power": 2}
FUNCTION_NAMES = tuple(_FUNCTIONS)


def emit_definitions(names: Iterable[str], bits: int, avx512: bool = False) -> str:
    """IR of these functions, called ``@sluice.exp`` and so on; they are inlined where used."""
    parts = []
    for name in sorted(set(names)):
        w = VectorIRBuilder(bits, [], avx512=avx512)
        arguments = [f"%x{k}" for k in range(_ARITIES.get(name, 1))]
        result = _FUNCTIONS[name](w, *arguments)
        listed = ", ".join(f"{w.vector} {argument}" for argument in arguments)
        head = f"define internal {w.vector} @sluice.{name}({listed}) alwaysinline {{"
        parts.append("\n".join([head, *w.lines, f"  ret {w.vector} {result}", "}"]))
    native = VectorIRBuilder(bits, [])
    parts += _declare_intrinsics(native)
    if bits == 32:
        parts += _declare_intrinsics(VectorIRBuilder(64, [], lane_count=native.lanes))
    if avx512:
        kind, mask = ("ps", "i16") if bits == 32 else ("pd", "i8")
        operands = ", ".join([native.vector] * 3)
        name = f"llvm.x86.avx512.mask.scalef.{kind}.512"
        parts.append(f"declare {native.vector} @{name}({operands}, {mask}, i32 immarg)")
    return "\n".join(parts)


def _declare_intrinsics(w: VectorIRBuilder) -> list[str]:
    return [
        f"declare {w.vector} @llvm.{name}.{w.suffix}({', '.join([w.vector] * count)})"
        for name, count in (("fma", 3), ("fabs", 1), ("copysign", 2), ("sqrt", 1))
    ]
