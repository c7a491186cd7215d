"""What this processor can do at most: multiply-adds a second, in a loop that touches no memory."""

from __future__ import annotations

import ctypes
import threading
import time

import llvmlite.binding as llvm
from rich.console import Console

CHAINS = 24
"""Sums in flight: more than the latency of a multiply-add times the units that do them."""
_FLOPS = {"float32": 2 * 16, "bfloat16": 2 * 32, "int8": 2 * 64}


def peak(precision: str = "float32", threads: int = 2, seconds: float = 0.2) -> float | None:
    """Multiply-adds a second, counted as two operations each; None where it has no such
    instruction."""
    needed = {"float32": "avx512f", "bfloat16": "avx512bf16", "int8": "avx512vnni"}[precision]
    if not dict(llvm.get_host_cpu_features()).get(needed):
        return None
    function, kept = _compiled(precision)
    count = 1 << 16
    while (spent := _together(function, count, threads)) < seconds:
        count *= 2
    del kept
    return count * CHAINS * _FLOPS[precision] * threads / spent


def _together(function: object, count: int, threads: int) -> float:
    assert callable(function)
    workers = [threading.Thread(target=function, args=(count,)) for _ in range(threads)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.perf_counter() - start


def _compiled(precision: str) -> tuple[object, object]:
    vector = "<16 x float>" if precision != "int8" else "<16 x i32>"
    zero = "zeroinitializer"
    call = {
        "float32": "call <16 x float> @llvm.fma.v16f32(<16 x float> %a, <16 x float> %a, "
        "{v} %s{k})",
        "bfloat16": "call <16 x float> @llvm.x86.avx512bf16.dpbf16ps.512({v} %s{k}, <32 x bfloat> "
        "%a, <32 x bfloat> %a)",
        "int8": "call <16 x i32> @llvm.x86.avx512.vpdpbusd.512({v} %s{k}, <16 x i32> %a, "
        "<16 x i32> %a)",
    }[precision]
    operands = {"float32": "<16 x float>", "bfloat16": "<32 x bfloat>", "int8": "<16 x i32>"}
    operand = operands[precision]
    declared = {
        "float32": "declare <16 x float> @llvm.fma.v16f32(<16 x float>, <16 x float>, "
        "<16 x float>)",
        "bfloat16": "declare <16 x float> @llvm.x86.avx512bf16.dpbf16ps.512(<16 x float>, "
        "<32 x bfloat>, <32 x bfloat>)",
        "int8": "declare <16 x i32> @llvm.x86.avx512.vpdpbusd.512(<16 x i32>, <16 x i32>, "
        "<16 x i32>)",
    }[precision]
    chains = range(CHAINS)
    lines = [
        declared,
        "@sink = global [64 x i8] zeroinitializer, align 64",
        f"define void @go(i64 %n) {{\nstart:\n  %a = load volatile {operand}, ptr @sink, align 64",
        "  br label %loop\nloop:\n  %i = phi i64 [0, %start], [%next, %loop]",
        *(f"  %s{k} = phi {vector} [{zero}, %start], [%t{k}, %loop]" for k in chains),
        *(f"  %t{k} = " + call.format(v=vector, k=k) for k in chains),
        "  %next = add i64 %i, 1\n  %more = icmp ult i64 %next, %n",
        "  br i1 %more, label %loop, label %end\nend:",
        *(f"  store volatile {vector} %t{k}, ptr @sink, align 64" for k in chains),
        "  ret void\n}",
    ]
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3
    )
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly("\n".join(lines)), machine)
    engine.finalize_object()
    return ctypes.CFUNCTYPE(None, ctypes.c_int64)(engine.get_function_address("go")), engine


if __name__ == "__main__":
    for name in _FLOPS:
        found = peak(name)
        told = "no such instruction" if found is None else f"{found / 1e9:.0f} GFLOP/s, 2 threads"
        Console().print(name, told)
