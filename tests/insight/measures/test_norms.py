"""Norms and what rests on them, for numbers whose squares floats cannot hold."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from torch import Tensor

import sluice
from sluice import insight
from sluice.insight.measures.norms import compute_norm, compute_total_norm

SCALES = {
    torch.float32: (1e-42, 1e-38, 1e-24, 1.0, 1e20, 1e37),
    torch.float64: (1e-320, 1e-200, 1e-24, 1e200, 1e307),
    torch.bfloat16: (1e-38, 1e-24, 1e20, 1e37),
    torch.float16: (1e-7, 1.0, 1e4),
}
CASES = [(dtype, scale) for dtype, scales in SCALES.items() for scale in scales]


def exact_norm(values: list[float]) -> float:
    """In rational numbers, with the root taken of what has been brought near 1."""
    largest = Fraction(max(map(abs, values)))
    total = sum((Fraction(v) / largest) ** 2 for v in values)
    return float(largest * Fraction(math.sqrt(total)))


@pytest.mark.parametrize(("dtype", "scale"), CASES)
def test_a_norm_is_exact_at_any_size(dtype: torch.dtype, scale: float) -> None:
    values = (torch.rand(2, 7, dtype=torch.float64) * scale).to(dtype)
    expected = [exact_norm(row) for row in values.double().tolist()]
    assert compute_norm(values).tolist() == pytest.approx(expected, rel=1e-12, abs=1e-323)
    whole = exact_norm(values.double().flatten().tolist())
    assert compute_total_norm(values) == pytest.approx(whole, rel=1e-12, abs=1e-323)
    assert compute_norm(values, (0, 1)).item() == pytest.approx(whole, rel=1e-12, abs=1e-323)


def test_norms_of_nothing_infinity_and_nan() -> None:
    assert compute_norm(torch.zeros(3, 0)).tolist() == [0, 0, 0] and compute_total_norm([]) == 0
    odd = torch.tensor([[0.0, 0.0], [1.0, math.inf], [1.0, math.nan]], dtype=torch.float64)
    assert str(compute_norm(odd).tolist()) == "[0.0, inf, nan]"


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [
        *((torch.float32, scale) for scale in (1e-37, 1e-24, 1e20, 1e36)),
        *((torch.float64, scale) for scale in (1e-200, 1e200)),
    ],
)
def test_measures_of_gradients_scale_with_the_loss(dtype: torch.dtype, scale: float) -> None:
    layer = sluice.nn.LSTM(3, 5).to(dtype)
    x = torch.randn(4, 2, 3, dtype=dtype, requires_grad=True)

    def measure(factor: float) -> dict[str, Tensor]:
        layer.zero_grad()
        with sluice.record(layer, maps=True) as tape:
            y, _ = layer(x)
        losses = factor * y.sum(-1)
        found = {"each": insight.gradients_per_loss(tape.layer(0), losses)}
        found["influence"] = insight.connectivity(factor * y, x, torch.zeros(4, 2).long())
        losses.sum().backward()
        found |= insight.step_weight_gradients(tape).norms
        return found | {"flow": insight.gradient_flow(tape.layer(0), "c")}

    plain, scaled = measure(1.0), measure(scale)
    for name, found in scaled.items():
        assert found.dtype == torch.float64
        torch.testing.assert_close(found / scale, plain[name], rtol=1e-4, atol=1e-9, msg=name)
    lags = insight.memory_length(scaled["influence"].to(dtype))
    assert lags.tolist() == insight.memory_length(plain["influence"].to(dtype)).tolist()


@pytest.mark.parametrize(("dtype", "scale"), [case for case in CASES if case[1] > 1e-300])
def test_what_units_encode_does_not_depend_on_their_size(dtype: torch.dtype, scale: float) -> None:
    values = (torch.randn(300, 4, dtype=torch.float64) * scale).to(dtype)
    wide = values.double() / scale
    labels = wide @ torch.tensor([1.0, 0, -2, 0.5]).double() + 0.3 * torch.randn(300).double()
    expected = torch.corrcoef(torch.cat([labels[None], wide.T]))[0, 1:]
    units, r = insight.find_correlated_units(values, labels)
    torch.testing.assert_close(r, expected[units], rtol=1e-8, atol=1e-10)
    sizes = (1.0,) if dtype == torch.float64 else (1.0, 1e-200, 1e200)
    for property in ((labels > 0).long(), *(labels * size for size in sizes)):
        found = insight.probe(values, property)
        alike = insight.probe(wide, labels if property.is_floating_point() else property)
        assert found.score == pytest.approx(alike.score, abs=1e-4) and found.score > 0.8
        assert found.control == pytest.approx(alike.control, abs=1e-4)
    signal = wide[:, 0] + wide[:, 1].roll(1)
    capacity = insight.memory_capacity(values, signal, 3, warm_up=5)
    other = insight.memory_capacity(wide, signal, 3, warm_up=5)
    torch.testing.assert_close(capacity, other, rtol=1e-3, atol=1e-6)


def test_constant_columns_follow_nothing() -> None:
    values = torch.stack([torch.full((90,), 0.1), torch.arange(90.0)], dim=1)
    units, r = insight.find_correlated_units(values, torch.full((90,), 0.7))
    assert r.tolist() == [0.0, 0.0] and sorted(units.tolist()) == [0, 1]


def test_products_reach_beyond_the_range_of_floats() -> None:
    growing = torch.diag(torch.tensor([1e200, 2e199], dtype=torch.float64)).expand(2, 1, 2, 2)
    shrinking = torch.diag(torch.tensor([1e-200, 1e-200], dtype=torch.float64)).expand(3, 1, 2, 2)
    found = insight.product_singular_values(torch.cat([growing, shrinking]))[:, 0]
    assert found[1].tolist() == [math.inf, math.inf]  # 1e400
    assert found[3].tolist() == pytest.approx([1.0, 0.04])
    assert found[4].tolist() == pytest.approx([1e-200, 4e-202], rel=1e-10, abs=0)
    half = torch.full((200, 1, 1), 0.5)
    assert insight.forget_product(half)[0].item() == 2.0**-199
    assert insight.forget_product(half.bfloat16())[0].item() == 2.0**-199


def test_jacobians_of_a_state_that_explodes() -> None:
    layer = sluice.nn.RNN(1, 3, nonlinearity="relu").double()
    with torch.no_grad():
        for weight in layer.parameters():
            weight.zero_()
        layer.bias_ih_l0.fill_(1.0)
        layer.weight_hh_l0.copy_(1e60 * torch.eye(3).double())
    jacobians = insight.step_jacobians(layer, torch.zeros(5, 1, 1))
    found = insight.product_singular_values(jacobians)[:, 0, 0]
    assert found.log10().tolist() == pytest.approx([60, 120, 180, 240, 300])
