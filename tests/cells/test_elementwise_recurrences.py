"""Cells whose states meet no matrix, as the papers have them, against plain loops in float64.

The loops compute with complex numbers and with sums over the past where the cells use pairs of real
states and running maxima.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import sluice
from sluice.cells import GRU, LSTM, Cell, Elman, Gate, Map, MinGRU, State, Vector
from sluice.equations import split_stages
from sluice.equations.stages import has_elementwise_recurrence


class LRU(Cell):
    """The linear recurrent unit (Orvieto et al. 2023, equations 5 to 7)."""

    log_decay, log_angle, log_scale = Vector(), Vector(), Vector()
    in_real, in_imaginary = Map(bias=False), Map(bias=False)
    out_real, out_imaginary, skip = Map(bias=False), Map(bias=False), Map(bias=False)

    def step(self, x: Any, y: Any, re: Any, im: Any) -> Any:
        size, angle = sluice.exp(-sluice.exp(self.log_decay)), sluice.exp(self.log_angle)
        a, b, scale = size * sluice.cos(angle), size * sluice.sin(angle), sluice.exp(self.log_scale)
        new_re = a * re - b * im + scale * self.in_real(x)
        new_im = a * im + b * re + scale * self.in_imaginary(x)
        y = self.out_real(new_re) - self.out_imaginary(new_im) + self.skip(x)
        return dict(y=y, re=new_re, im=new_im)


def run_lru(w: dict[str, Tensor], x: Tensor) -> Tensor:
    decay = torch.exp(-w["log_decay"].exp() + 1j * w["log_angle"].exp())
    read = torch.complex(w["weight_in_real"], w["weight_in_imaginary"])
    show = torch.complex(w["weight_out_real"], w["weight_out_imaginary"])
    h, outputs = torch.zeros(x.shape[1], len(decay), dtype=torch.complex128), []
    for row in x:
        h = decay * h + w["log_scale"].exp() * (row.to(h.dtype) @ read.T)
        outputs.append((h @ show.T).real + row @ w["weight_skip"].T)
    return torch.stack(outputs)


class S4D(Cell):
    """A diagonal state space with two complex states a channel, discretised with a zero-order hold
    (Gu et al. 2022, section 3 and listing 1)."""

    u = Map()
    log_dt, skip = Vector(), Vector()
    log_real_0, imaginary_0, out_re_0, out_im_0 = Vector(), Vector(), Vector(), Vector()
    log_real_1, imaginary_1, out_re_1, out_im_1 = Vector(), Vector(), Vector(), Vector()

    def step(self, x: Any, y: Any, re_0: Any, im_0: Any, re_1: Any, im_1: Any) -> Any:
        u, dt = self.u(x), sluice.exp(self.log_dt)
        y, states = self.skip * u, {}
        for k, (re, im) in enumerate([(re_0, im_0), (re_1, im_1)]):
            real, imaginary = (
                -sluice.exp(getattr(self, f"log_real_{k}")),
                getattr(self, f"imaginary_{k}"),
            )
            size, angle = sluice.exp(dt * real), dt * imaginary
            a, b = size * sluice.cos(angle), size * sluice.sin(angle)
            norm = real**2 + imaginary**2  # (Ā − 1) / A, in parts
            in_re = ((a - 1.0) * real + b * imaginary) / norm
            in_im = (b * real - (a - 1.0) * imaginary) / norm
            new_re, new_im = a * re - b * im + in_re * u, a * im + b * re + in_im * u
            y = y + 2.0 * (
                getattr(self, f"out_re_{k}") * new_re - getattr(self, f"out_im_{k}") * new_im
            )
            states |= {f"re_{k}": new_re, f"im_{k}": new_im}
        return dict(y=y, **states)


def run_s4d(w: dict[str, Tensor], x: Tensor) -> Tensor:
    """By the kernel of the convolution that the recurrence is."""
    u = x @ w["weight_u"].T + w["bias_u"]
    y = w["skip"] * u
    dt = w["log_dt"].exp()
    powers = torch.arange(len(x), dtype=x.dtype)[:, None]
    for k in range(2):
        a = torch.complex(-w[f"log_real_{k}"].exp(), w[f"imaginary_{k}"])
        out = torch.complex(w[f"out_re_{k}"], w[f"out_im_{k}"])
        kernel = 2 * (out * (torch.exp(dt * a) - 1) / a * torch.exp(dt * a * powers)).real
        for t in range(len(x)):
            y = y + torch.cat(
                [torch.zeros_like(u[:t]), kernel[: len(x) - t, None] * u[t]]
            )  # what step t adds later on
    return y


class RWKV4(Cell):
    """The time mixing of RWKV-4 (Peng et al. 2023, equations 11 to 16), whose running maximum keeps
    exponentials from overflowing (their appendix D)."""

    before = State(width="input")
    largest = State(initial=-1e30)
    mix_r, mix_k, mix_v = (Vector(width="input") for _ in range(3))
    receptance, key, value = (Map(bias=False) for _ in range(3))
    out = Map(bias=False)
    log_decay, bonus = Vector(), Vector()

    def step(self, x: Any, y: Any, before: Any, above: Any, below: Any, largest: Any) -> Any:
        def mix(share: Any) -> Any:
            return share * x + (1.0 - share) * before

        r, k, v = (
            self.receptance(mix(self.mix_r)),
            self.key(mix(self.mix_k)),
            self.value(mix(self.mix_v)),
        )
        now = self.bonus + k
        top = sluice.maximum(largest, now)
        old, new = sluice.exp(largest - top), sluice.exp(now - top)
        wkv = (old * above + new * v) / (old * below + new)
        faded = largest - sluice.exp(self.log_decay)
        top = sluice.maximum(faded, k)
        old, new = sluice.exp(faded - top), sluice.exp(k - top)
        y = self.out(sluice.sigmoid(r) * wkv)
        return dict(
            y=y, before=x, above=old * above + new * v, below=old * below + new, largest=top
        )


def run_rwkv4(w: dict[str, Tensor], x: Tensor) -> Tensor:
    """By the sums over the past that the paper defines it with."""
    before = torch.cat([torch.zeros_like(x[:1]), x[:-1]])
    r, k, v = (
        (w[f"mix_{name[0]}"] * x + (1 - w[f"mix_{name[0]}"]) * before) @ w[f"weight_{name}"].T
        for name in ("receptance", "key", "value")
    )
    outputs = []
    for t in range(len(x)):
        ages = torch.arange(t - 1, -1, -1, dtype=x.dtype)[:, None, None]
        past = torch.exp(k[:t] - ages * w["log_decay"].exp())
        now = torch.exp(w["bonus"] + k[t])
        wkv = ((past * v[:t]).sum(0) + now * v[t]) / (past.sum(0) + now)
        outputs.append((torch.sigmoid(r[t]) * wkv) @ w["weight_out"].T)
    return torch.stack(outputs)


def run_mingru(w: dict[str, Tensor], x: Tensor) -> Tensor:
    z, g = (x @ w["weight_ih"].T + w["bias_ih"]).chunk(2, -1)
    h, outputs = torch.zeros_like(g[0]), []
    for keep, write in zip(torch.sigmoid(-z), torch.sigmoid(z) * g, strict=True):
        h = keep * h + write
        outputs.append(h)
    return torch.stack(outputs)


CASES: list[tuple[Callable[[], Cell], Callable[[dict[str, Tensor], Tensor], Tensor]]] = [
    (MinGRU, run_mingru),
    (LRU, run_lru),
    (S4D, run_s4d),
    (RWKV4, run_rwkv4),
]


@pytest.mark.parametrize(("make", "run"), CASES, ids=lambda one: one.__name__)
@pytest.mark.parametrize("hidden", [1, 18])
def test_values_and_gradients_are_those_of_the_papers(
    make: Callable[[], Cell],
    run: Callable[[dict[str, Tensor], Tensor], Tensor],
    hidden: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLUICE_POISON", "1")
    torch.manual_seed(5)
    layer = sluice.nn.Recurrent(make(), 3, hidden, dtype=torch.float64)
    x = torch.randn(9, 2, 3, dtype=torch.float64, requires_grad=True)
    y, _ = layer(x)
    assert layer.resolved_backend.name == "fused"
    expected = run({n.removesuffix("_l0"): p for n, p in layer.named_parameters()}, x)
    upstream = torch.randn_like(y)
    given = [x, *layer.parameters()]
    found, plain = (torch.autograd.grad(out, given, upstream) for out in (y, expected))
    torch.testing.assert_close(y, expected, rtol=1e-11, atol=1e-11)
    for mine, theirs in zip(found, plain, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-10)


class Circle(Cell):
    """Two states, each elementwise in itself, and a product on the way from one to the other."""

    read, write = Map(), Gate()

    def step(self, x: Any, a: Any, b: Any) -> Any:
        return dict(a=0.5 * a + 0.1 * b, b=0.5 * b + self.read(a) + self.write(x))


def test_the_graph_tells_which_cells_they_are() -> None:
    for make, _ in CASES:
        assert has_elementwise_recurrence(make().graph), make
    for kind in (Circle, Elman, GRU, LSTM, sluice.cells.LayerNormElman):
        assert not has_elementwise_recurrence(kind().graph), kind
    assert len(split_stages(MinGRU().graph).stages) == 0
