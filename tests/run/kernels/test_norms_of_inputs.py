"""Norms of inputs beside x, which depend on no state: computed for a chunk of steps at once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

import sluice
from sluice import Cell, Input, Norm, tanh


class NormedBeside(Cell):
    """An input beside x is normed together with the sign of x."""

    both = Norm()
    beside = Input(width="hidden")

    def step(self, x: Any, h: Any, *, beside: Any) -> Any:
        normed, _ = self.both(beside, sluice.sign(x))
        return dict(h=tanh(normed) + 0.5 * h)


@pytest.mark.parametrize("batch", [1, 3])
def test_values_are_those_of_plain_torch(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_POISON", "1")
    layer = sluice.nn.Recurrent(NormedBeside, 3, 7, dtype=torch.float64)
    x, beside = torch.randn(2, 5, batch, 7, dtype=torch.float64)
    x = x[..., :3].contiguous()
    joined = torch.cat([beside, x.sign()], -1)
    normed = F.layer_norm(joined, (10,), layer.weight_both_l0, layer.bias_both_l0)[..., :7]
    h, expected = torch.zeros(batch, 7, dtype=torch.float64), []
    for row in normed.tanh():
        h = row + 0.5 * h
        expected.append(h)
    found = layer(x, beside=beside)[0]
    assert layer.resolved_backend.name == "fused"
    torch.testing.assert_close(found, torch.stack(expected), rtol=1e-12, atol=1e-12)
