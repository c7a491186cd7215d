"""`clamp`: every named value of every cell, on the kernels against a loop that replaces it."""

from __future__ import annotations

import pytest
import torch

import sluice
from cell_list import CELLS, SIZES
from sampling import thin_out
from sluice.cells import LSTM, MGU, clamp_gates, clamp_units


@pytest.mark.parametrize("name", thin_out(CELLS, 3))
def test_clamping_every_named_value_of_every_cell(name: str) -> None:
    cell, x = CELLS[name](), torch.randn(4, 2, SIZES.input).double()
    projected = any(state.width == "projection" for state in cell.graph.states)
    proj_size = SIZES.projection if projected else 0
    plain = sluice.nn.Recurrent(cell, SIZES.input, SIZES.hidden, proj_size=proj_size)
    for value in cell.graph.outputs_by_name:
        holding = clamp_gates(cell, **{value: 0.25})
        layer = sluice.nn.Recurrent(holding, SIZES.input, SIZES.hidden, proj_size=proj_size)
        layer.load_state_dict(plain.state_dict())  # a trained layer's weights fit
        layer.double().eval()
        with sluice.record(layer) as tape:
            layer(x)[0].square().sum().backward()
        assert tape.backend == "fused" and bool((tape[""][value] == 0.25).all())
        fused = [parameter.grad for parameter in layer.parameters()]
        layer.zero_grad()
        layer.backend = "reference"
        with sluice.record(layer) as other:
            layer(x)[0].square().sum().backward()
        for each in tape[""].layers["l0"]:
            torch.testing.assert_close(tape[""][each], other[""][each])
        for a, b in zip(fused, layer.parameters(), strict=True):
            torch.testing.assert_close(a, torch.zeros_like(a) if b.grad is None else b.grad)


@pytest.mark.parametrize("name", thin_out(CELLS, 3, 1))
def test_clamping_single_units_of_every_cell(name: str) -> None:
    """Clamping all units, none, and one of them."""
    cell, x = CELLS[name](), torch.randn(4, 2, SIZES.input).double()
    projected = any(state.width == "projection" for state in cell.graph.states)
    sizes = (SIZES.input, SIZES.hidden)
    options = {"proj_size": SIZES.projection if projected else 0}
    plain = sluice.nn.Recurrent(cell, *sizes, **options).double().eval()
    layer = sluice.nn.Recurrent(clamp_units(cell, *cell.graph.outputs_by_name), *sizes, **options)
    missing = layer.double().eval().load_state_dict(plain.state_dict(), strict=False).missing_keys
    assert missing == [
        f"{part}_{v}_l0" for v in cell.graph.outputs_by_name for part in ("held", "at")
    ]
    layer.requires_grad_(False)
    torch.testing.assert_close(layer(x)[0], plain(x)[0], rtol=0, atol=0)
    for value in cell.graph.outputs_by_name:
        held, at = (getattr(layer, f"{part}_{value}_l0") for part in ("held", "at"))
        at.fill_(0.25), held.fill_(1.0)
        with plain.swap_cell(clamp_gates(cell, **{value: 0.25})):
            plain.backend = "reference"
            torch.testing.assert_close(layer(x)[0], plain(x)[0])
        held[1:] = 0.0
        with sluice.record(layer) as tape:
            fused, _ = layer(x)
        assert tape.backend == "fused" and bool((tape[""][value][..., 0] == 0.25).all())
        layer.backend = "reference"
        torch.testing.assert_close(fused, layer(x)[0])
        layer.backend = None
        held.fill_(0.0)


def test_clamping_acts_on_the_value_with_that_name() -> None:
    layer, x = sluice.nn.Recurrent(clamp_gates(MGU, forget=0.25), 3, 4), torch.randn(1, 2, 3)
    h = torch.randn(1, 2, 4)
    y, _ = layer(x, h)
    weights, biases = layer.weight_ih_l0, layer.bias_ih_l0 + layer.bias_hh_l0
    recurrent = layer.weight_hh_l0[4:] @ (0.25 * h[0]).T
    candidate = torch.tanh(x[0] @ weights[4:].T + biases[4:] + recurrent.T)
    torch.testing.assert_close(y[0], 0.75 * h[0] + 0.25 * candidate)


def test_a_gate_that_is_not_finite_can_be_clamped() -> None:
    layer = sluice.nn.Recurrent(clamp_gates(LSTM, forget=1.0), 3, 4)
    with torch.no_grad():
        layer.bias_ih_l0[4:8] = float("nan")
    assert bool(layer(torch.randn(5, 2, 3))[0].isfinite().all())


def test_invalid_clamps_are_refused() -> None:
    with pytest.raises(ValueError, match=r"LSTM has no value 'froget'; its values are h, c, inp"):
        clamp_gates(LSTM, froget=1.0)
    with pytest.raises(ValueError, match=r"LSTM has no value 'froget'; its values are h, c, inp"):
        clamp_units(LSTM, "froget")
    with pytest.raises(ValueError, match="the value of 'forget' must be a finite number, got inf"):
        clamp_gates(LSTM, forget=float("inf"))
