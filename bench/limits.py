"""The limits of this processor: multiply-adds a second, in a loop that touches no memory,
bytes read a second from memory of one size, and the time in which two threads meet.

    python bench/limits.py
    python bench/limits.py rows [lstm …] [--shapes 256x16x128 …]

The second compares layers with these limits (`limit_rows.py`).
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable

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
    function, kept = _compile(precision)
    count = 1 << 16
    while (spent := _together(function, count, threads)) < seconds:
        count *= 2
    del kept
    return count * CHAINS * _FLOPS[precision] * threads / spent


def _together(function: Callable[..., None], count: int, threads: int) -> float:
    workers = [threading.Thread(target=function, args=(count,)) for _ in range(threads)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.perf_counter() - start


def _compile(precision: str) -> tuple[Callable[..., None], object]:
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
    return _function("\n".join(lines), ctypes.c_int64)


def bandwidth(size: int, seconds: float = 0.1) -> float:
    """Bytes a second that one thread reads, again and again, from ``size`` bytes."""
    lines = [
        "define void @go(ptr %from, i64 %lines, i64 %times) {\nstart:\n  br label %again\nagain:",
        "  %time = phi i64 [0, %start], [%later, %done]\n  br label %loop\nloop:",
        "  %i = phi i64 [0, %again], [%next, %loop]",
        *(f"  %s{k} = phi <16 x i32> [zeroinitializer, %again], [%t{k}, %loop]" for k in range(8)),
        "  %at = getelementptr <16 x i32>, ptr %from, i64 %i",
        *(f"  %p{k} = getelementptr <16 x i32>, ptr %at, i64 {k}" for k in range(8)),
        *(f"  %v{k} = load <16 x i32>, ptr %p{k}, align 64" for k in range(8)),
        *(f"  %t{k} = xor <16 x i32> %s{k}, %v{k}" for k in range(8)),
        "  %next = add i64 %i, 8\n  %more = icmp ult i64 %next, %lines",
        "  br i1 %more, label %loop, label %done\ndone:",
        *(f"  store volatile <16 x i32> %t{k}, ptr @sink, align 64" for k in range(8)),
        "  %later = add i64 %time, 1\n  %on = icmp ult i64 %later, %times",
        "  br i1 %on, label %again, label %end\nend:\n  ret void\n}",
    ]
    text = "@sink = global [64 x i8] zeroinitializer, align 64\n" + "\n".join(lines)
    function, kept = _function(text, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
    memory = ctypes.create_string_buffer(size + 1024)
    first, count = -(-ctypes.addressof(memory) // 64) * 64, 1
    ctypes.memset(first, 1, size)
    while True:
        start = time.perf_counter()
        function(first, size // 512 * 8, count)
        spent = time.perf_counter() - start
        if spent > seconds:
            del kept
            return size // 512 * 512 * count / spent
        count *= 2


def measure_meeting(seconds: float = 0.1) -> float:
    """Seconds that a meeting of two threads takes: each waits until the other has arrived."""
    text = """
    @turns = global [2 x [64 x i8]] zeroinitializer, align 64
    define void @go(i64 %id, i64 %count) {
    start:
      %other = sub i64 1, %id
      %mine = getelementptr [64 x i8], ptr @turns, i64 %id
      %theirs = getelementptr [64 x i8], ptr @turns, i64 %other
      %before = load i64, ptr %mine
      %last = add i64 %before, %count
      br label %loop
    loop:
      %now = phi i64 [%before, %start], [%next, %met]
      %next = add i64 %now, 1
      store atomic i64 %next, ptr %mine release, align 8
      br label %wait
    wait:
      %seen = load atomic i64, ptr %theirs acquire, align 8
      %behind = icmp ult i64 %seen, %next
      br i1 %behind, label %wait, label %met
    met:
      %more = icmp ult i64 %next, %last
      br i1 %more, label %loop, label %end
    end:
      ret void
    }"""
    function, kept = _function(text, ctypes.c_int64, ctypes.c_int64)
    count = 1 << 12
    while True:
        workers = [threading.Thread(target=function, args=(k, count)) for k in range(2)]
        start = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        spent = time.perf_counter() - start
        if spent > seconds:
            del kept
            return spent / count
        count *= 2


def _function(text: str, *arguments: type) -> tuple[Callable[..., None], object]:
    """The function ``go`` of ``text``, and the object that keeps it alive."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3
    )
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(text), machine)
    engine.finalize_object()
    module = ctypes.CFUNCTYPE(None, *arguments)(engine.get_function_address("go"))
    return module, engine


def print_limits() -> None:
    """The limits of this processor."""
    for name in _FLOPS:
        found = peak(name)
        speed = "no such instruction" if found is None else f"{found / 1e9:.0f} GFLOP/s, 2 threads"
        Console().print(name, speed)
    for kilobytes in (16, 512, 8192, 131072):
        speed = bandwidth(kilobytes * 1024) / 1e9
        Console().print(f"reading {kilobytes} KB", f"{speed:.0f} GB/s, 1 thread")
    Console().print("a meeting of two threads", f"{measure_meeting() * 1e9:.0f} ns")


if __name__ == "__main__":
    if sys.argv[1:2] == ["rows"]:
        from limit_rows import measure_rows

        measure_rows(sys.argv[2:])
    else:
        print_limits()
