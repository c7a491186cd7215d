"""Bodies compiled in this process, for its processor."""

from __future__ import annotations

import hashlib
import platform
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from sluice.codegen.body import Body
from sluice.codegen.llvm import emit_module
from sluice.locks import first_use

if TYPE_CHECKING:
    import llvmlite.binding as llvm

_CPUS = {"avx512": "x86-64-v4", "v3": "x86-64-v3", "generic": "x86-64"}
_MAX_OBJECTS = 64
_loaded: WeakValueDictionary[str, CompiledBodies] = WeakValueDictionary()
_objects: OrderedDict[str, bytes] = OrderedDict()
"""Object code of the bodies last compiled, some kilobytes each; the last one used is the last."""


@dataclass(frozen=True)
class CompiledBodies:
    """Machine code of some bodies: their addresses, the IR, and how long it took in seconds.

    The code is freed with this object: whoever calls an address must keep it alive.
    """

    addresses: dict[str, int]
    ir: str
    seconds: float
    engine: object


def compile_bodies(bodies: Mapping[str, Body], bits: int, isa: str | None = None) -> CompiledBodies:
    """Compile ``bodies``, functions by name, or find those that somebody still holds.

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
    with first_use.hold():
        found = _loaded.get(key)
        if found is None:
            start = time.perf_counter()
            engine = _load_object(_find_object(key, text, isa), isa)
            addresses = {name: engine.get_function_address(name) for name in bodies}
            found = CompiledBodies(addresses, text, time.perf_counter() - start, engine)
            _loaded[key] = found
        return found


def compile_object(bodies: Mapping[str, Body], bits: int, triple: str, cpu: str) -> bytes:
    """An object file of ``bodies`` for another system, to be linked there."""
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple(triple)
    machine = target.create_target_machine(cpu=cpu, opt=3, reloc="pic")
    text = emit_module(bodies, bits, wide=False, estimates=_is_x86(triple))
    return _compile_ir(text, machine)


def _is_x86(machine: str) -> bool:
    return machine.startswith(("x86_64", "AMD64"))


def _find_object(key: str, ir: str, isa: str | None) -> bytes:
    """The object code of ``ir``, compiled unless it is one of the last."""
    code = _objects.pop(key, None)
    if code is None:
        code = _compile_ir(ir, _create_target_machine(isa))
    _objects[key] = code
    if len(_objects) > _MAX_OBJECTS:
        _objects.popitem(last=False)
    return code


def _compile_ir(ir: str, machine: llvm.TargetMachine) -> bytes:
    """Object code. All that LLVM needs for it is in a context of its own, freed at the end."""
    import llvmlite.binding as llvm

    module = llvm.parse_assembly(ir, llvm.create_context())
    module.triple = machine.triple
    module.verify()
    # Bodies need inlining and nothing else: measured as fast as after the pipeline of -O2, which
    # takes longer than all the rest and, in llvmlite, leaks 90 KB each time.
    passes = llvm.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    passes.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options()))
    return bytes(machine.emit_object(module))


def _load_object(code: bytes, isa: str | None) -> llvm.ExecutionEngine:
    import llvmlite.binding as llvm

    empty = llvm.parse_assembly("", llvm.create_context())
    engine = llvm.create_mcjit_compiler(empty, _create_target_machine(isa))
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine


def _create_target_machine(isa: str | None) -> llvm.TargetMachine:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    if isa in _CPUS and target.triple.startswith("x86_64"):
        return target.create_target_machine(cpu=_CPUS[isa], opt=3)
    try:
        features = llvm.get_host_cpu_features().flatten()
    except RuntimeError:  # where LLVM cannot tell, the name of the processor implies them
        features = ""
    return target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=3)
