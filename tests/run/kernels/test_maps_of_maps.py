"""A map of a map, with nothing between them: the first one's result is an operand as it is."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from sluice.cells import Cell, Gate, Map
from sluice.equations.ops import detach, tanh
from sluice.nn import Recurrent


class MapsOfMaps(Cell):
    """Two gates read x; one of them is read by a map, which is read by another."""

    gate, first, second, third = Gate(), Gate(), Map(), Map()

    def step(self, x: Any, h: Any) -> dict[str, Any]:
        chained = self.third(detach(self.second(self.first(x))))  # so that no tape keeps first
        return dict(h=tanh(self.gate(x) + chained))


@pytest.mark.parametrize("hidden", [1, 7, 16])
def test_each_map_reads_what_the_one_before_made(
    hidden: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_POISON", "1")
    layer = Recurrent(MapsOfMaps, 3, hidden, dtype=torch.float64)
    p = dict(layer.named_parameters())
    x = torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True)
    gate, first = (x @ p["weight_ih_l0"].T + p["bias_ih_l0"]).chunk(2, dim=-1)
    second = first @ p["weight_second_l0"].T + p["bias_second_l0"]
    expected = (gate + second.detach() @ p["weight_third_l0"].T + p["bias_third_l0"]).tanh()
    upstream = torch.randn_like(expected)
    found = layer(x)[0]
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    tensors = [x, *(tensor for name, tensor in p.items() if "second" not in name)]
    gradients = torch.autograd.grad(expected, tensors, upstream)
    for one, other in zip(torch.autograd.grad(found, tensors, upstream), gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10)
