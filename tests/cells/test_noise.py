"""Normally distributed values in a step: `sluice.Noise`."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import sluice
from sluice import Cell, Gate, Mask, Noise, tanh
from sluice.cells import zoneout
from sluice.cells.from_text import TracedCell
from sluice.nn import Recurrent

T, B, X, H = 6, 3, 2, 17


class Noisy(Cell):
    """An Elman unit with noise on its state, and on its input."""

    hidden = Gate()
    keep = Mask(0.3)
    noise, shift = Noise(0.5), Noise(2.0, mean=1.0, eval_value=3.0, shared=True, width="input")

    def step(self, x: Any, h: Any, noise: Any, keep: Any, shift: Any) -> dict[str, Any]:
        return dict(h=tanh(self.hidden(x + shift, h)) * keep + noise)


def run_loop(layer: Recurrent, x: Any, keep: Any, noise: Any, shift: Any) -> Any:
    w, r, b, c = layer.parameters()
    h, outputs = x.new_zeros(B, H), []
    for t in range(T):
        h = torch.tanh((x[t] + shift) @ w.T + b + h @ r.T + c) * keep[t] + noise[t]
        outputs.append(h)
    return torch.stack(outputs)


@pytest.mark.parametrize("backend", ["fused", "reference"])
def test_noise_is_drawn_from_torchs_generator(backend: str) -> None:
    layer = Recurrent(Noisy, X, H, dtype=torch.float64)
    layer.backend = backend
    x = torch.randn(T, B, X, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(5)
    y, _ = layer(x)
    torch.manual_seed(5)
    keep = (torch.rand(T, B, H) >= 0.3).double()
    noise = torch.randn(T, B, H, dtype=torch.float64) * 0.5
    shift = torch.randn(B, X, dtype=torch.float64) * 2 + 1
    expected = run_loop(layer, x, keep, noise, shift)
    torch.testing.assert_close(y, expected)
    given = [x, *layer.parameters()]
    torch.testing.assert_close(
        torch.autograd.grad(y.sin().sum(), given),
        torch.autograd.grad(expected.sin().sum(), given),
    )


def test_evaluation_has_its_own_values() -> None:
    layer = Recurrent(Noisy, X, H, dtype=torch.float64).eval()
    x = torch.randn(T, B, X, dtype=torch.float64)
    ones, zeros = (torch.full((T, 1, 1), v, dtype=torch.float64) for v in (1.0, 0.0))
    expected = run_loop(layer, x, ones, zeros, torch.full((X,), 3.0))
    y = layer(x)[0]
    torch.testing.assert_close(y, expected)
    stream = layer.stream(B)
    torch.testing.assert_close(torch.stack([stream(step) for step in x]), y)


def test_noise_is_kept_in_texts_and_transforms() -> None:
    cell = zoneout(Noisy, h=0.1)
    assert [m.name for m in cell.graph.masks] == ["keep", "noise", "shift", "zoneout_h"]
    assert TracedCell(cell.text).graph == cell.graph
    with pytest.raises(sluice.EquationError, match="must not be negative"):
        Recurrent(TracedCell(Noisy().text.replace("0.5 0.0 0 hidden", "-0.5 0.0 0 hidden")), X, H)
