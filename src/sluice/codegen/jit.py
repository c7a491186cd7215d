"""Bodies compiled in this process, for its processor."""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.codegen.body import Body
from sluice.codegen.llvm import emit_module
from sluice.codegen.locks import ForkSafeLock

_CPUS = {"avx512": "x86-64-v4", "v3": "x86-64-v3", "generic": "x86-64"}
_lock = ForkSafeLock()
_compiled: dict[str, CompiledBodies] = {}


@dataclass(frozen=True)
class CompiledBodies:
    """Machine code of some bodies: their addresses, the IR, and how long it took in seconds."""

    addresses: dict[str, int]
    ir: str
    seconds: float
    engine: object


def compile_bodies(bodies: Mapping[str, Body], bits: int, isa: str | None = None) -> CompiledBodies:
    """Compile ``bodies``, functions by name, or find them in a cache.

    ``isa`` is one of the kernels' instruction sets; None for all that this processor has.
    """
    avx512 = isa in ("avx512", "avx512_bf16")
    text = emit_module(
        bodies,
        bits,
        wide=isa is None or avx512,
        avx512=avx512,
        estimates=_is_x86(platform.machine()),
    )
    key = hashlib.sha256(f"{isa} {text}".encode()).hexdigest()
    with _lock.hold():
        if key not in _compiled:
            _compiled[key] = _compile_ir(text, list(bodies), isa)
        return _compiled[key]


def compile_object(bodies: Mapping[str, Body], bits: int, triple: str, cpu: str) -> bytes:
    """An object file of ``bodies`` for another system, to be linked there."""
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple(triple)
    machine = target.create_target_machine(cpu=cpu, opt=3, reloc="pic")
    text = emit_module(bodies, bits, wide=False, estimates=_is_x86(triple))
    return bytes(machine.emit_object(_optimise_ir(text, machine)))


def _is_x86(machine: str) -> bool:
    return machine.startswith(("x86_64", "AMD64"))


def _compile_ir(ir: str, names: list[str], isa: str | None) -> CompiledBodies:
    import llvmlite.binding as llvm

    start = time.perf_counter()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = _create_target_machine(isa)
    engine = llvm.create_mcjit_compiler(_optimise_ir(ir, machine), machine)
    engine.finalize_object()
    addresses = {name: engine.get_function_address(name) for name in names}
    return CompiledBodies(addresses, ir, time.perf_counter() - start, (engine, machine))


def _optimise_ir(ir: str, machine: Any) -> Any:
    import llvmlite.binding as llvm

    parsed = llvm.parse_assembly(ir)
    parsed.triple = machine.triple
    parsed.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(parsed, builder)
    return parsed


def _create_target_machine(isa: str | None) -> Any:
    import llvmlite.binding as llvm

    target = llvm.Target.from_default_triple()
    if isa in _CPUS and target.triple.startswith("x86_64"):
        return target.create_target_machine(cpu=_CPUS[isa], opt=3)
    try:
        features = llvm.get_host_cpu_features().flatten()
    except RuntimeError:  # where LLVM cannot tell, the name of the processor implies them
        features = ""
    return target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=3)
