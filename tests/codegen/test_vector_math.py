"""Compiled bodies alone: every function over its whole range, and the meaning of slots."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sluice.codegen.body import (
    ADD_BLOCK,
    ADD_ROW,
    LOAD,
    PARAMETER,
    SCALAR,
    STORE,
    Access,
    Body,
    lanes_per_block,
)
from sluice.codegen.jit import compile_bodies
from sluice.equations.graph import Elementwise, Leaf
from sluice.run.kernels import extension

X, Y = Leaf("input", "x", "input"), Leaf("input", "y", "input")
TYPES = {32: np.float32, 64: np.float64}
PATTERNS = {32: np.uint32, 64: np.uint64}
ISAS = [
    isa
    for isa in ("generic", "v3", "avx512")
    if isa in extension._import_extension("generic").supported()
]

# Whole and half turns, where the functions are near 0, and what lies between.
ANGLES = np.concatenate(
    [np.arange(-40000, 40000) * (np.pi / 2), np.random.default_rng(3).uniform(-1e5, 1e5, 1 << 14)]
)


class Slot(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("row", ctypes.c_int64), ("block", ctypes.c_int64)]


def call(body: Body, bits: int, isa: str, rows: int, blocks: int, slots: list[Any]) -> None:
    """Run ``body`` on (array or None, row stride, block stride) for each slot."""
    compiled = compile_bodies({"f": body}, bits, isa)
    function = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)
    array = (Slot * len(slots))(
        *(Slot(None if a is None else a.ctypes.data, row, block) for a, row, block in slots)
    )
    function(compiled.addresses["f"])(rows, blocks, ctypes.addressof(array))


def apply_op(op: str, bits: int, isa: str, *inputs: np.ndarray) -> np.ndarray:
    """An operation on arrays whose length is a multiple of the lanes."""
    leaves = [X, Y][: len(inputs)]
    node = Elementwise(op, tuple(leaves), "hidden")
    loads = tuple((leaf, Access(LOAD, k, 0)) for k, leaf in enumerate(leaves))
    body = Body(loads, ((node, Access(STORE, len(inputs), 0)),), len(inputs) + 1)
    result = np.full_like(inputs[0], 7)
    block = lanes_per_block(bits)
    slots = [(a, a.size, block) for a in (*inputs, result)]
    call(body, bits, isa, 1, result.size // block, slots)
    return result


def whole_range(bits: int) -> np.ndarray:
    """Every exponent and sign, more densely where functions are nonlinear; all special values."""
    kind, generator = TYPES[bits], np.random.default_rng(0)
    patterns = generator.integers(0, 1 << bits, 1 << 17, dtype=PATTERNS[bits]).view(kind)
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, np.finfo(kind).max, np.finfo(kind).tiny]
    special += [np.nextafter(kind(0), kind(1)), -np.nextafter(kind(0), kind(1)), 1.0, -1.0]
    near = generator.normal(0, 1, 1 << 16) * np.repeat([1e-3, 0.3, 3, 30, 100, 700, 1, 1], 1 << 13)
    found = np.concatenate([patterns, np.array(special, kind), near.astype(kind)])
    found[np.isnan(found)] = np.nan  # quiet ones: casts of others are reported as invalid
    return np.concatenate([found, np.zeros(-found.size % 16, kind)])


def exact(op: str, x: np.ndarray) -> np.ndarray:
    """The values in 80-bit floating point."""
    wide = x.astype(np.longdouble)
    one = np.longdouble(1)
    functions: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "exp": np.exp,
        "log": np.log,
        "tanh": np.tanh,
        "sigmoid": lambda v: one / (one + np.exp(-v)),
        "log_sigmoid": lambda v: -np.logaddexp(np.longdouble(0), -v),
        "softplus": lambda v: np.where(v > 20, v, np.logaddexp(np.longdouble(0), v)),
        "expm1": np.expm1,
        "sin": np.sin,
        "cos": np.cos,
        "erf": lambda v: np.array([math.erf(one) for one in v], np.longdouble),
        "sqrt": np.sqrt,
        "absolute": np.abs,
    }
    with np.errstate(all="ignore"):
        return functions[op](wide)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize(
    "op",
    "exp expm1 log tanh sigmoid log_sigmoid softplus sqrt absolute sin cos erf".split(),
)
def test_within_four_units_in_the_last_place(op: str, bits: int, isa: str) -> None:
    x = whole_range(bits)
    if op in ("sin", "cos"):
        x = np.concatenate([x[~(np.abs(x) > 1e15)], ANGLES.astype(TYPES[bits])])
        x = x[: x.size // 16 * 16]
    found, expected = apply_op(op, bits, isa, x), exact(op, x)
    assert np.array_equal(np.isnan(found), np.isnan(expected))
    with np.errstate(all="ignore"):
        rounded = expected.astype(TYPES[bits])
        assert np.array_equal(found[np.isinf(rounded)], rounded[np.isinf(rounded)])
        finite = np.isfinite(rounded)
        unit = np.spacing(np.abs(rounded[finite])).astype(np.longdouble)
        off = np.abs(found[finite].astype(np.longdouble) - expected[finite]) / unit
    worst = x[finite][off.argmax()]
    assert off.max() <= 4, f"{op}({worst!r}) is off by {off.max():.2f} units"


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("bits", [32, 64])
def test_powers_over_the_whole_range(bits: int, isa: str) -> None:
    kind, generator = TYPES[bits], np.random.default_rng(4)
    special = np.array([0.0, -0.0, 1, -1, 2, -2, 0.5, -0.5, 3, -3, np.inf, -np.inf, np.nan], kind)
    a, b = (m.ravel() for m in np.meshgrid(special, special))
    sizes = generator.uniform(0.1, 10, 4096), generator.normal(0, [[1], [300]], (2, 2048)).ravel()
    a, b = np.concatenate([a, sizes[0].astype(kind)]), np.concatenate([b, sizes[1].astype(kind)])
    a, b = a[: a.size // 16 * 16], b[: a.size // 16 * 16]
    found = apply_op("power", bits, isa, a, b)
    with np.errstate(all="ignore"):
        expected = np.power(a.astype(np.longdouble), b.astype(np.longdouble))
        rounded = expected.astype(kind)
        assert np.array_equal(np.isnan(found), np.isnan(expected))
        assert np.array_equal(found[np.isinf(rounded)], rounded[np.isinf(rounded)])
        finite = np.isfinite(rounded)
        off = np.abs(found[finite] - expected[finite]) / np.spacing(np.abs(rounded[finite]))
    with np.errstate(all="ignore"):  # b magnifies what the logarithm's second part leaves out
        limit = 4 + np.nan_to_num(np.abs(b * np.log(np.abs(a))))[finite] / 64
    worst = (off / limit).argmax()
    assert (off <= limit).all(), (a[finite][worst], b[finite][worst], off[worst])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("bits", [32, 64])
def test_arithmetic_and_choices_are_those_of_numpy(bits: int, isa: str) -> None:
    generator = np.random.default_rng(1)
    x = whole_range(bits)
    y = generator.permutation(x)
    functions = {
        "add": np.add,
        "subtract": np.subtract,
        "multiply": np.multiply,
        "divide": np.divide,
        "maximum": np.maximum,
        "minimum": np.minimum,
    }
    for op, function in functions.items():
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(apply_op(op, bits, isa, x, y), function(x, y), op)
    np.testing.assert_array_equal(apply_op("negative", bits, isa, x), -x)
    np.testing.assert_array_equal(apply_op("floor", bits, isa, x), np.floor(x))
    np.testing.assert_array_equal(apply_op("round", bits, isa, x), np.round(x))
    np.testing.assert_array_equal(
        apply_op("sign", bits, isa, x), np.where(np.isnan(x), 0, np.sign(x))
    )
    relu = apply_op("relu", bits, isa, x)
    np.testing.assert_array_equal(relu, np.where(np.isnan(x), x, np.maximum(x, 0)))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("bits", [32, 64])
def test_a_body_reads_and_writes_where_its_slots_say(bits: int, isa: str) -> None:
    kind, block, rows, blocks = TYPES[bits], lanes_per_block(bits), 3, 2
    generator = np.random.default_rng(2)
    x = generator.normal(size=(rows, blocks, 2, block)).astype(kind)  # two items a block
    p = generator.normal(size=(blocks, block)).astype(kind)
    s = generator.normal(size=(rows, 3)).astype(kind)
    out, optional = np.full((rows, blocks, block), 9, kind), np.full((rows, blocks, block), 9, kind)
    by_row, by_block = np.ones((rows, block), kind), np.ones((blocks, block), kind)
    a, b = Leaf("input", "a", "input"), Leaf("input", "b", "input")
    parameter, scalar = Leaf("parameter", "p", "hidden"), Leaf("input", "s", "input")
    product = Elementwise("multiply", (a, parameter), "hidden")
    other = Elementwise("multiply", (b, scalar), "hidden")
    total = Elementwise("add", (other, product), "hidden")
    body = Body(
        (
            (a, Access(LOAD, 0, 0)),
            (b, Access(LOAD, 0, 1)),
            (parameter, Access(PARAMETER, 1, 0)),
            (scalar, Access(SCALAR, 2, 2)),
        ),
        (
            (total, Access(STORE, 3, 0)),
            (product, Access(STORE, 4, 0, optional=True)),
            (total, Access(ADD_ROW, 5, 0)),
            (product, Access(ADD_BLOCK, 6, 0)),
        ),
        7,
    )
    slots = [
        (x, blocks * 2 * block, 2 * block),
        (p, 0, block),
        (s, 3, 0),
        (out, blocks * block, block),
        (optional, blocks * block, block),
        (by_row, block, 0),
        (by_block, 0, block),
    ]
    call(body, bits, isa, rows, blocks, slots)
    gate = x[:, :, 0] * p
    expected = x[:, :, 1] * s[:, 2][:, None, None] + gate
    close = {"rtol": 1e-5 if bits == 32 else 1e-13, "atol": 1e-6 if bits == 32 else 1e-14}
    np.testing.assert_allclose(out, expected, **close)
    np.testing.assert_allclose(optional, gate, **close)
    np.testing.assert_allclose(by_row, 1 + expected.sum(1), **close)
    np.testing.assert_allclose(by_block, 1 + gate.sum(0), **close)
    before = out.copy()
    slots[4] = (None, 0, 0)
    call(body, bits, isa, rows, blocks, slots)
    call(body, bits, isa, 0, blocks, slots)
    np.testing.assert_array_equal(out, before)
