"""A cell of all operations on the kernels, against a plain loop of torch's own functions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import sluice
from sluice.cells import Cell, Gate, Map, Vector
from sluice.cells.from_text import TracedCell


class EveryOperation(Cell):
    """Two products a step, so that values and conditions are needed on both sides of one."""

    first, second, mixed = Gate(), Gate(), Map()
    slope = Vector(initial=0.3)

    def step(self, x: Any, h: Any, c: Any) -> Any:
        a, b = self.first(x, h), self.second(x, h)
        wave = sluice.sin(3.0 * a) + sluice.cos(b) * sluice.erf(h)
        steps = sluice.round(2.0 * a) / 2.0 + 0.1 * sluice.floor(b) + sluice.sign(c) * a
        bent = sluice.gelu(a) + sluice.gelu(b, "tanh") + sluice.silu(a) + sluice.mish(b)
        bent = bent + sluice.elu(a, 0.7) + sluice.selu(b) + sluice.celu(b, 0.5)
        bent = bent + sluice.softplus(a) * sluice.softsign(b) + sluice.leaky_relu(a, 0.2)
        hard = sluice.hard_sigmoid(a, 0.2, 0.5) * sluice.hard_tanh(b) + sluice.clamp(c, -0.4, 0.6)
        hard = hard + sluice.thresholded_relu(b, 0.5) + sluice.scaled_tanh(a, 1.7, 0.6)
        mixed = self.mixed(sluice.tanh(wave + 0.2 * bent))
        powers = (1.0 + abs(mixed)) ** -1.5 + mixed**3 * 0.01 + (0.1 + h * h) ** 0.5
        c = sluice.where(a >= b, sluice.clamp(powers, max=1.5), hard * self.slope) + 0.1 * steps
        h = sluice.tanh(sluice.expm1(-(mixed * mixed)) + 0.3 * hard + 0.1 * c)
        return dict(h=h, c=c, first=a + 0.0, bent=bent)


def run_plain(layer: Any, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    w = {name.removesuffix("_l0"): p for name, p in layer.named_parameters()}
    outputs = []
    for row in x:
        gates = row @ w["weight_ih"].T + w["bias_ih"] + h @ w["weight_hh"].T + w["bias_hh"]
        a, b = gates.chunk(2, -1)
        wave = torch.sin(3 * a) + torch.cos(b) * torch.erf(h)
        rounded = torch.round(2 * a.detach()) + 2 * (a - a.detach())
        steps = rounded / 2 + 0.1 * (torch.floor(b.detach()) + b - b.detach()) + torch.sign(c) * a
        bent = F.gelu(a) + F.gelu(b, approximate="tanh") + F.silu(a) + F.mish(b)
        bent = bent + F.elu(a, 0.7) + F.selu(b) + F.celu(b, 0.5)
        bent = bent + F.softplus(a) * F.softsign(b) + F.leaky_relu(a, 0.2)
        hard = F.hardtanh(0.2 * a + 0.5, 0.0, 1.0) * F.hardtanh(b) + torch.clamp(c, -0.4, 0.6)
        hard = hard + F.threshold(b, 0.5, 0.0) + 1.7 * torch.tanh(0.6 * a)
        mixed = torch.tanh(wave + 0.2 * bent) @ w["weight_mixed"].T + w["bias_mixed"]
        powers = (1 + mixed.abs()).pow(-1.5) + mixed.pow(3) * 0.01 + (0.1 + h * h).sqrt()
        c = torch.where(a >= b, powers.clamp(max=1.5), hard * w["slope"]) + 0.1 * steps
        h = torch.tanh(torch.expm1(-mixed.square()) + 0.3 * hard + 0.1 * c)
        outputs.append(h)
    return torch.stack(outputs), h, c


@pytest.mark.parametrize(
    ("hidden", "batch", "dtype", "limit"),
    [(1, 3, torch.float64, 1e-11), (17, 5, torch.float64, 1e-11), (17, 2, torch.float32, 2e-4)],
)
def test_values_and_gradients_are_those_of_a_plain_loop(
    hidden: int, batch: int, dtype: torch.dtype, limit: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_POISON", "1")
    torch.manual_seed(3)
    layer = sluice.nn.Recurrent(EveryOperation, 4, hidden, dtype=dtype)
    x = torch.randn(6, batch, 4, dtype=dtype, requires_grad=True)
    states = [torch.randn(1, batch, hidden, dtype=dtype, requires_grad=True) for _ in range(2)]
    y, (h, c) = layer(x, tuple(states))
    assert layer.resolved_backend.name == "fused"
    given = [x, *states, *layer.parameters()]
    upstream = [torch.randn_like(t) for t in (y, h, c)]
    found = [y, h, c, *torch.autograd.grad((y, h, c), given, upstream)]
    expected = list(run_plain(layer, x, states[0][0], states[1][0]))
    gradients = torch.autograd.grad(expected, given, [upstream[0], *(u[0] for u in upstream[1:])])
    expected[1:] = [t[None] for t in expected[1:]]
    for mine, plain in zip(found, [*expected, *gradients], strict=True):
        torch.testing.assert_close(mine, plain, rtol=limit, atol=limit)


def test_lengths_resets_directions_stacks_and_streams_are_those_of_the_reference() -> None:
    torch.manual_seed(4)
    make = {"bidirectional": True, "num_layers": 2, "dtype": torch.float64}
    layer = sluice.nn.Recurrent(EveryOperation, 4, 5, **make)
    x = torch.randn(7, 3, 4, dtype=torch.float64, requires_grad=True)
    marks = {"lengths": [7, 5, 0], "resets": torch.rand(7, 3) < 0.3}
    given, found = [x, *layer.parameters()], []
    for backend, recompute in ((None, None), (None, 3), ("reference", None)):
        layer.backend, layer.recompute = backend, recompute
        y, (h, c) = layer(x, **marks)
        loss = (y * torch.linspace(-1, 2, y.numel()).reshape(y.shape)).sum() + (h * c).sum()
        found.append([y, h, c, *torch.autograd.grad(loss, given)])
    for kernels, recomputed, reference in zip(*found, strict=True):
        torch.testing.assert_close(kernels, reference, rtol=1e-11, atol=1e-11)
        torch.testing.assert_close(recomputed, kernels, rtol=1e-13, atol=1e-13)

    single = sluice.nn.Recurrent(EveryOperation, 4, 5).eval()
    rows = torch.randn(6, 1, 4)
    with torch.no_grad():
        stream, whole = single.stream(), single(rows)[0]
        steps = torch.stack([stream(row).clone() for row in rows])
    assert torch.equal(steps, whole)


def test_the_graph_survives_its_text_and_is_recorded() -> None:
    torch.manual_seed(6)
    cell = EveryOperation()
    layer = sluice.nn.Recurrent(TracedCell(cell.text), 4, 5)
    other = sluice.nn.Recurrent(cell, 4, 5)
    other.load_state_dict(layer.state_dict())
    x = torch.randn(4, 2, 4)
    with sluice.record(other) as recording:
        y = other(x)[0]
    assert torch.equal(layer(x)[0], y)
    assert torch.equal(recording.h, y) and recording.bent.abs().sum() > 0
