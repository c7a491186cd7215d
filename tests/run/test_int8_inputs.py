"""int8 on features as they come: powers with outliers, and weights that were trained on them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import sluice
from cell_list import CELLS
from sluice.run.kernels import extension


def make_powers(time: int, batch: int, width: int, spread: float) -> Tensor:
    """Powers of bands, whose logarithms wander: most are tiny, and a few hold nearly everything."""
    level = torch.randn(time, batch, width).cumsum(0) / time**0.5 + 2 * torch.randn(1, batch, width)
    return (spread * level).exp() * 0.01


def make_trained_like(inputs: int, hidden: int, layers: int) -> nn.LSTM:
    """Weights some times as large as initial ones, and far larger from bands of low power."""
    layer = nn.LSTM(inputs, hidden, layers).double()
    with torch.no_grad():
        for name, value in layer.named_parameters():
            scale = hidden**-0.5 if name.startswith("weight") else 0.5
            value.copy_(torch.randn(value.shape).double() * scale)
        columns = (0.8 * torch.randn(inputs).double()).exp()
        layer.weight_ih_l0.mul_(columns * 6 * (hidden / inputs) ** 0.5)
        for k in range(layers):
            getattr(layer, f"bias_hh_l{k}")[hidden : 2 * hidden] += 1
    return layer


def make_mixed_rows(time: int, batch: int, width: int) -> Tensor:
    """Rows with and without outliers in turns, rows of zeros, and tiny ones."""
    x = torch.randn(time, batch, width)
    x[::2, 0, 1] *= 20
    x[1::3] *= 1e-4
    x[2::5, -1] = 0
    x[3::4, :, 0] = 40
    return x


@pytest.mark.parametrize("spread", [1.5, 2.5])
@pytest.mark.parametrize(("inputs", "hidden"), [(40, 160), (40, 48), (65, 65)])
@torch.no_grad()
def test_stacks_keep_their_direction_where_inputs_have_outliers(
    inputs: int, hidden: int, spread: float
) -> None:
    torch.manual_seed(0)
    exact = make_trained_like(inputs, hidden, 3)
    layer = sluice.nn.LSTM(inputs, hidden, 3).eval()
    layer.load_state_dict(exact.state_dict())
    x = make_powers(120, 24, inputs, spread)
    expected = exact(x.double())[1][0][-1]
    layer.precision = "int8"
    assert layer.resolved_backend.name == "fused"
    found = layer(x)[1][0][-1].double()
    cosine = nn.functional.cosine_similarity(found, expected, dim=1)
    assert cosine.min() > 0.998, cosine


@pytest.mark.parametrize("factor", [30.0, 1e4])
@torch.no_grad()
def test_a_wide_input_with_outliers_is_within_the_bound(factor: float) -> None:
    torch.manual_seed(1)
    exact = nn.GRU(64, 80).double()
    layer = sluice.nn.GRU(64, 80).eval()
    layer.load_state_dict(exact.state_dict())
    x = torch.randn(200, 3, 64)
    x[:, 1, 7] = factor
    exact.weight_ih_l0[:, 7] /= factor
    layer.weight_ih_l0[:, 7] /= factor
    expected = exact(x.double())[0]
    layer.precision = "int8"
    error = (layer(x)[0] - expected).pow(2).mean((0, 2)) / expected.pow(2).mean((0, 2))
    assert error.sqrt().max() < 2e-2, error.sqrt()


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("hidden", [32, 208])
@torch.no_grad()
def test_each_row_is_rounded_by_itself(name: str, hidden: int) -> None:
    """A sequence alone, a stream and several threads compute what the batch computes."""
    cell: Any = CELLS[name]()
    projected = any(state.width == "projection" for state in cell.graph.states)
    layer = sluice.nn.Recurrent(cell, 48, hidden, proj_size=16 if projected else 0).eval()
    layer.precision = "int8"
    x = make_mixed_rows(13, 5, 48)
    y = layer(x)[0]
    assert y.isfinite().all()
    for b in range(5):
        assert torch.equal(layer(x[:, b : b + 1])[0], y[:, b : b + 1])
    stream = layer.stream(batch_size=5)
    assert all(torch.equal(stream(x[t]), y[t]) for t in range(13))
    try:
        extension.set_num_threads(1)
        assert torch.equal(layer(x)[0], y)
        extension.set_num_threads(3)
        assert torch.equal(layer(x)[0], y)
    finally:
        extension.set_num_threads(torch.get_num_threads())


@torch.no_grad()
def test_a_row_that_is_not_finite_concerns_its_own_sequence() -> None:
    for width in (8, 48):
        layer = sluice.nn.LSTM(width, 48).eval()
        layer.precision = "int8"
        x = torch.randn(6, 3, width)
        expected = layer(x)[0]
        for value in (float("nan"), float("inf")):
            x[2, 1, 3] = value
            y = layer(x)[0]
            assert torch.equal(y[:, [0, 2]], expected[:, [0, 2]])
            assert torch.equal(y[:2, 1], expected[:2, 1]) and not torch.equal(y[2], expected[2])
            assert y[2:, 1].isnan().any() == (value != value)
