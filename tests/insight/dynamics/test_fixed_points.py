"""Fixed points known in closed form, and those of whole layers compared with the layers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

import sluice
from insight.plain_cells import any_layer, linear_layer
from sluice.insight import find_fixed_points, run_trajectory


def one_unit(weight: float, bias: float) -> sluice.nn.RNN:
    """h = tanh(weight · h + bias + x)."""
    layer = sluice.nn.RNN(1, 1).double()
    with torch.no_grad():
        for parameter, value in zip(layer.parameters(), (1.0, weight, bias, 0.0), strict=True):
            parameter.fill_(value)
    return layer


def test_one_unit_with_three_fixed_points() -> None:
    high = 0.5
    for _ in range(200):
        high = math.tanh(2 * high)
    found = find_fixed_points(one_unit(2.0, 0.0), torch.linspace(-1, 1, 20).unsqueeze(1))
    order = found.points.flatten().argsort()
    assert found.points.flatten()[order].tolist() == pytest.approx([-high, 0, high], abs=1e-8)
    slope = 2 * (1 - high**2)
    assert found.eigenvalues.flatten()[order].real.tolist() == pytest.approx([slope, 2, slope])
    assert found.is_stable[order].tolist() == [True, False, True] and bool(found.is_fixed.all())
    assert bool((found.speed < 1e-18).all())


def test_a_slow_point_where_two_fixed_points_merge() -> None:
    meets = -math.sqrt(0.5)  # where the slope of tanh(2h + b) is 1
    bias = math.atanh(meets) - 2 * meets
    starts = torch.linspace(-0.9, -0.5, 9).unsqueeze(1)
    found = find_fixed_points(one_unit(2.0, bias + 1e-3), starts)
    slow = found.points[~found.is_fixed]
    assert slow.numel() == 1 and slow.item() == pytest.approx(meets, abs=2e-3)
    assert 0 < found.speed[~found.is_fixed].item() < 1e-6
    driven = find_fixed_points(one_unit(2.0, bias), starts, x=torch.tensor([1e-3]))
    torch.testing.assert_close(driven.points[~driven.is_fixed], slow)


def test_the_fixed_point_of_a_linear_layer() -> None:
    weights, inputs = torch.randn(4, 4).double() * 0.5, torch.randn(4, 2).double()
    x = torch.tensor([1.0, -2.0]).double()
    found = find_fixed_points(linear_layer(weights, inputs), torch.randn(3, 4), x)
    expected = torch.linalg.solve(torch.eye(4).double() - weights, inputs @ x)
    torch.testing.assert_close(found.points, expected.unsqueeze(0))
    moduli = torch.linalg.eigvals(weights).abs().sort(descending=True)[0]
    torch.testing.assert_close(found.eigenvalues[0].abs(), moduli)


@pytest.mark.parametrize("name", ["lstm", "gru", "peephole", "projected"])
def test_the_layer_does_not_move_at_its_fixed_points(name: str) -> None:
    layer = any_layer(name)
    starts = run_trajectory(layer, torch.randn(8, 2, 3)).states.flatten(0, 1)
    x = torch.randn(3).double()
    found = find_fixed_points(layer, starts, x)
    assert len(found.points) > 0 and bool(found.is_fixed.all())
    widths = [layer.sizes[0].of(state.width) for state in layer.cell.graph.states]
    parts: list[Tensor] = [p.unsqueeze(0).contiguous() for p in found.points.split(widths, dim=-1)]
    hx = tuple(parts) if len(parts) > 1 else parts[0]
    with torch.no_grad():
        _, last = layer(x.expand(1, len(found.points), -1).contiguous(), hx)
    for before, after in zip(parts, last if isinstance(last, tuple) else (last,), strict=True):
        torch.testing.assert_close(after, before, rtol=0, atol=1e-8)


def test_the_layer_is_untouched() -> None:
    layer = sluice.nn.LSTM(3, 4, dropout=0.5, num_layers=2)
    layer.weight_hh_l0.requires_grad_(False)
    layer(torch.randn(4, 2, 3))[0].sum().backward()
    before = {n: (p.clone(), p.requires_grad, p.grad) for n, p in layer.named_parameters()}
    random = torch.get_rng_state()
    with torch.no_grad():
        find_fixed_points(layer, torch.zeros(1, 8), torch.zeros(4), layer=1)
    assert layer.training and torch.equal(torch.get_rng_state(), random)
    for name, parameter in layer.named_parameters():
        value, required, gradient = before[name]
        assert torch.equal(parameter, value) and parameter.requires_grad == required
        assert parameter.grad is gradient


def test_no_fixed_point_and_invalid_arguments() -> None:
    moving = linear_layer(torch.eye(2).double(), torch.ones(2, 1))  # h = h + x
    found = find_fixed_points(moving, torch.zeros(2, 2), torch.ones(1))
    assert found.points.shape == (0, 2) and found.eigenvalues.shape == (0, 2)
    layer = sluice.nn.LSTM(3, 4)
    with pytest.raises(ValueError, match=r"full states of shape \(starts, 8\), got \(5, 4\)"):
        find_fixed_points(layer, torch.zeros(5, 4))
    with pytest.raises(ValueError, match="starts must be finite, got NaN"):
        find_fixed_points(layer, torch.full((1, 8), float("nan")))
    with pytest.raises(ValueError, match=r"x must be one input of shape \(3,\), got \(1, 3\)"):
        find_fixed_points(layer, torch.zeros(5, 8), torch.zeros(1, 3))
