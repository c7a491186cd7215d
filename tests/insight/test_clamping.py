"""Clamped gates in a trained layer, against a hand-written LSTM; the layer is restored."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import sluice
from sluice.insight import clamp_gates, clamp_units
from sluice.run.kernels import extension


def lstm_by_hand(layer: Any, x: Tensor, forget: float) -> Tensor:
    h = c = x.new_zeros(x.shape[1], layer.hidden_size)
    found = []
    for row in x:
        a = row @ layer.weight_ih_l0.T + layer.bias_ih_l0 + h @ layer.weight_hh_l0.T
        i, _, g, o = (a + layer.bias_hh_l0).chunk(4, dim=-1)
        c = forget * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        found.append(h)
    return torch.stack(found)


@pytest.mark.filterwarnings("ignore:the reference runs, a slow loop")
@pytest.mark.parametrize("backend", ["fused", "reference", "without kernels"])
def test_an_open_forget_gate(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = sluice.nn.LSTM(3, 5).double(), torch.randn(6, 2, 3).double()
    plain = layer(x)[0]
    if backend == "without kernels":
        monkeypatch.setattr(extension, "load_extension", lambda: None)
    layer.backend = "reference" if backend == "reference" else None
    before, own = dict(vars(layer)), layer.resolved_backend.name
    with clamp_gates(layer, forget=0.75), sluice.record(layer) as tape:
        y, _ = layer(x)
    assert bool((tape.forget == 0.75).all()) and tape.backend in backend + "reference"
    torch.testing.assert_close(y, lstm_by_hand(layer, x, 0.75))
    assert layer.resolved_backend.name == own and vars(layer).keys() - {"native"} == before.keys()
    torch.testing.assert_close(layer(x)[0], plain)
    upstream = torch.randn_like(y)
    names = [name for name, _ in layer.named_parameters()]
    ours = torch.autograd.grad((y * upstream).sum(), layer.parameters())
    hand = lstm_by_hand(layer, x, 0.75)
    theirs = torch.autograd.grad((hand * upstream).sum(), layer.parameters())
    for name, a, b in zip(names, ours, theirs, strict=True):
        torch.testing.assert_close(a, b, msg=name)
        assert bool((a[5:10] == 0).all())


def test_within_a_model_and_after_an_exception() -> None:
    model = torch.nn.ModuleDict({"encoder": sluice.nn.GRU(3, 4, num_layers=2, bidirectional=True)})
    layer, x = model["encoder"], torch.randn(5, 2, 3)
    cell = layer.cell
    with pytest.raises(ZeroDivisionError), clamp_gates(layer, update=1.0):
        assert bool((layer(x)[0] == 0).all())  # the first state is kept
        _ = 1 / 0
    assert layer.cell is cell and bool((layer(x)[0] != 0).any())
    with pytest.raises(
        ValueError, match="GRU has no value 'forget'; its values are h, reset, update"
    ):
        clamp_gates(layer, forget=1.0).__enter__()
    with pytest.raises(ValueError, match="Elman has other parameters or states than GRU"):
        layer.swap_cell(sluice.cells.Elman()).__enter__()


@pytest.mark.parametrize("cell", [sluice.nn.LSTM, sluice.nn.GRU, sluice.nn.RNN])
def test_a_silenced_unit_equals_zero_outgoing_weights(cell: Any) -> None:
    layer, x = cell(3, 6, num_layers=2).double(), torch.randn(7, 2, 3).double()
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    plain, silent = layer(x)[0], [1, 4]
    states = dict.fromkeys((state.name for state in layer.cell.graph.states), 0.0)
    with clamp_units(layer, states, silent, layer=0):
        y, _ = layer(x)
        stream = layer.stream(batch_size=2)
        streamed = torch.stack([stream(row) for row in x])
    torch.testing.assert_close(streamed, y)
    other = getattr(torch.nn, cell.__name__)(3, 6, num_layers=2).double()
    other.load_state_dict(before)
    with torch.no_grad():
        other.weight_hh_l0[:, silent] = 0.0
        other.weight_ih_l1[:, silent] = 0.0
    torch.testing.assert_close(y, other(x)[0])
    assert not torch.allclose(y, plain)
    after = layer.state_dict()
    assert list(after) == list(before) and all(torch.equal(after[n], before[n]) for n in before)
    assert torch.equal(layer(x)[0], plain) and not hasattr(layer, "held_h_l0")


def test_each_unit_at_a_value_of_its_own_in_one_direction() -> None:
    layer, x = sluice.nn.LSTM(3, 4, bidirectional=True), torch.randn(5, 2, 3)
    at = torch.tensor([0.1, 0.2, 0.3, 0.4])
    with clamp_units(layer, {"forget": at}, layer=0, reverse=True), sluice.record(layer) as tape:
        layer(x)
    assert bool((tape.layer(0, reverse=True).forget == at).all())
    assert not bool((tape.layer(0).forget == at).any())
    for wrong in (dict(layer=1), dict(layer=-1)):
        with pytest.raises(IndexError, match="one of the 1 layers of the module"):
            clamp_units(layer, {"h": 0.0}, **wrong).__enter__()
    with pytest.raises(IndexError, match="got layer 0 in reverse"):
        clamp_units(sluice.nn.GRU(3, 4), {"h": 0.0}, layer=0, reverse=True).__enter__()
    with pytest.raises(ValueError, match="has no value 'update'"):
        clamp_units(layer, {"update": 0.0}).__enter__()
    with pytest.raises(IndexError):
        clamp_units(layer, {"h": 0.0}, [4]).__enter__()
