"""Layer norm, zoneout and dropout of cells whose recurrence is a `Map`, against plain loops."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import sluice
from cells.plain_loops import assert_is_loop
from sluice import Cell, EquationError, Gate, Map, State, sigmoid, tanh
from sluice.cells import Jordan, ProjectedLSTM, layer_norm, recurrent_dropout, zoneout

X, H, T, B = 3, 5, 6, 2
Parameters = dict[str, Tensor]


class Mapped(Cell):
    """A reset-before GRU of maps alone; its inputs' maps are gates' in no stack."""

    r_x, z_x, n_x = Map(), Map(), Map()
    r_h, z_h, n_h = Map(), Map(), Map()

    def step(self, x: Any, h: Any) -> Any:
        r = sigmoid(self.r_x(x) + self.r_h(h))
        z = sigmoid(self.z_x(x) + self.z_h(h))
        n = tanh(self.n_x(x) + self.n_h(r * h))
        return dict(h=z * h + (1.0 - z) * n, reset=r)


class Halves(Cell):
    """A gate of the input, maps of two states of different widths, and one of a new value."""

    slow = State(width="projection", initial=0.1)
    write, own, other = Gate(), Map(), Map()
    down = Map(width="projection")

    def step(self, x: Any, h: Any, slow: Any) -> Any:
        h = tanh(self.write(x) + self.own(h) + self.other(slow))
        return dict(h=h, slow=0.5 * slow + self.down(h))


def linear(p: Parameters, name: str, value: Tensor) -> Tensor:
    return F.linear(value, p[f"weight_{name}_l0"], p.get(f"bias_{name}_l0"))


def normed(p: Parameters, names: tuple[str, ...], value: Tensor, key: str) -> tuple[Tensor, ...]:
    joined = torch.cat([linear(p, name, value) for name in names], -1)
    whole = F.layer_norm(joined, joined.shape[-1:], p[f"weight_{key}_l0"], p[f"bias_{key}_l0"])
    return whole.chunk(len(names), -1)


def normed_gru(p: Parameters, xs: Tensor, span: str) -> Tensor:
    h, found = xs.new_zeros(B, H), []

    def maps(names: tuple[str, ...], value: Tensor) -> tuple[Tensor, ...]:
        if span == "all":
            return normed(p, names, value, "norm_" + "_".join(names))
        return tuple(normed(p, (name,), value, f"norm_{name}")[0] for name in names)

    for x in xs:
        rx, zx, nx = maps(("r_x", "z_x", "n_x"), x)
        rh, zh = maps(("r_h", "z_h"), h)
        r, z = (rx + rh).sigmoid(), (zx + zh).sigmoid()
        (nh,) = maps(("n_h",), r * h)
        h = z * h + (1 - z) * (nx + nh).tanh()
        found.append(h)
    return torch.stack(found)


def draw(width: int, rate: float) -> Tensor:
    """A mask as a layer draws it for a whole sequence."""
    return (torch.rand(1, B, width)[0] >= rate).double() / (1 - rate)


def dropped_gru(p: Parameters, xs: Tensor, rate: float) -> Tensor:
    mask = draw(H, rate)
    h, found = xs.new_zeros(B, H), []
    for x in xs:
        r = (linear(p, "r_x", x) + linear(p, "r_h", h * mask)).sigmoid()
        z = (linear(p, "z_x", x) + linear(p, "z_h", h * mask)).sigmoid()
        n = (linear(p, "n_x", x) + linear(p, "n_h", r * h * mask)).tanh()
        h = z * h + (1 - z) * n
        found.append(h)
    return torch.stack(found)


def dropped_halves(p: Parameters, xs: Tensor, rate: float) -> Tensor:
    mask, other = draw(H, rate), draw(4, rate)
    h, slow, found = xs.new_zeros(B, H), xs.new_full((B, 4), 0.1), []
    for x in xs:
        a = linear(p, "ih", x) + linear(p, "own", h * mask) + linear(p, "other", slow * other)
        h = a.tanh()
        slow = 0.5 * slow + linear(p, "down", h)
        found.append(h)
    return torch.stack(found)


def normed_halves(p: Parameters, xs: Tensor, _: str) -> Tensor:
    h, slow, found = xs.new_zeros(B, H), xs.new_full((B, 4), 0.1), []
    for x in xs:
        a = normed(p, ("ih",), x, "norm_ih_write")[0] + normed(p, ("own",), h, "norm_own")[0]
        h = (a + normed(p, ("other",), slow, "norm_other")[0]).tanh()
        slow = 0.5 * slow + linear(p, "down", h)
        found.append(h)
    return torch.stack(found)


def zoned_gru(p: Parameters, xs: Tensor, rate: float) -> Tensor:
    h, found = xs.new_zeros(B, H), []
    held = (torch.rand(T, B, H) >= rate).logical_not().double()
    for x, keep in zip(xs, held, strict=True):
        r = (linear(p, "r_x", x) + linear(p, "r_h", h)).sigmoid()
        z = (linear(p, "z_x", x) + linear(p, "z_h", h)).sigmoid()
        n = (linear(p, "n_x", x) + linear(p, "n_h", r * h)).tanh()
        h = keep * h + (1 - keep) * (z * h + (1 - z) * n)
        found.append(h)
    return torch.stack(found)


CASES: dict[str, tuple[Cell, Any, Any, int]] = {
    "norm of all": (layer_norm(Mapped), normed_gru, "all", 0),
    "norm of each": (layer_norm(Mapped, span="gate"), normed_gru, "gate", 0),
    "norm beside a gate": (layer_norm(Halves), normed_halves, "all", 4),
    "dropout": (recurrent_dropout(Mapped, 0.4), dropped_gru, 0.4, 0),
    "dropout of two widths": (recurrent_dropout(Halves, 0.4), dropped_halves, 0.4, 4),
    "zoneout": (zoneout(Mapped, h=0.3), zoned_gru, 0.3, 0),
}


@pytest.mark.parametrize("backend", ["fused", "reference"])
@pytest.mark.parametrize("name", CASES)
def test_transforms_of_maps_are_their_equations(name: str, backend: Any) -> None:
    cell, oracle, option, projection = CASES[name]
    layer = sluice.nn.Recurrent(cell, X, H, proj_size=projection, dtype=torch.float64)
    layer.backend = backend
    assert_is_loop(layer, oracle, option, (T, B), 0.7, 1e-9)


def test_what_is_no_recurrence_stays() -> None:
    """A readout or projection of a new value is neither normed nor masked where gates recur."""
    for cell in (Jordan, ProjectedLSTM):
        assert [m.name for m in recurrent_dropout(cell, 0.2).graph.masks] == ["dropout"]
        norms = [norm.name for norm in layer_norm(cell).graph.norms]
        assert all(name.startswith(("norm_ih", "norm_hh")) for name in norms), norms


class Reading(Cell):
    gate = Gate()

    def step(self, x: Any, h: Any) -> Any:
        return dict(h=tanh(self.gate(x)) + 0.5 * h)


class Both(Cell):
    write, map = Gate(), Map()

    def step(self, x: Any, h: Any) -> Any:
        a = tanh(self.write(x) + self.map(h))
        return dict(h=a + self.map(a))


class Decay(Cell):
    h = State(width="input")

    def step(self, x: Any, h: Any) -> Any:
        return dict(h=0.5 * h + x)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: recurrent_dropout(Reading, 0.1), "has no recurrent map to drop inputs of"),
        (lambda: recurrent_dropout(Both, 0.1), "map 'map' reads a state in one place"),
        (lambda: layer_norm(Decay), "has no map of the input or a state to norm"),
        (
            lambda: recurrent_dropout(recurrent_dropout(Mapped, 0.1), 0.1),
            "calls its mask 'dropout'",
        ),
        (lambda: zoneout(zoneout(Mapped, h=0.1), h=0.1), "calls the mask of 'h' 'zoneout_h'"),
    ],
)
def test_what_a_transform_cannot_do_is_told(make: Any, words: str) -> None:
    with pytest.raises(EquationError, match=words):
        _ = make().graph
