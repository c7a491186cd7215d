"""Every function of a step, ours and torch's own on symbols, compiled: values and derivatives.

The expected ones are torch's and autograd's, also at the kinks, at infinity and of NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import sluice
from codegen.test_vector_math import call
from sampling import thin_out
from sluice.cells import Cell
from sluice.codegen.body import LOAD, STORE, Access, Body, lanes_per_block
from sluice.equations import EquationError, differentiate
from sluice.equations.graph import Leaf

Function = Callable[[Any], Any]

POINTS = [0.0, -0.0, 0.3, -0.4, 0.5, -0.5, 1.0, -1.0, 1.5, 2.5, -2.5, 3.0, -3.0, 6.0, 7.0, 21.0]
POINTS += [-21.0, 0.2, -0.2, 1e-4, -1e-4, 12.5, -30.0, 100.0]
ENDS = [float("inf"), -float("inf"), float("nan")]


class Applied(Cell):
    """A state that a function is applied to."""

    def __init__(self, function: Function) -> None:
        self.function = function

    def step(self, x: Any, h: Any) -> Any:
        return dict(h=self.function(h) + 0.0)


def run_compiled(function: Function, points: list[float], bits: int) -> tuple[Tensor, Tensor]:
    """The values of a function of symbols, and its derivative times 1.5."""
    graph = Applied(function).graph
    h, g = Leaf("state", "h", "hidden"), Leaf("gradient", "h", "hidden")
    dh = differentiate(graph).states.get("h")
    stores = [(graph.outputs_by_name["h"], Access(STORE, 2, 0))]
    stores += [] if dh is None else [(dh, Access(STORE, 3, 0))]
    loads = ((h, Access(LOAD, 0, 0)), (g, Access(LOAD, 1, 0)))
    block, kind = lanes_per_block(bits), np.float32 if bits == 32 else np.float64
    a = np.zeros(-(-len(points) // block) * block, kind)
    a[: len(points)] = points
    arrays = [a, np.full_like(a, 1.5), np.full_like(a, 7), np.zeros_like(a)]
    slots = [(array, a.size, block) for array in arrays]
    call(Body(loads, tuple(stores), 4), bits, "generic", 1, a.size // block, slots)
    y, dh_found = (torch.from_numpy(array[: len(points)]) for array in arrays[2:])
    return y, dh_found


def run_torch(function: Function, points: list[float], bits: int) -> tuple[Tensor, Tensor]:
    a = torch.tensor(points, dtype=torch.float32 if bits == 32 else torch.float64)
    a.requires_grad_()
    y = function(a)
    if not y.requires_grad:
        return y, torch.zeros_like(a)
    (da,) = torch.autograd.grad(y, a, torch.full_like(a, 1.5))
    return y.detach(), da


# Ours on symbols and torch's on tensors.
PAIRS: dict[str, tuple[Function, Function]] = {
    "sin": (sluice.sin, torch.sin),
    "cos": (sluice.cos, torch.cos),
    "erf": (sluice.erf, torch.erf),
    "expm1": (sluice.expm1, torch.expm1),
    "sign": (sluice.sign, torch.sign),
    "floor": (sluice.floor, lambda a: torch.floor(a.detach()) + a - a.detach()),
    "round": (sluice.round, lambda a: torch.round(a.detach()) + a - a.detach()),
    "softplus": (sluice.softplus, F.softplus),
    "softplus-2": (lambda a: sluice.softplus(a, 2.0), lambda a: F.softplus(a, 2.0)),
    "gelu": (sluice.gelu, F.gelu),
    "gelu-tanh": (
        lambda a: sluice.gelu(a, approximate="tanh"),
        lambda a: F.gelu(a, approximate="tanh"),
    ),
    "silu": (sluice.silu, F.silu),
    "mish": (sluice.mish, F.mish),
    "clamp": (lambda a: sluice.clamp(a, -1, 3), lambda a: torch.clamp(a, -1, 3)),
    "clamp-min": (lambda a: sluice.clamp(a, min=-1), lambda a: torch.clamp(a, min=-1)),
    "clamp-max": (lambda a: sluice.clamp(a, max=3), lambda a: torch.clamp(a, max=3)),
    "hard-tanh": (sluice.hard_tanh, F.hardtanh),
    "hard-sigmoid": (sluice.hard_sigmoid, lambda a: F.relu6(a + 3.0) / 6.0),
    "hard-sigmoid-onnx": (
        lambda a: sluice.hard_sigmoid(a, 0.25, 0.5),
        lambda a: F.hardtanh(0.25 * a + 0.5, 0.0, 1.0),
    ),
    "leaky-relu": (lambda a: sluice.leaky_relu(a, 0.2), lambda a: F.leaky_relu(a, 0.2)),
    "thresholded-relu": (
        lambda a: sluice.thresholded_relu(a, 1.5),
        lambda a: F.threshold(a, 1.5, 0),
    ),
    "elu": (lambda a: sluice.elu(a, 1.7), lambda a: F.elu(a, 1.7)),
    "celu": (lambda a: sluice.celu(a, 2.0), lambda a: F.celu(a, 2.0)),
    "selu": (sluice.selu, F.selu),
    "softsign": (sluice.softsign, F.softsign),
    "scaled-tanh": (
        lambda a: sluice.scaled_tanh(a, 1.7159, 2 / 3),
        lambda a: 1.7159 * torch.tanh(2 / 3 * a),
    ),
}
# The same function on symbols and on tensors.
SHARED: dict[str, Function] = {
    **{f"power {n}": lambda a, n=n: a**n for n in (1, 2, 3, 5, -1, -2, -3, 9, 0.5, 1.5, -1.7)},
    "power -0.5": lambda a: (a * a) ** -0.5,  # of -0 torch takes a branch, and then another
    "base": lambda a: 1.7**a,
    "its own power": lambda a: (abs(a) + 0.1) ** a,
    "pow": lambda a: torch.pow(a, 3),
    "pow by name": lambda a: torch.pow(input=a, exponent=2.5),
    "where": lambda a: torch.where(a >= 0.5, a, torch.where(a <= -0.5, 2.0 * a, 3.0 * a)),
    "add": lambda a: torch.add(a, a, alpha=3),
    "sub": lambda a: torch.sub(a, a, alpha=3),
    "div": lambda a: torch.div(a, 3.0, rounding_mode=None),
    "rsqrt": torch.rsqrt,
    "reciprocal": torch.reciprocal,
    "square": torch.square,
    "expm1": torch.expm1,
    "sin": torch.sin,
    "cos": torch.cos,
    "erf": torch.erf,
    "sign": torch.sign,
    "floor": torch.floor,
    "round": torch.round,
    "clamp": lambda a: torch.clamp(a, min=-1.0, max=3.0),
    "clip": lambda a: torch.clip(a, max=1.0),
    "relu": lambda a: F.relu(a, inplace=False),
    "relu6": F.relu6,
    "leaky_relu": lambda a: F.leaky_relu(a, negative_slope=0.3),
    "threshold": lambda a: F.threshold(a, 1.0, -2.0),
    "elu": lambda a: F.elu(a, alpha=0.5),
    "celu": lambda a: F.celu(a, alpha=0.5),
    "selu": F.selu,
    "silu": F.silu,
    "mish": F.mish,
    "gelu": lambda a: F.gelu(a, approximate="tanh"),
    "hardtanh": lambda a: F.hardtanh(a, min_val=-2.0, max_val=3.0),
    "softsign": F.softsign,
    "softplus": lambda a: F.softplus(a, beta=0.5),
}
CASES = {**PAIRS, **{f"torch {name}": (f, f) for name, f in SHARED.items()}}
# torch's own derivative has 1/6 in single precision, whatever the dtype.
CASES["torch hardsigmoid"] = (F.hardsigmoid, lambda a: F.relu6(a + 3.0) / 6.0)


@pytest.mark.parametrize("name", thin_out(CASES, 3))
def test_values_and_derivatives_are_torchs(name: str) -> None:
    ours, theirs = CASES[name]
    for bits, limit in ((64, 1e-13), (32, 3e-6)):
        found, expected = run_compiled(ours, POINTS, bits), run_torch(theirs, POINTS, bits)
        for mine, torchs in zip(found, expected, strict=True):
            torch.testing.assert_close(mine, torchs, rtol=limit, atol=limit, equal_nan=True)
    found_ends, expected_ends = (
        run(f, ENDS, 64)[0] for run, f in ((run_compiled, ours), (run_torch, theirs))
    )
    if name not in ("floor", "round"):  # written with a difference, which is NaN at infinity
        torch.testing.assert_close(found_ends, expected_ends, equal_nan=True)


@pytest.mark.parametrize("name", PAIRS)
def test_on_tensors_and_numbers_they_are_the_same(name: str) -> None:
    ours, theirs = PAIRS[name]
    for mine, torchs in zip(
        run_torch(ours, POINTS, 64), run_torch(theirs, POINTS, 64), strict=True
    ):
        torch.testing.assert_close(mine, torchs, rtol=1e-13, atol=1e-13, equal_nan=True)


def test_rounding_passes_gradients_straight_through_at_every_order() -> None:
    a = torch.tensor([0.5, 1.5, -2.5, 2.4, float("inf"), -0.2], dtype=torch.float64)
    a.requires_grad_()
    y = sluice.round(a)
    assert y.tolist() == [0.0, 2.0, -2.0, 2.0, float("inf"), 0.0] and y[5].signbit()
    (da,) = torch.autograd.grad(y, a, torch.arange(6.0, dtype=torch.float64))
    assert da.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda a: sluice.clamp(a), "must be given a bound"),
        (lambda a: sluice.clamp(a, 2.0, 1.0), "must not exceed max, got 2.0 and 1.0"),
        (lambda a: sluice.hard_tanh(a, 1.0, 1.0), "min_val must be below max_val"),
        (lambda a: sluice.gelu(a, "erf"), "must be 'none' or 'tanh', got 'erf'"),
        (lambda a: F.elu(a, inplace=True), "torch's elu with alpha= and inplace="),
        (lambda a: F.softplus(a, threshold=5), "threshold of softplus must be 20"),
        (lambda a: torch.round(a, decimals=2), "decimals of round must be 0"),
        (lambda a: torch.div(a, 2.0, rounding_mode="floor"), "torch's div with rounding_mode="),
    ],
)
def test_what_cannot_be_is_refused(function: Function, message: str) -> None:
    with pytest.raises(EquationError, match=message):
        _ = Applied(function).graph
