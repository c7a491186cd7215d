"""Cells of the literature that read a time beside x, against plain loops in float64."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

import sluice
from nn.weighted_gradients import compute_gradients, draw
from sluice import Cell, Gate, Map, exp, tanh
from sluice.cells import LTC, ODERNN, CfC, PhasedLSTM, TimeLSTM
from sluice.nn import Recurrent

T, B, X = 6, 4, 3


def step_time_lstm(p: dict[str, Tensor], x: Tensor, h: Tensor, c: Tensor, dt: Tensor) -> Any:
    ih = (x @ p["weight_ih"].T + p["bias_ih"]).chunk(5, -1)
    hh = (h @ p["weight_hh"].T + p["bias_hh"]).chunk(4, -1)
    i, f = torch.sigmoid(ih[0] + hh[0]), torch.sigmoid(ih[1] + hh[1])
    gate = torch.sigmoid(ih[4] + torch.sigmoid(dt @ p["weight_span"].T))
    c = f * c + i * gate * torch.tanh(ih[2] + hh[2])
    o = torch.sigmoid(ih[3] + hh[3] + dt @ p["weight_span_out"].T)
    return o * torch.tanh(c), c


def step_phased_lstm(p: dict[str, Tensor], x: Tensor, h: Tensor, c: Tensor, time: Tensor) -> Any:
    phase = torch.remainder(time - p["shift"], p["period"]) / p["period"]
    k = torch.where(phase < 0.4, 2 - 2 * phase / 0.4, 0.01 * phase)
    k = torch.where(phase < 0.2, 2 * phase / 0.4, k)
    total = x @ p["weight_ih"].T + p["bias_ih"] + h @ p["weight_hh"].T + p["bias_hh"]
    i, f, g, o = total.chunk(4, -1)
    new = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    out = torch.sigmoid(o) * torch.tanh(new)
    return k * out + (1 - k) * h, k * new + (1 - k) * c


def step_ode_rnn(p: dict[str, Tensor], x: Tensor, h: Tensor, dt: Tensor) -> Any:
    for _ in range(2):
        inner = torch.tanh(h @ p["weight_inner"].T + p["bias_inner"])
        h = h + dt / 2 * (inner @ p["weight_outer"].T + p["bias_outer"])
    return (torch.tanh(x @ p["weight_ih"].T + p["bias_ih"] + h @ p["weight_hh"].T + p["bias_hh"]),)


def step_ltc(p: dict[str, Tensor], x: Tensor, h: Tensor, dt: Tensor) -> Any:
    f = x @ p["weight_ih"].T + p["bias_ih"] + h @ p["weight_hh"].T + p["bias_hh"]
    f = torch.sigmoid(f)
    return ((h + dt * f * p["target"]) / (1 + dt * (p["rate"] + f)),)


def step_cfc(p: dict[str, Tensor], x: Tensor, h: Tensor, dt: Tensor) -> Any:
    total = x @ p["weight_ih"].T + p["bias_ih"] + h @ p["weight_hh"].T + p["bias_hh"]
    rate, shift, early, late = total.chunk(4, -1)
    k = torch.sigmoid(rate * dt + shift)
    return (torch.tanh(early) * (1 - k) + k * torch.tanh(late),)


CELLS: list[tuple[Callable[[], Cell], str, Callable[..., Any]]] = [
    (TimeLSTM, "dt", step_time_lstm),
    (partial(PhasedLSTM, 0.4, 0.01), "time", step_phased_lstm),
    (ODERNN, "dt", step_ode_rnn),
    (LTC, "dt", step_ltc),
    (CfC, "dt", step_cfc),
]


@pytest.mark.parametrize(("hidden", "backend"), [(1, "fused"), (19, "fused"), (5, "reference")])
@pytest.mark.parametrize(("kind", "name", "step"), CELLS)
def test_cells_are_their_equations(
    kind: Callable[[], Cell], name: str, step: Callable[..., Any], hidden: int, backend: str
) -> None:
    layer = Recurrent(kind(), X, hidden, dtype=torch.float64)
    layer.backend = backend
    x = draw(T, B, X)
    dt = (torch.rand(T, B, dtype=torch.float64) * 3).requires_grad_()
    hx = tuple(draw(1, B, hidden) for _ in layer.cell.graph.states)
    y, last = layer(x, hx if len(hx) > 1 else hx[0], **{name: dt})
    found = (y, *(last if isinstance(last, tuple) else (last,)))
    p = {n.removesuffix("_l0"): value for n, value in layer.named_parameters()}
    states, outputs = tuple(state[0] for state in hx), []
    for t in range(T):
        states = step(p, x[t], *states, dt[t].unsqueeze(-1))
        outputs.append(states[0])
    expected = (torch.stack(outputs), *(state.unsqueeze(0) for state in states))
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)
    given = [x, dt, *hx, *layer.parameters()]
    torch.testing.assert_close(
        compute_gradients(found, given),
        compute_gradients(expected, given),
        rtol=1e-10,
        atol=1e-11,
    )


class Decaying(Cell):
    """A number of each step and one of each sequence, beside values of every width."""

    hidden, timed = Gate(), Map(bias=False)

    def step(self, x: Any, h: Any, *, dt: Any, scale: Any) -> dict[str, Any]:
        h = exp(-dt * dt) * h
        return dict(h=tanh(self.hidden(x * scale, h) + self.timed(dt)) + scale * dt, dt=dt)


@pytest.mark.parametrize("backend", ["fused", "reference"])
def test_numbers_of_steps_in_every_layout(backend: str) -> None:
    layer = Recurrent(Decaying, X, 17, bidirectional=True, dtype=torch.float64)
    layer.backend = backend
    x, dt, scale = draw(T, B, X), draw(T, B), draw(B)
    y, h = layer(x, dt=dt, scale=scale)
    for dt_again, scale_again in [
        (dt.unsqueeze(-1), scale),
        (dt, scale.unsqueeze(-1)),
        (dt, scale.expand(T, B)),
    ]:
        assert torch.equal(layer(x, dt=dt_again, scale=scale_again)[0], y)
    torch.testing.assert_close(layer(x[:, 1], dt=dt[:, 1], scale=scale[1])[0], y[:, 1])
    lengths = torch.tensor([6, 2, 0, 4])
    dirty = [t.detach().clone() for t in (x, dt)]
    for tensor in dirty:
        for b, steps in enumerate(lengths.tolist()):
            tensor[steps:, b] = float("nan")
        tensor.requires_grad_()
    y, h = layer(dirty[0], dt=dirty[1], scale=scale, lengths=lengths)
    found = torch.autograd.grad(y.sin().sum() + h.sin().sum(), [*dirty, scale])
    total = torch.zeros((), dtype=y.dtype)
    for b, steps in enumerate(lengths.tolist()):
        if steps:
            own = dict(dt=dt[:steps, b : b + 1], scale=scale[b : b + 1])
            alone, last = layer(x[:steps, b : b + 1], **own)
            torch.testing.assert_close(y[:steps, b], alone[:, 0])
            total = total + alone.sin().sum() + last.sin().sum()
    torch.testing.assert_close(found, torch.autograd.grad(total, [x, dt, scale]))


def test_numbers_of_steps_in_streams_and_recordings() -> None:
    layer = Recurrent(Decaying, X, 17, num_layers=1, dtype=torch.float64)
    x, dt, scale = draw(T, B, X), draw(T, B), draw(B)
    y, _ = layer(x, dt=dt, scale=scale)
    stream = layer.stream(B)
    steps = [stream(x[t].detach(), dt=dt[t].detach(), scale=scale.detach()) for t in range(T)]
    torch.testing.assert_close(torch.stack(steps), y)
    with sluice.record(layer) as tape:
        z, _ = layer(x, dt=dt, scale=scale)
        (gradient,) = torch.autograd.grad(z.sin().sum(), dt)
    values = tape.tensors()
    assert torch.equal(values["l0.dt"].squeeze(-1), dt)
    torch.testing.assert_close(values["l0.gradient.dt"].squeeze(-1), gradient)


@pytest.mark.filterwarnings("ignore")
def test_numbers_of_steps_in_compiled_programs() -> None:
    layer = Recurrent(Decaying, X, 17, dtype=torch.float64)
    x, dt, scale = draw(T, B, X), draw(T, B), draw(B)
    expected = layer(x, dt=dt, scale=scale)
    found = torch.compile(layer, fullgraph=True, backend="aot_eager")(x, dt=dt, scale=scale)
    torch.testing.assert_close(found, expected)
    given = [x, dt, scale, *layer.parameters()]
    torch.testing.assert_close(compute_gradients(found, given), compute_gradients(expected, given))
