"""Elementwise operations as GPU kernels spell them, against torch, also of extreme numbers."""

from __future__ import annotations

import pytest
import torch

from run.gpu.interpreter import in_interpreter, needs_triton
from sluice.codegen.gpu.operations import PRELUDE, SPELLINGS
from sluice.equations.op_table import OPS
from sluice.run.gpu import kernels

ENDS = [0.0, -0.0, 1.0, -1.0, 1e-30, -1e-9, 0.019, -0.021, 0.29, -0.31, 20.0, -40.0, 89.0, -745.0]
ENDS += [float("inf"), -float("inf"), float("nan")]


@needs_triton
def test_every_operation_is_spelled() -> None:
    assert set(SPELLINGS) == set(OPS)


@pytest.mark.parametrize("name", SPELLINGS)
@in_interpreter
def test_operation(name: str) -> None:
    for dtype, limit in ((torch.float64, 1e-14), (torch.float32, 3e-7)):
        generator = torch.Generator().manual_seed(1)
        values = torch.cat([torch.tensor(ENDS), torch.randn(47, generator=generator) * 3])
        a = values.to(dtype)
        b, c = (a[torch.randperm(64, generator=generator)] for _ in range(2))
        given = [a, b, c][: OPS[name].arity]
        if name == "where":
            given[0] = a > 0.5
        if name == "power" and dtype is torch.float64:
            limit = 1e-13  # up to 745, the largest exponent of e, times the logarithm's rounding
        expected = OPS[name].torch(*given).to(dtype)
        found = torch.full_like(a, 7.0)
        compute(name, [t.to(torch.int8) if t.dtype is torch.bool else t for t in given], found)
        torch.testing.assert_close(
            found, expected, rtol=limit, atol=torch.finfo(dtype).tiny, equal_nan=True
        )


def compute(name: str, given: list[torch.Tensor], found: torch.Tensor) -> None:
    """One program that applies an operation to 64 numbers."""
    names = ["A", "B", "C"][: len(given)]
    loads = [f"tl.load({one} + n)" for one in names]
    if name == "where":
        loads[0] += " != 0"
    lines = [
        PRELUDE,
        "@triton.jit",
        f"def kernel(Y, {', '.join(names)}):",
        "    n = tl.arange(0, 64)",
        *(f"    v{k} = {load}" for k, load in enumerate(loads)),
        f"    y = {SPELLINGS[name].format(*(f'v{k}' for k in range(len(given))))}",
        "    tl.store(Y + n, y.to(Y.dtype.element_ty))",
        "",
    ]
    kernels._load_function("\n".join(lines))[(1,)](found, *given)
