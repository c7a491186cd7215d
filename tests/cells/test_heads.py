"""Block-diagonal maps: of a state, of the input, and of values computed in the step."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from sluice import Cell, Gate, Map, State, sigmoid, tanh
from sluice.nn import Recurrent


class Blocks(Cell):
    """Every kind of map with heads, and an output map that has none."""

    gate, candidate = (Gate(heads=2, input_heads=3) for _ in range(2))
    of_gate, of_input, mix = Map(heads=2), Map(heads=3, bias=False), Map(heads=1)

    def step(self, x: Any, h: Any) -> Any:
        k = sigmoid(self.gate(x, h))
        g = tanh(self.candidate(x, k * h) + self.of_gate(k) + self.of_input(x))
        return dict(h=k * h + self.mix(g), gate=k)


def expand(weight: Tensor, heads: int, gates: int = 1) -> Tensor:
    """The dense matrix of blocks that lie below each other."""
    parts = weight.unflatten(0, (gates, heads, -1))
    return torch.cat([torch.block_diag(*part) for part in parts])


def run_loop(layer: Recurrent, x: Tensor) -> Tensor:
    p = {name.removesuffix("_l0"): value for name, value in layer.named_parameters()}
    ih, hh = expand(p["weight_ih"], 3, 2), expand(p["weight_hh"], 2, 2)
    h, units, outputs = x.new_zeros(x.shape[1], 12), 12, []
    for row in x:
        first, second = (row @ ih.T + p["bias_ih"]).split(units, -1)
        k = torch.sigmoid(first + h @ hh[:units].T + p["bias_hh"][:units])
        g = second + (k * h) @ hh[units:].T + p["bias_hh"][units:]
        g = g + k @ expand(p["weight_of_gate"], 2).T + p["bias_of_gate"]
        g = torch.tanh(g + row @ expand(p["weight_of_input"], 3).T)
        h = k * h + g @ p["weight_mix"].T + p["bias_mix"]
        outputs.append(h)
    return torch.stack(outputs)


@pytest.mark.parametrize("backend", ["fused", "reference"])
def test_blocks_read_their_own_part(backend: str) -> None:
    layer = Recurrent(Blocks, 9, 12, dtype=torch.float64)
    layer.backend = backend
    assert layer.weight_ih_l0.shape == (24, 3)
    assert layer.weight_of_gate_l0.shape == (12, 6)
    x = torch.randn(6, 3, 9, dtype=torch.float64, requires_grad=True)
    wanted, upstream = [x, *layer.parameters()], torch.randn(6, 3, 12, dtype=torch.float64)
    (y, _), expected = layer(x), run_loop(layer, x)
    torch.testing.assert_close(y, expected, rtol=1e-11, atol=1e-12)
    theirs = torch.autograd.grad(expected, wanted, upstream)
    for mine, other in zip(torch.autograd.grad(y, wanted, upstream), theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("sizes", [(8, 12), (9, 11)])
def test_heads_divide_every_width(sizes: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"a multiple of the [23] heads"):
        Recurrent(Blocks, *sizes)


class TwoWidths(Cell):
    """Gates of two widths that share the state's heads."""

    wide, narrow, back = Gate(heads=2), Gate(heads=2, width="projection"), Map(bias=False)
    m = State(width="projection")

    def step(self, x: Any, h: Any, m: Any) -> Any:
        n = tanh(self.narrow(x, h))
        return dict(h=tanh(self.wide(x, h) + self.back(n)), m=n)


@pytest.mark.parametrize("backend", [None, "reference"])
def test_gates_of_two_widths_share_heads(backend: str | None) -> None:
    """8 and 4 rows could be cut into two gates of two heads of three rows as well."""
    layer = Recurrent(TwoWidths, 3, 8, proj_size=4, dtype=torch.float64)
    layer.backend = backend
    p = {name.removesuffix("_l0"): value for name, value in layer.named_parameters()}
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    wide, narrow = (torch.block_diag(*part.chunk(2)) for part in p["weight_hh"].split([8, 4]))
    h, outputs = x.new_zeros(2, 8), []
    for row in x:
        a, b = (row @ p["weight_ih"].T + p["bias_ih"] + p["bias_hh"]).split([8, 4], -1)
        n = torch.tanh(b + h @ narrow.T)
        h = torch.tanh(a + h @ wide.T + n @ p["weight_back"].T)
        outputs.append(h)
    expected = torch.stack(outputs)
    found = layer(x)[0]
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    upstream = torch.randn_like(expected)
    own = torch.autograd.grad(found, list(p.values()), upstream)
    for one, other in zip(
        own, torch.autograd.grad(expected, list(p.values()), upstream), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)
