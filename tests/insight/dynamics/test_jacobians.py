"""Jacobians against finite differences of the layers, exponents against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

import sluice
from cell_list import CELLS
from insight.plain_cells import any_layer, linear_layer
from sluice.insight import (
    lyapunov_spectrum,
    product_singular_values,
    run_trajectory,
    step_jacobians,
)
from sluice.insight.dynamics import jacobians


def one_step(layer: sluice.nn.Recurrent, x: Tensor, state: Tensor) -> Tensor:
    """The full state after one call of the layer, by its kernels."""
    widths = [layer.sizes[0].of(s.width) for s in layer.cell.graph.states]
    parts = [part.unsqueeze(0) for part in state.split(widths, dim=-1)]
    with torch.no_grad():
        _, last = layer(x.unsqueeze(0), tuple(parts) if len(parts) > 1 else parts[0])
    return torch.cat(last if isinstance(last, tuple) else (last,), dim=-1)[0]


@pytest.mark.parametrize("name", CELLS)
def test_finite_differences_of_every_cell(name: str) -> None:
    layer, x = any_layer(name), torch.randn(4, 2, 3).double()
    found, states = step_jacobians(layer, x), run_trajectory(layer, x).states
    assert found.shape == (4, 2, states.shape[-1], states.shape[-1])
    for t in range(4):
        for j in range(states.shape[-1]):
            nudge = torch.zeros_like(states[t])
            nudge[:, j] = 1e-6
            ahead = one_step(layer, x[t], states[t] + nudge)
            behind = one_step(layer, x[t], states[t] - nudge)
            torch.testing.assert_close(
                found[t, :, :, j], (ahead - behind) / 2e-6, rtol=1e-4, atol=1e-7
            )


def test_an_lstm_step_written_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = sluice.nn.LSTM(3, 5).double(), torch.randn(6, 2, 3).double()
    states, found = run_trajectory(layer, x).states, step_jacobians(layer, x)

    def step(x: Tensor, s: Tensor) -> Tensor:
        a = layer.weight_ih_l0 @ x + layer.weight_hh_l0 @ s[:5] + layer.bias_ih_l0
        i, f, g, o = (a + layer.bias_hh_l0).chunk(4)
        c = f.sigmoid() * s[5:] + i.sigmoid() * g.tanh()
        return torch.cat([o.sigmoid() * c.tanh(), c])

    for t, b in ((0, 0), (3, 1), (5, 0)):
        expected = torch.autograd.functional.jacobian(step, (x[t, b], states[t, b]))[1]
        torch.testing.assert_close(found[t, b], expected)
    monkeypatch.setattr(jacobians, "_NUMBERS_AT_ONCE", 1)  # a step at a time, a row at a time
    torch.testing.assert_close(step_jacobians(layer, x), found)
    assert all(parameter.grad is None for parameter in layer.parameters())


def test_singular_values_of_products() -> None:
    weights = torch.randn(4, 4).double() * 0.7
    found = product_singular_values(step_jacobians(linear_layer(weights), torch.zeros(6, 2, 1)))
    for t in range(6):
        expected = torch.linalg.svdvals(torch.linalg.matrix_power(weights, t + 1))
        torch.testing.assert_close(found[t], expected.expand(2, -1), rtol=1e-10, atol=1e-12)
    with pytest.raises(ValueError, match=r"\(time, batch, states, states\)"):
        product_singular_values(torch.zeros(0, 1, 2, 2))


def test_exponents_of_a_linear_layer_are_the_logarithms_of_its_eigenvalues() -> None:
    moduli = torch.tensor([1.2, 0.9, 0.5, 0.1], dtype=torch.float64)
    basis = torch.randn(4, 4).double()
    weights = basis @ torch.diag(moduli * torch.tensor([1, -1, 1, -1])) @ basis.inverse()
    layer = linear_layer(weights)
    found = lyapunov_spectrum(layer, torch.zeros(160, 2, 1), warm_up=150)
    torch.testing.assert_close(found, moduli.log().expand(2, -1), rtol=1e-7, atol=1e-7)
    largest = lyapunov_spectrum(layer, torch.zeros(160, 2, 1), count=2, warm_up=150)
    torch.testing.assert_close(largest, found[:, :2])


def test_a_rotation_neither_grows_nor_shrinks() -> None:
    rows = [[math.cos(1), -math.sin(1)], [math.sin(1), math.cos(1)]]
    turn = torch.tensor(rows, dtype=torch.float64)
    found = lyapunov_spectrum(linear_layer(turn), torch.zeros(30, 1, 1), warm_up=0)
    torch.testing.assert_close(found, torch.zeros_like(found), rtol=0, atol=1e-12)


def test_exponents_add_up_to_the_mean_logarithm_of_the_determinant() -> None:
    layer, x = any_layer("gru"), torch.randn(60, 2, 3).double()
    determinants = torch.linalg.slogdet(step_jacobians(layer, x)[20:])[1]
    found = lyapunov_spectrum(layer, x, warm_up=20)
    torch.testing.assert_close(found.sum(-1), determinants.mean(0))
    assert bool((found.diff(dim=-1) <= 0).all())


def test_invalid_spectra_are_refused() -> None:
    layer = sluice.nn.GRU(3, 4)
    with pytest.raises(ValueError, match="warm_up must be from 0 to 19 for 20 steps, got 50"):
        lyapunov_spectrum(layer, torch.zeros(20, 1, 3))
    with pytest.raises(ValueError, match="count must be between 1 and the 4 states, got 5"):
        lyapunov_spectrum(layer, torch.zeros(60, 1, 3), count=5)
    with pytest.raises(RuntimeError, match="length to be larger than 0"):
        step_jacobians(layer, torch.zeros(0, 1, 3))
