"""Every cell against its equations written on plain tensors: values and gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sluice.cells import (
    CIFG,
    LSTM1997,
    MGU,
    SLSTM,
    Cell,
    Elman,
    Jordan,
    LayerNormElman,
    LayerNormGRU,
    LayerNormLSTM,
    PeepholeLSTM,
    ResetBeforeGRU,
    layer_norm,
    recurrent_dropout,
    zoneout,
)
from sluice.cells import LSTM as LSTMCell
from sluice.nn import Recurrent

Parameters = dict[str, Tensor]
States = tuple[Tensor, ...]
X, H, T, B = 3, 4, 6, 2


def gates(p: Parameters, x: Tensor, h: Tensor, count: int) -> tuple[Tensor, ...]:
    """W x + b + R h + b', cut into as many gates."""
    whole = x @ p["weight_ih_l0"].T + p["bias_ih_l0"] + h @ p["weight_hh_l0"].T + p["bias_hh_l0"]
    return whole.chunk(count, dim=-1)


def jordan(p: Parameters, x: Tensor, s: States) -> States:
    (a,) = gates(p, x, s[0], 1)
    return (torch.sigmoid(torch.tanh(a) @ p["weight_output_l0"].T + p["bias_output_l0"]),)


def lstm_1997(p: Parameters, x: Tensor, s: States) -> States:
    h, c = s
    i, g, o = gates(p, x, h.detach(), 3)
    c = c + i.sigmoid() * (4 * g.sigmoid() - 2)
    return o.sigmoid() * (2 * c.sigmoid() - 1), c


def peephole(p: Parameters, x: Tensor, s: States) -> States:
    h, c = s
    i, f, g, o = gates(p, x, h, 4)
    i = torch.sigmoid(i + p["peep_input_l0"] * c)
    f = torch.sigmoid(f + p["peep_forget_l0"] * c)
    c = f * c + i * g.tanh()
    o = torch.sigmoid(o + p["peep_output_l0"] * c)
    return o * c.tanh(), c


def cifg(p: Parameters, x: Tensor, s: States) -> States:
    h, c = s
    f, g, o = gates(p, x, h, 3)
    f = f.sigmoid()
    c = f * c + (1 - f) * g.tanh()
    return o.sigmoid() * c.tanh(), c


def gru_reset_before(p: Parameters, x: Tensor, s: States) -> States:
    (h,) = s
    r, z, _ = (a.sigmoid() for a in gates(p, x, h, 3))
    _, _, n = gates(p, x, r * h, 3)
    return (z * h + (1 - z) * n.tanh(),)


def mgu(p: Parameters, x: Tensor, s: States) -> States:
    (h,) = s
    f = gates(p, x, h, 2)[0].sigmoid()
    n = gates(p, x, f * h, 2)[1].tanh()
    return ((1 - f) * h + f * n,)


def slstm(heads: int, exponential: bool) -> Callable[[Parameters, Tensor, States], States]:
    """Without a stabiliser: in float64 and over a few steps nothing overflows."""

    def step(p: Parameters, x: Tensor, s: States) -> States:
        h, c, n, m = s
        size = H // heads
        blocks = p["weight_hh_l0"].reshape(4, heads, size, size)
        dense = torch.cat([torch.block_diag(*blocks[gate]) for gate in range(4)])
        whole = x @ p["weight_ih_l0"].T + p["bias_ih_l0"] + h @ dense.T + p["bias_hh_l0"]
        i, f, z, o = whole.chunk(4, dim=-1)
        i, f = i.exp(), f.exp() if exponential else f.sigmoid()
        c, n = f * c + i * z.tanh(), f * n + i
        return o.sigmoid() * c / n, c, n, m

    return step


def normalize(a: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    mean, variance = a.mean(-1, keepdim=True), a.var(-1, correction=0, keepdim=True)
    return (a - mean) / (variance + 1e-5).sqrt() * weight + bias


def two_norms(p: Parameters, x: Tensor, h: Tensor, name: str = "") -> tuple[Tensor, Tensor]:
    return (
        normalize(
            x @ p["weight_ih_l0"].T, p[f"weight_norm_ih{name}_l0"], p[f"bias_norm_ih{name}_l0"]
        ),
        normalize(
            h @ p["weight_hh_l0"].T, p[f"weight_norm_hh{name}_l0"], p[f"bias_norm_hh{name}_l0"]
        ),
    )


def layer_norm_elman(p: Parameters, x: Tensor, s: States) -> States:
    return (torch.tanh(sum(two_norms(p, x, s[0], "_hidden"))),)  # type: ignore[arg-type]


def layer_norm_gru(p: Parameters, x: Tensor, s: States) -> States:
    from_x, from_h = two_norms(p, x, s[0])
    (rx, zx, nx), (rh, zh, nh) = from_x.chunk(3, -1), from_h.chunk(3, -1)
    r, z = (rx + rh).sigmoid(), (zx + zh).sigmoid()
    return ((1 - z) * torch.tanh(nx + r * nh) + z * s[0],)


def layer_norm_lstm(p: Parameters, x: Tensor, s: States) -> States:
    h, c = s
    i, f, g, o = torch.add(*two_norms(p, x, h)).chunk(4, dim=-1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * normalize(c, p["weight_norm_c_l0"], p["bias_norm_c_l0"]).tanh(), c


def norm_by_gate(p: Parameters, x: Tensor, s: States) -> States:
    def one(side: str, operand: Tensor) -> list[Tensor]:
        parts = (operand @ p[f"weight_{side}_l0"].T).chunk(4, -1)
        names = ["input", "forget", "candidate", "output"]
        keys = [f"norm_{side}_{name}_l0" for name in names]
        return [
            F.layer_norm(a, (H,), p[f"weight_{k}"], p[f"bias_{k}"])
            for a, k in zip(parts, keys, strict=True)
        ]

    h, c = s
    i, f, g, o = (a + b for a, b in zip(one("ih", x), one("hh", h), strict=True))
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def zoneout_expected(p: Parameters, x: Tensor, s: States) -> States:
    h, c = s
    i, f, g, o = gates(p, x, h, 4)
    fresh = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return 0.1 * h + 0.9 * (o.sigmoid() * fresh.tanh()), 0.5 * c + 0.5 * fresh


ORACLES: dict[str, tuple[Callable[[], Cell], Callable[[Parameters, Tensor, States], States]]] = {
    "jordan": (Jordan, jordan),
    "lstm-1997": (LSTM1997, lstm_1997),
    "peephole": (PeepholeLSTM, peephole),
    "cifg": (CIFG, cifg),
    "gru-reset-before": (ResetBeforeGRU, gru_reset_before),
    "mgu": (MGU, mgu),
    "slstm-sigmoid": (lambda: SLSTM(2), slstm(2, False)),
    "slstm-exponential": (lambda: SLSTM(1, "exponential"), slstm(1, True)),
    "layer-norm-elman": (LayerNormElman, layer_norm_elman),
    "layer-norm-gru": (LayerNormGRU, layer_norm_gru),
    "layer-norm-lstm": (LayerNormLSTM, layer_norm_lstm),
    "norm-by-gate": (lambda: layer_norm(LSTMCell, span="gate"), norm_by_gate),
    "zoneout-evaluated": (lambda: zoneout(LSTMCell, h=0.1, c=0.5), zoneout_expected),
}


@pytest.mark.parametrize("name", ORACLES)
def test_cell_is_its_equations(name: str) -> None:
    make, step = ORACLES[name]
    layer = Recurrent(make(), X, H, dtype=torch.float64).eval()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    x = torch.randn(T, B, X, dtype=torch.float64, requires_grad=True)
    y, last = layer(x)
    states: States = tuple(torch.zeros(B, H, dtype=x.dtype) for _ in layer.cell.graph.states)
    outputs, p = [], dict(layer.named_parameters())
    for t in range(T):
        states = step(p, x[t], states)
        outputs.append(states[0])
    expected = torch.stack(outputs)
    torch.testing.assert_close(y, expected, rtol=1e-9, atol=1e-11)
    if "slstm" not in name:  # whose c, n, m are scaled by the stabiliser
        finals = (last,) if isinstance(last, Tensor) else last
        for mine, theirs in zip(finals, states, strict=True):
            torch.testing.assert_close(mine[0], theirs, rtol=1e-9, atol=1e-11)
    upstream = torch.randn_like(y)
    wanted = [x, *p.values()]
    mine = torch.autograd.grad(y, wanted, upstream)
    theirs = torch.autograd.grad(expected, wanted, upstream)
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-10)


def test_slstm_is_finite_where_it_would_overflow_without_a_stabiliser() -> None:
    layer = Recurrent(SLSTM(1, "exponential"), 1, 4)
    with torch.no_grad():
        layer.weight_ih_l0.fill_(300.0)
    y, _ = layer(torch.ones(50, 1, 1))
    assert y.isfinite().all() and y.abs().max() > 0


def test_lstm_1997_passes_no_gradient_through_its_gates() -> None:
    layer = Recurrent(LSTM1997, X, H)
    x = torch.randn(T, 1, X)
    h = torch.randn(1, 1, H, requires_grad=True)
    c = torch.randn(1, 1, H, requires_grad=True)
    y, _ = layer(x, (h, c))
    of_h, of_c = torch.autograd.grad(y.sum(), (h, c), allow_unused=True)
    assert of_h is None or not of_h.any()
    assert of_c.abs().min() > 0


def test_zoneout_keeps_states_at_its_rate_and_repeats_for_a_seed() -> None:
    layer = Recurrent(zoneout(Elman, h=0.25), 1, 2000)
    h0, x = torch.full((1, 1, 2000), 7.0), torch.zeros(1, 1, 1)
    torch.manual_seed(1)
    y, _ = layer(x, h0)
    share = (y == 7.0).float().mean().item()
    assert abs(share - 0.25) < 0.04
    torch.manual_seed(1)
    assert torch.equal(layer(x, h0)[0], y)


def test_recurrent_dropout_holds_one_mask_over_time() -> None:
    layer = Recurrent(recurrent_dropout(Elman("relu"), 0.5), 1, 400)
    with torch.no_grad():
        layer.weight_hh_l0.copy_(torch.eye(400))
        layer.weight_ih_l0.zero_(), layer.bias_ih_l0.zero_(), layer.bias_hh_l0.zero_()
    y, _ = layer(torch.zeros(3, 1, 1), torch.ones(1, 1, 400))
    alive = y[0, 0] > 0
    torch.testing.assert_close(
        y[:, 0, alive], torch.tensor([[2.0], [4.0], [8.0]]).expand(3, alive.sum())
    )
    assert (y[:, 0, ~alive] == 0).all() and 120 < alive.sum() < 280


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_rates_are_probabilities(rate: float) -> None:
    with pytest.raises(ValueError, match="probability"):
        recurrent_dropout(Elman, rate)


def test_step_on_tensors_is_the_layer() -> None:
    layer = Recurrent(PeepholeLSTM, X, H)
    p = {name.removesuffix("_l0"): value for name, value in layer.named_parameters()}
    from sluice.equations import Sizes

    cell = layer.cell.bind(p, Sizes(X, H))
    x = torch.randn(B, X)
    found = cell.step(x, torch.zeros(B, H), torch.zeros(B, H))
    y, (_, c) = layer(x[None])
    torch.testing.assert_close(found["h"], y[0])
    torch.testing.assert_close(found["c"], c[0])
