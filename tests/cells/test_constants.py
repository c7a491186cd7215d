"""Fixed vectors and matrices of a definition, and gates with and without biases."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import sluice
from sluice import Cell, Constant, Gate, Map, State, sigmoid, tanh, where
from sluice.cells import layer_norm, zoneout
from sluice.cells.from_text import TracedCell
from sluice.codegen.lower import lower_graph
from sluice.equations import EquationError, Sizes
from sluice.nn import Recurrent

THETA = 12.0


def legendre_matrices(order: int) -> tuple[Tensor, Tensor]:
    """A and B of the Legendre memory of θ steps, discretised by zero-order hold."""
    i = torch.arange(order, dtype=torch.float64)
    signs = torch.where(i[:, None] < i, -1.0, (-1.0) ** (i[:, None] - i + 1))
    a = (2 * i[:, None] + 1) * signs / THETA
    b = ((2 * i + 1) * (-1.0) ** i / THETA)[:, None]
    step = torch.matrix_exp(a)
    return step, torch.linalg.solve(a, step - torch.eye(order, dtype=torch.float64)) @ b


class LegendreMemory(Cell):
    """The Legendre memory unit (Voelker, Kajić & Eliasmith 2019, equations 4 to 8)."""

    A = Constant(lambda order: legendre_matrices(order)[0], width="memory", of="memory")
    B = Constant(lambda order, one: legendre_matrices(order)[1], width="memory", of="signal")
    from_input, from_hidden, from_memory = (Map(width="signal", bias=False) for _ in range(3))
    hidden, of_memory = Gate(bias=False), Map(bias=False)
    m = State(width="memory")
    sizes = {"memory": 6, "signal": 1}  # noqa: RUF012 - as users write it

    def step(self, x: Any, h: Any, m: Any) -> Any:
        u = self.from_input(x) + self.from_hidden(h) + self.from_memory(m)
        m = self.A(m) + self.B(u)
        return dict(h=tanh(self.hidden(x, h) + self.of_memory(m)), m=m)


def run_legendre_memory(layer: Recurrent, x: Tensor, order: int) -> tuple[Tensor, Tensor]:
    """The paper's equations, entry by entry: A and B from their definition, then the loop."""
    p = {name.removesuffix("_l0"): value for name, value in layer.named_parameters()}
    a, b = torch.zeros(order, order, dtype=x.dtype), torch.zeros(order, dtype=x.dtype)
    for i in range(order):
        b[i] = (2 * i + 1) * (-1) ** i / THETA
        for j in range(order):
            a[i, j] = (2 * i + 1) / THETA * (-1 if i < j else (-1) ** (i - j + 1))
    held = torch.zeros(order + 1, order + 1, dtype=x.dtype)  # exp of [[A, B], [0, 0]]
    held[:order, :order], held[:order, order] = a, b
    held = torch.linalg.matrix_exp(held)
    a, b = held[:order, :order], held[:order, order]
    h, m, rows = x.new_zeros(x.shape[1], 5), x.new_zeros(x.shape[1], order), []
    for now in x:
        u = now @ p["weight_from_input"].T + h @ p["weight_from_hidden"].T
        u = u + m @ p["weight_from_memory"].T
        m = m @ a.T + u * b
        h = torch.tanh(now @ p["weight_ih"].T + h @ p["weight_hh"].T + m @ p["weight_of_memory"].T)
        rows.append(h)
    return torch.stack(rows), m


@pytest.mark.parametrize("backend", ["fused", "reference"])
@pytest.mark.parametrize("order", [6, 17])
def test_legendre_memory(order: int, backend: str) -> None:
    layer = Recurrent(LegendreMemory, 3, 5, sizes={"memory": order}, dtype=torch.float64)
    layer.backend = backend
    x = torch.randn(9, 2, 3, dtype=torch.float64, requires_grad=True)
    y, (_, m) = layer(x)
    expected = run_legendre_memory(layer, x, order)
    wanted, into = [x, *layer.parameters()], [torch.randn_like(t) for t in (y, m[0])]
    mine = torch.autograd.grad((y, m[0]), wanted, into)
    theirs = torch.autograd.grad(expected, wanted, into)
    for found, right in zip((y, m[0], *mine), (*expected, *theirs), strict=True):
        torch.testing.assert_close(found, right, rtol=1e-9, atol=1e-11)


def test_legendre_memory_delays_its_signal() -> None:
    """The state is the window of θ steps: its Legendre polynomials at the far end give u(t − θ)."""
    layer = Recurrent(LegendreMemory, 1, 1, sizes={"memory": 9}, dtype=torch.float64)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.weight_from_input_l0.fill_(1.0)
    signal = torch.sin(torch.arange(80, dtype=torch.float64) / 5)
    for t in (40, 60, 79):
        _, (_, m) = layer(signal[: t + 1, None, None])
        decoded = m[0, 0].sum()  # all Legendre polynomials are 1 there
        assert decoded.item() == pytest.approx(math.sin((t + 0.5 - THETA) / 5), abs=0.02)


class Clockwork(Cell):
    """Two clocks (Koutník et al. 2014): the slow half of the units reads only the slow half."""

    candidate, slow_part = Gate(bias=False), Map(bias=False)
    is_slow = Constant(lambda units: [float(u >= units // 2) for u in range(units)])
    period = Constant(lambda units: [3.0 if u >= units // 2 else 1.0 for u in range(units)])
    clock = State(initial=-1.0)

    def step(self, x: Any, h: Any, clock: Any) -> Any:
        due = where(clock + 1 < self.period, 0.0, 1.0)
        clock = where(clock < 0, 1.0, due)  # every clock strikes at the first step
        beat = clock * 1.0
        slow = self.candidate(x) + self.slow_part(h * self.is_slow)
        new = tanh(where(self.is_slow > 0.5, slow, self.candidate(x, h)))
        return dict(h=where(beat > 0.5, new, h), clock=clock)


class Picks(Cell):
    """A fixed map that picks units, a block-diagonal one, one number for all, and a transform's."""

    candidate = Gate()
    pick = Constant(lambda rows, columns: torch.eye(rows, columns), width=2, of="hidden")
    mix = Constant("blocks", width="hidden", of="hidden", heads=2)
    rate = Constant(0.25)
    back = Map()

    def blocks(self, units: int) -> Tensor:
        return torch.arange(units * units // 2, dtype=torch.float64).view(units, -1) / units**2

    def step(self, x: Any, h: Any) -> Any:
        g = tanh(self.candidate(x, self.mix(h)) + self.back(self.pick(h)))
        return dict(h=h + self.rate * (g - h))


def run_picks(layer: Recurrent, x: Tensor, units: int) -> Tensor:
    p = {name.removesuffix("_l0"): value for name, value in layer.named_parameters()}
    half = units // 2
    blocks = torch.arange(units * half, dtype=x.dtype).view(2, half, half) / units**2
    h, rows = x.new_zeros(x.shape[1], units), []
    for now in x:
        mixed = torch.cat([h[:, :half] @ blocks[0].T, h[:, half:] @ blocks[1].T], -1)
        a = F.linear(now, p["weight_ih"], p["bias_ih"]) + F.linear(mixed, p["weight_hh"])
        g = torch.tanh(a + p["bias_hh"] + F.linear(h[:, :2], p["weight_back"], p["bias_back"]))
        h = 0.75 * h + 0.25 * g
        rows.append(h)
    return torch.stack(rows)


@pytest.mark.parametrize("backend", ["fused", "reference"])
@pytest.mark.parametrize("units", [6, 34])
def test_picked_and_mixed_units(units: int, backend: str) -> None:
    layer = Recurrent(Picks, 3, units, dtype=torch.float64)
    layer.backend = backend
    x = torch.randn(6, 3, 3, dtype=torch.float64, requires_grad=True)
    (y, _), expected = layer(x), run_picks(layer, x, units)
    wanted, into = [x, *layer.parameters()], torch.randn_like(y)
    mine = torch.autograd.grad(y, wanted, into)
    theirs = torch.autograd.grad(expected, wanted, into)
    for found, right in zip((y, *mine), (expected, *theirs), strict=True):
        torch.testing.assert_close(found, right, rtol=1e-9, atol=1e-11)


def test_constants_are_buffers() -> None:
    layer = Recurrent(Picks, 3, 6, num_layers=2, bidirectional=True)
    names = {name for name, _ in layer.named_buffers()}
    assert {"weight_pick_l0", "rate_l0", "weight_mix_l1_reverse"} <= names
    assert names <= set(layer.state_dict())
    assert not names & {name for name, _ in layer.named_parameters()}
    x = torch.randn(4, 2, 3)
    y, _ = layer(x)
    before = copy.deepcopy(layer)
    layer.reset_parameters()
    assert torch.equal(layer.weight_mix_l0, before.weight_mix_l0)
    layer.load_state_dict(before.state_dict())
    assert torch.equal(layer(x)[0], y)
    assert layer.double().rate_l0.dtype == torch.float64


def test_no_gradient_of_a_constant_is_computed() -> None:
    program = lower_graph(LegendreMemory().graph, True)
    stacks = {gradient.stack for gradient in program.weight_gradients}
    assert stacks == {"ih", "hh", "from_input", "from_hidden", "from_memory", "of_memory"}
    assert {row.parameter for row in lower_graph(Picks().graph, True).row_gradients} == {
        "bias_ih",
        "bias_hh",
        "bias_back",
    }
    layer = Recurrent(Picks, 3, 6)
    given = {**dict(layer.named_parameters()), "rate_l0": torch.full((6,), 0.25).requires_grad_()}
    for layer.backend in ("fused", "reference"):
        y, _ = torch.func.functional_call(layer, given, (torch.randn(4, 2, 3),))
        (gradient,) = torch.autograd.grad(y.sum(), [given["rate_l0"]], allow_unused=True)
        assert gradient is None or not gradient.any()


@pytest.mark.parametrize("cell", [LegendreMemory, Clockwork, Picks])
def test_all_ways_of_running_agree(cell: type[Cell]) -> None:
    layer = Recurrent(cell, 3, 6, num_layers=2, recompute=2)
    x = torch.randn(7, 2, 3, requires_grad=True)
    y, _ = layer(x)
    (gradient,) = torch.autograd.grad(y.square().sum(), x)
    layer.backend, layer.recompute = "reference", None
    other, _ = layer(x)
    torch.testing.assert_close(other, y, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(torch.autograd.grad(other.square().sum(), x)[0], gradient)
    layer.backend, x = None, x.detach()
    layer.eval()
    y, _ = layer(x)
    stream = layer.stream(2)
    assert torch.equal(torch.stack([stream(row) for row in x]), y)
    assert torch.equal(torch.compile(layer, fullgraph=True, backend="aot_eager")(x)[0], y)
    assert torch.equal(torch.export.export(layer, (x,)).module()(x)[0], y)
    with sluice.record(layer):
        assert torch.equal(layer(x)[0], y)


def test_texts_hold_no_numbers_of_constants() -> None:
    cell = TracedCell(zoneout(Picks, h=0.0).text)
    assert cell.graph == zoneout(Picks, h=0.0).graph
    assert Recurrent(zoneout(Picks, h=0.0), 3, 6).rate_l0[0] == 0.25
    layer, given = Recurrent(cell, 3, 6), Recurrent(Picks, 3, 6)
    x = torch.randn(4, 2, 3)
    assert layer(x)[0].isnan().all()  # until the numbers are loaded
    layer.load_state_dict(given.state_dict())
    torch.testing.assert_close(layer.eval()(x)[0], given(x)[0])


def test_bound_cell_finds_its_constants() -> None:
    layer = Recurrent(Picks, 3, 6, dtype=torch.float64)
    parameters = {n.removesuffix("_l0"): p for n, p in layer.named_parameters()}
    x = torch.randn(1, 2, 3, dtype=torch.float64)
    found = Picks().bind(parameters, Sizes(3, 6)).step(x[0], h=torch.zeros(2, 6).double())
    torch.testing.assert_close(found["h"], layer(x)[0][0])


def test_constants_of_another_shape_are_refused() -> None:
    class Wrong(Cell):
        candidate, scale = Gate(), Constant([1.0, 2.0, 3.0])

        def step(self, x: Any, h: Any) -> Any:
            return dict(h=self.scale * tanh(self.candidate(x, h)))

    assert Recurrent(Wrong, 2, 3).scale_l0.tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(
        ValueError, match=r"constant 'scale' of Wrong must have shape \(4,\).*\(3,\)"
    ):
        Recurrent(Wrong, 2, 4)

    class Unfit(Wrong):
        scale = Constant(torch.eye(3), of=2)

        def step(self, x: Any, h: Any) -> Any:
            return dict(h=self.scale(tanh(self.candidate(x, h))))

    with pytest.raises(EquationError, match="constant 'scale' maps values of width 2, got"):
        _ = Unfit().graph


class SomeBiases(Cell):
    """No bias, one, and two."""

    plain, single, double = Gate(bias=False), Gate(bias="input"), Gate()
    forget_gate_name = "single"

    def step(self, x: Any, h: Any) -> Any:
        k = sigmoid(self.single(x, h))
        return dict(h=k * h + tanh(self.plain(x, h)) * sigmoid(self.double(x, k * h)))


@pytest.mark.parametrize("backend", ["fused", "reference"])
@pytest.mark.parametrize("units", [1, 16, 21])
def test_biases_of_some_gates(units: int, backend: str) -> None:
    layer = Recurrent(SomeBiases, 3, units, dtype=torch.float64)
    layer.backend = backend
    p = {name.removesuffix("_l0"): value for name, value in layer.named_parameters()}
    assert {n: len(v) for n, v in p.items() if "bias" in n} == {
        "bias_ih": 2 * units,
        "bias_hh": units,
    }
    x = torch.randn(5, 3, 3, dtype=torch.float64, requires_grad=True)
    h, rows = x.new_zeros(3, units), []
    for now in x:
        i_plain, i_single, i_double = (now @ p["weight_ih"].T).chunk(3, -1)
        r_plain, r_single, r_double = p["weight_hh"].chunk(3)
        b_single, b_double = p["bias_ih"].chunk(2)
        k = torch.sigmoid(i_single + b_single + h @ r_single.T)
        gate = torch.sigmoid(i_double + b_double + (k * h) @ r_double.T + p["bias_hh"])
        h = k * h + torch.tanh(i_plain + h @ r_plain.T) * gate
        rows.append(h)
    expected, (y, _) = torch.stack(rows), layer(x)
    wanted, into = [x, *layer.parameters()], torch.randn_like(y)
    mine, theirs = (torch.autograd.grad(value, wanted, into) for value in (y, expected))
    for found, right in zip((y, *mine), (expected, *theirs), strict=True):
        torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-12)
    for precision in ("bfloat16", "int8"):
        narrow = copy.deepcopy(layer).float().eval()
        narrow.backend, narrow.precision = None, precision
        assert (narrow(x.float())[0] - expected).abs().max() < 0.1


def test_biases_of_some_gates_and_options() -> None:
    layer = Recurrent(SomeBiases, 3, 4, forget_bias=2.0)
    assert layer.bias_ih_l0[:4].tolist() == [2.0] * 4
    assert not {n for n, _ in Recurrent(SomeBiases, 3, 4, bias=False).named_parameters()} & {
        "bias_ih_l0",
        "bias_hh_l0",
    }
    assert TracedCell(SomeBiases().text).graph == SomeBiases().graph
    assert not [p for p in layer_norm(SomeBiases).graph.parameters if p.name == "bias_ih"]
    assert "bias_hh" in {p.name for p in SomeBiases().graph.parameters}
