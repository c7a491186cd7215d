"""A held gate in a trained layer, against an LSTM written by hand; the layer is itself after."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import sluice
from sluice.insight import held
from sluice.run import kernels


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
        monkeypatch.setattr(kernels, "load", lambda: None)
    layer.prefer = "reference" if backend == "reference" else None
    before, own = dict(vars(layer)), layer.backend.name
    with held(layer, forget=0.75), sluice.record(layer) as tape:
        y, _ = layer(x)
    assert bool((tape.forget == 0.75).all()) and tape.backend in backend + "reference"
    torch.testing.assert_close(y, lstm_by_hand(layer, x, 0.75))
    assert layer.backend.name == own and vars(layer).keys() - {"native"} == before.keys()
    torch.testing.assert_close(layer(x)[0], plain)
    upstream = torch.randn_like(y)
    names = [name for name, _ in layer.named_parameters()]
    ours = torch.autograd.grad((y * upstream).sum(), layer.parameters())
    hand = lstm_by_hand(layer, x, 0.75)
    theirs = torch.autograd.grad((hand * upstream).sum(), layer.parameters())
    for name, a, b in zip(names, ours, theirs, strict=True):
        torch.testing.assert_close(a, b, msg=name)
        assert bool((a[5:10] == 0).all())


def test_within_a_model_and_when_something_goes_wrong() -> None:
    model = torch.nn.ModuleDict({"encoder": sluice.nn.GRU(3, 4, num_layers=2, bidirectional=True)})
    layer, x = model["encoder"], torch.randn(5, 2, 3)
    cell = layer.cell
    with pytest.raises(ZeroDivisionError), held(layer, update=1.0):
        assert bool((layer(x)[0] == 0).all())  # the first state is kept
        _ = 1 / 0
    assert layer.cell is cell and bool((layer(x)[0] != 0).any())
    with pytest.raises(ValueError, match="GRU names h, reset, update, candidate, and no 'forget'"):
        held(layer, forget=1.0).__enter__()
    with pytest.raises(ValueError, match="Elman has other parameters or states than GRU"):
        layer.running(sluice.cells.Elman()).__enter__()
