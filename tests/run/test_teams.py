"""Whose threads run a job: torch's OpenMP threads or the kernels' own; the bits are the same."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from child_process import run_python
from sampling import thin_out

HEAD = f"""
import ctypes, os, signal, sys, threading
signal.alarm(60)
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
"""
LAYER = """
import torch, sluice, built_kernels
from sluice.run.kernels import extension
kernels = extension.load_extension()
torch.manual_seed(0)
layer, oracle = sluice.nn.LSTM(32, 129), torch.nn.LSTM(32, 129)
oracle.load_state_dict(layer.state_dict())
def compute(layer=layer, batch=9):
    x = torch.linspace(-1, 1, 20 * batch * 32).reshape(20, batch, 32)
    y = layer(x)[0]
    gradients = torch.autograd.grad(y.square().sum(), list(layer.parameters()))
    return [y.detach(), *gradients]
def same(a, b):
    return all(map(torch.equal, a, b))
def is_right(found, batch=9):
    for ours, theirs in zip(found, compute(oracle, batch)):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    return True
"""
REGION = r"""
#include <omp.h>
extern "C" int run_in_region(int threads, void (*work)(int)) {
    int granted = 0;
#pragma omp parallel num_threads(threads)
    {
#pragma omp single
        granted = omp_get_num_threads();
        work(omp_get_thread_num());
    }
    return granted;
}
"""

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")


def run(code: str, head: str = HEAD + LAYER, **environment: str) -> list[str]:
    """The words that a new interpreter prints; it has a minute."""
    return run_python(head + code, **environment).split()


def test_jobs_run_on_the_runtime_that_torch_uses() -> None:
    code = """
before = len(os.listdir("/proc/self/task"))
torch.set_num_threads(3)
(torch.randn(999, 999) @ torch.randn(999, 999)).exp()
with_torch = len(os.listdir("/proc/self/task"))
compute()
print(os.path.basename(kernels.find_openmp()), len(os.listdir("/proc/self/task")) - with_torch)
kernels.use_openmp(False)
compute()
print(len(os.listdir("/proc/self/task")) - with_torch, kernels.find_openmp() == "")
"""
    if not Path("/proc/self/task").is_dir():
        pytest.skip("needs /proc to count threads")
    library, more, own, off = run(code)
    assert "omp" in library
    assert (int(more), int(own), off) == (0, 2, "True")


@pytest.mark.exhaustive
@pytest.mark.parametrize("first", thin_out(["torch", "sluice._kernels_generic"], 2))
def test_the_order_of_loading_does_not_matter(first: str) -> None:
    code = f"import {first}" + LAYER + "print(kernels.find_openmp() != '', is_right(compute()))"
    assert run(code, HEAD) == ["True", "True"]


def test_teams_give_the_same_bits() -> None:
    code = """
for threads in (1, 2, 3):
    torch.set_num_threads(threads)
    for batch in (1, 2, 9):
        kernels.use_openmp(True)
        borrowed = compute(batch=batch)
        kernels.use_openmp(False)
        print(same(borrowed, compute(batch=batch)), is_right(borrowed, batch))
"""
    assert run(code) == ["True"] * 18


@pytest.mark.exhaustive
def test_more_threads_than_torch_has_and_counts_that_change() -> None:
    code = """
expected = compute()[0]
for asked, of_torch in ((16, 2), (2, 16), (3, 1), (5, 5), (1, 7), (2, 2)):
    torch.set_num_threads(of_torch)
    sluice.set_num_threads(asked)
    found = compute()
    print(torch.equal(found[0], expected), is_right(found))
"""
    assert run(code) == ["True"] * 12


@pytest.mark.exhaustive
@pytest.mark.parametrize("count", thin_out(["1", "2", "16"], 3, 2))
def test_any_number_of_openmp_threads(count: str) -> None:
    code = "print(is_right(compute()), is_right(compute(batch=1), 1))"
    assert run(code, OMP_NUM_THREADS=count, MKL_NUM_THREADS=count) == ["True", "True"]


@pytest.mark.exhaustive
def test_a_limit_of_openmp_grants_fewer_threads() -> None:
    code = "sluice.set_num_threads(4); print(is_right(compute()), is_right(compute()))"
    assert run(code, OMP_NUM_THREADS="4", OMP_THREAD_LIMIT="2") == ["True", "True"]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
@pytest.mark.parametrize("team", thin_out(["0", "1"], 2, 1))
def test_on_one_processor(team: str) -> None:
    code = """
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import torch
torch.set_num_threads(2)
"""
    code += LAYER + "print(torch.get_num_threads(), is_right(compute()), is_right(compute()))"
    assert run(code, HEAD, SLUICE_OPENMP=team) == ["2", "True", "True"]


@pytest.mark.exhaustive
def test_eight_threads_of_python() -> None:
    code = """
from concurrent.futures import ThreadPoolExecutor
torch.set_num_threads(2)
expected = compute()
start = threading.Barrier(8)
def work(k):
    torch.set_num_threads(2)
    start.wait()
    return all(same(compute(), expected) for _ in range(10))
with ThreadPoolExecutor(8) as pool:
    print(*pool.map(work, range(8)))
"""
    assert run(code) == ["True"] * 8


def test_a_fork_after_torch_has_used_its_threads() -> None:
    """The child's runtime would wait for threads that it does not have."""
    code = """
torch.set_num_threads(2)
(torch.randn(999, 999) @ torch.randn(999, 999)).exp()
expected = compute()
codes = []
for _ in range(2):
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        torchs = torch.get_num_threads()
        sluice.set_num_threads(2)  # as many as the parent: gradients' bits depend on them
        found = compute()
        assert torchs == 1
        os._exit(0 if same(found, expected) and kernels.find_openmp() == "" else 1)
    codes.append(os.waitpid(child, 0)[1])
print(*codes, same(compute(), expected), kernels.find_openmp() != "")
"""
    assert run(code) == ["0", "0", "True", "True"]


@pytest.mark.exhaustive
@needs_compiler
def test_inside_a_parallel_region(tmp_path: Path) -> None:
    source, library = tmp_path / "region.cpp", tmp_path / "region.so"
    source.write_text(REGION)
    subprocess.run(
        ["g++", "-shared", "-fPIC", "-fopenmp", str(source), "-o", str(library)],
        check=True,
        timeout=600,
    )
    code = f"""
torch.set_num_threads(2)
expected = compute()
region = ctypes.CDLL({str(library)!r})
for threads in (1, 2, 3):
    found = [False] * threads
    @ctypes.CFUNCTYPE(None, ctypes.c_int)
    def work(k):
        sluice.set_num_threads(2)
        found[k] = all(same(compute(), expected) for _ in range(5))
    print(region.run_in_region(threads, work), all(found))
"""
    assert run(code) == ["1", "True", "2", "True", "3", "True"]


def test_the_runtime_of_llvm(tmp_path: Path) -> None:
    """Preloaded, it takes the place of GNU's for torch, and its own entry is used."""
    found = [*Path("/usr/lib").glob("**/libomp.so.5"), *Path("/usr/lib").glob("**/libiomp5.so")]
    if not found:
        pytest.skip("needs LLVM's or Intel's OpenMP runtime in /usr/lib")
    code = """
torch.set_num_threads(3)
borrowed = compute()
tasks = len(os.listdir("/proc/self/task"))
print(kernels.find_openmp(), is_right(borrowed), is_right(compute(batch=1), 1))
kernels.use_openmp(False)
print(same(borrowed, compute()))
"""
    library, *rest = run(code, LD_PRELOAD=str(found[0]))
    assert Path(library).resolve() == found[0].resolve()
    assert rest == ["True", "True", "True"]
