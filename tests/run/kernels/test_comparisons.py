"""Comparisons that several phases of a step need, on the kernels against the reference."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import sluice
from run.cases import draw, error, run_with_gradients
from sluice import Cell, Gate, Map, Norm, exp, maximum, minimum, relu, sigmoid, tanh, where
from sluice.equations.specs import Sizes
from sluice.run import reference
from sluice.run.kernels import fused

SIZES = (Sizes(1, 3, 1), Sizes(5, 7, 3), Sizes(9, 33, 17))
WAYS: list[dict[str, Any]] = [
    {},
    {"reverse": True, "bias": False},
    {"lengths": True, "resets": True},
]


class Around(Cell):
    """A comparison before a product and after it; whether it holds is a named value."""

    pre, out = Gate(), Map()

    def step(self, x: Any, h: Any) -> Any:
        p = self.pre(x, h)
        big = p > h
        g = where(big, tanh(p), h)
        return dict(h=where(big, self.out(g), g), big=where(big, 1.0, 0.0))


class Later(Cell):
    """A comparison of what one product gives, read only after the next."""

    keep, second = Gate(), Gate()

    def step(self, x: Any, h: Any) -> Any:
        k = sigmoid(self.keep(x, h))
        b = tanh(self.second(x, k * h))
        return dict(h=where(k > 0.5, b, h))


class Derived(Cell):
    """Comparisons that only the derivatives make, each on both sides of a product."""

    first, second, candidate, out = Gate(), Gate(), Gate(), Map()

    def step(self, x: Any, h: Any) -> Any:
        r = maximum(sigmoid(self.first(x, h)), sigmoid(self.second(x, h)))
        m = minimum(self.candidate(x, r * h), h)
        low = relu(self.out(m * h))
        return dict(h=tanh(low + abs(self.out(m))) / maximum(abs(m), exp(-r)))


class OfInput(Cell):
    """Comparisons of the input and of its maps, for products of the input and of the state."""

    keep, write, mix = Gate(), Gate(), Map()

    def step(self, x: Any, h: Any) -> Any:
        k = self.keep(x)
        opens = sigmoid(k) > 0.55
        w = self.write(where(x > 0.2, x, 0.5 * x), where(opens, h, -h))
        mixed = self.mix(where(opens, tanh(w), maximum(k, h)))
        return dict(h=tanh(where(opens, mixed, w)), opens=where(opens, 1.0, 0.0))


class OfNorm(Cell):
    """Comparisons of a norm's values, and of what enters it."""

    write, norm, last = Gate(), Norm(), Map()

    def step(self, x: Any, h: Any) -> Any:
        w = self.write(x, h)
        before = w > h
        a, b = self.norm(where(before, w, h), h)
        after = a > b
        out = self.last(where(after, a, maximum(w, b)))
        return dict(h=tanh(where(before, out, where(after, b, w))))


class OfTwoWidths(Cell):
    """A comparison in the width of the projection, across maps from and to the other width."""

    h = sluice.State(width="projection")
    write, up = Gate(), Map()
    down, narrow = Map(width="projection"), Map(width="projection")

    def step(self, x: Any, h: Any, c: Any) -> Any:
        w = tanh(self.write(x, h))
        d = self.down(w)
        falls, rises = h > d, w > c
        n = self.narrow(where(rises, w, c))
        u = self.up(where(falls, n, d))
        new = where(rises, tanh(u), maximum(w, c) * 0.5)
        return dict(h=tanh(where(falls, n, d)), c=new, falls=where(falls, 1.0, 0.0))


OWN = (Around, Later, Derived, OfInput, OfNorm, OfTwoWidths)


@pytest.fixture(autouse=True)
def poison_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_POISON", "1")


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("cell", OWN)
def test_values_and_gradients(cell: type[Cell], sizes: Sizes) -> None:
    for seed, options in enumerate(WAYS):
        for batch in (1, 5):
            job = draw(cell().graph, sizes, 6, batch, seed=seed, **options)
            found, expected = (run_with_gradients(run, job) for run in (fused.run, reference.run))
            for mine, theirs in zip(found, expected, strict=True):
                assert error(mine, theirs) < 1e-9, options


@pytest.mark.parametrize("cell", OWN)
def test_recordings_of_every_value(cell: type[Cell]) -> None:
    """Named values, pre-activations, and what the maps read and give, with their gradients."""
    torch.manual_seed(3)
    narrow = 5 if cell is OfTwoWidths else 0
    layer = sluice.nn.Recurrent(cell, 3, 18, proj_size=narrow).double()
    x, tapes = torch.randn(6, 2, 3).double(), []
    for backend in (None, "reference"):
        layer.backend = backend
        with sluice.record(layer, pre=True) as tape:
            layer(x)[0].square().sum().backward()
        assert tape.backend == (backend or "fused")
        tapes.append(tape[""])
    mine, theirs = tapes
    assert set(mine.layers["l0"]) == set(theirs.layers["l0"])
    for name in mine.layers["l0"]:
        torch.testing.assert_close(mine[name], theirs[name])
        torch.testing.assert_close(mine.gradient[name], theirs.gradient[name])


@pytest.mark.parametrize(("cell", "name"), [(Around, "big"), (OfInput, "opens")])
def test_whether_a_comparison_holds_can_be_recorded(cell: type[Cell], name: str) -> None:
    layer, x = sluice.nn.Recurrent(cell, 3, 8), torch.randn(5, 4, 3)
    with sluice.record(layer) as tape:
        layer(x)
    assert tape.backend == "fused" and set(tape[""][name].unique().tolist()) == {0.0, 1.0}
