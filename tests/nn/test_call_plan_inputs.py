"""Packed batches, given and learned states, and second derivatives between two calls of a layer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence

import sluice
from same_as_torch import check, rebuild
from sampling import thin_out
from sluice.run.kernels import extension

pytestmark = pytest.mark.skipif(extension.load_extension() is None, reason="kernels have plans")


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}], ids=str)
@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
def test_packed_batches_between_calls(name: str, options: dict[str, Any]) -> None:
    layer = getattr(sluice.nn, name)(3, 5, **options)
    check(layer)
    theirs, x = rebuild(layer), torch.randn(6, 4, 3)
    places = 4 if options else 1
    for lengths, is_given in (([2, 6, 1, 4], False), ([2, 6, 1, 4], True), ([6, 6, 6, 6], True)):
        packed = pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
        results = []
        for one in (layer, theirs):
            h = torch.linspace(-1, 1, places * 20).view(places, 4, 5).requires_grad_()
            hx = ((h, h * 2) if name == "LSTM" else h) if is_given else None
            data = packed.data.clone().requires_grad_()
            output, last = one(packed._replace(data=data), hx)
            assert output.unsorted_indices is packed.unsorted_indices
            found = [output.data, *(last if name == "LSTM" else (last,))]
            upstream = [torch.linspace(-1, 2, t.numel()).view(t.shape) for t in found]
            inputs = [data, *([h] if is_given else []), *one.parameters()]
            results.append([*found, *torch.autograd.grad(found, inputs, upstream)])
        for mine, other in zip(*results, strict=True):
            torch.testing.assert_close(mine, other, rtol=2e-4, atol=2e-5)
    check(layer)


def test_learned_states_that_change_are_seen() -> None:
    layer = sluice.nn.LSTM(3, 5, num_layers=2, bidirectional=True, learn_initial_state=True)
    x = torch.randn(4, 2, 3)
    for _ in range(2):
        with torch.no_grad():
            for name in (n for place in layer._places for n in place.initial_state_names):
                getattr(layer, name).uniform_(-1, 1)
        results = []
        for backend in (None, "reference"):
            layer.backend = backend
            y, (h, c) = layer(x)
            loss = (y * torch.linspace(-1, 2, y.numel()).view(y.shape)).sum() + (h - 2 * c).sum()
            results.append([y, h, c, *torch.autograd.grad(loss, list(layer.parameters()))])
        for mine, other in zip(*results, strict=True):
            torch.testing.assert_close(mine, other, rtol=2e-4, atol=2e-5)
    layer.backend = None
    given = torch.zeros(4, 2, 5)
    y, _ = layer(x, (given, given))
    found = torch.autograd.grad(y.sum(), layer.get_parameter("initial_h_l0"))
    assert torch.equal(found[0], torch.zeros(5))


def test_states_that_begin_elsewhere_than_at_zero() -> None:
    class Offset(sluice.Cell):
        h = sluice.State(initial=0.5)
        update = sluice.Gate()

        def step(self, x: Any, h: Any) -> dict[str, Any]:
            return {"h": sluice.tanh(self.update(x, h))}

    layer = sluice.nn.Recurrent(Offset, 3, 5, num_layers=2)
    x = torch.randn(4, 2, 3)
    for _ in range(2):
        y = layer(x)[0]
        layer.backend = "reference"
        torch.testing.assert_close(y, layer(x)[0], rtol=1e-5, atol=2e-6)
        layer.backend = None


@pytest.mark.parametrize("name", thin_out(["LSTM", "GRU", "RNN"], 3))
def test_gradients_of_gradients(name: str) -> None:
    layer = getattr(sluice.nn, name)(2, 3).double()
    x = torch.randn(3, 2, 2, dtype=torch.float64, requires_grad=True)
    h = torch.randn(1, 2, 3, dtype=torch.float64, requires_grad=True)

    def call(x: Tensor, h: Tensor, *weights: Tensor) -> Any:
        y, last = layer(x, (h, h * 0.5) if name == "LSTM" else h)
        return (y, *last) if name == "LSTM" else (y, last)

    assert torch.autograd.gradcheck(call, (x, h, *layer.parameters()))
    assert torch.autograd.gradgradcheck(call, (x, h, *layer.parameters()))
    lengths = torch.tensor([2, 3])

    def call_packed(x: Tensor, *weights: Tensor) -> Any:
        return layer(pack_padded_sequence(x, lengths, enforce_sorted=False))[0].data

    assert torch.autograd.gradgradcheck(call_packed, (x, *layer.parameters()))
