"""Tensors that are more than their memory, and objects that stand for tensors."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils._per_sample_grad import call_for_per_sample_grads

import sluice

T, B, X, H = 5, 3, 4, 6


def negate_lazily(tensor: Tensor) -> Tensor:
    """The same numbers, whose memory holds their negatives."""
    lazy = torch._neg_view(-tensor.detach())
    assert lazy.is_neg() and torch.equal(lazy, tensor)
    return lazy


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "PeepholeLSTM"])
def test_the_negative_bit_of_every_tensor(kind: str) -> None:
    """Of the input, states, parameters and gradients, as of the imaginary part of a conjugate."""
    make: Any = getattr(sluice.nn, kind, None)
    layer = make(X, H, 2) if make else sluice.nn.Recurrent(getattr(sluice.cells, kind), X, H, 2)
    x, states = torch.randn(T, B, X), [torch.randn(2, B, H) for _ in layer.cell.graph.states]
    lazy = copy.deepcopy(layer)
    for name, parameter in layer.named_parameters():
        setattr(lazy, name, nn.Parameter(negate_lazily(parameter)))

    def run(layer: Any, x: Tensor, states: list[Tensor], change: Any, **marks: Any) -> list[Tensor]:
        x, *states = (t.detach().requires_grad_() for t in (x, *states))
        y, last = layer(x, tuple(states) if len(states) > 1 else states[0], **marks)
        results = [y, *(last if isinstance(last, tuple) else (last,))]
        given = [change(torch.linspace(-1, 2, t.numel()).view(t.shape)) for t in results]
        return [*results, *torch.autograd.grad(results, [x, *states, *layer.parameters()], given)]

    for marks in ({}, {"lengths": [5, 2, 0]}):
        expected = run(layer, x, states, lambda t: t, **marks)
        found = run(
            lazy, negate_lazily(x), list(map(negate_lazily, states)), negate_lazily, **marks
        )
        for a, b in zip(found, expected, strict=True):
            assert torch.equal(a, b)
    part = torch.complex(torch.zeros_like(x), -x).conj().imag
    assert part.is_neg() and torch.equal(layer(part)[0], layer(x)[0])
    ours, theirs = lazy.stream(B), layer.stream(B)
    for step in x:
        assert torch.equal(ours(negate_lazily(step)), theirs(step))


def test_the_negative_bit_in_one_step_cells_and_attention() -> None:
    cell, x, h = sluice.nn.GRUCell(X, H), torch.randn(B, X), torch.randn(B, H)
    assert torch.equal(cell(negate_lazily(x), negate_lazily(h)), cell(x, h))
    attention = sluice.nn.AdditiveAttention(H, X)
    queries, memory = torch.randn(2, B, H), torch.randn(T, B, X)
    found = attention(negate_lazily(queries), negate_lazily(memory))
    for a, b in zip(found, attention(queries, memory), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("kind", ["GRU", "RNN"])
def test_per_sample_gradients_of_torch(kind: str) -> None:
    theirs = getattr(nn, kind)(X, H, batch_first=True)
    ours = getattr(sluice.nn, kind)(X, H, batch_first=True)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(B, T, X)
    for layer in (theirs, ours):
        y = call_for_per_sample_grads(layer, batch_size=B, loss_reduction="sum")(x)[0]
        y.square().sum().backward()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a.grad_sample, b.grad_sample, rtol=1e-5, atol=1e-6)
    own = sluice.nn.Recurrent(sluice.cells.MGU, X, H, batch_first=True)
    with pytest.raises(TypeError, match=r"per-sample gradients .* torch.func.vmap of torch.func"):
        call_for_per_sample_grads(own, batch_size=B, loss_reduction="sum")(x)


class Duck:
    """What has ``__torch_function__`` and is no tensor."""

    def __init__(self, data: Tensor) -> None:
        self.data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["data"], name)

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        def strip(value: Any) -> Any:
            if isinstance(value, tuple | list):
                return type(value)(map(strip, value))
            return value.data if isinstance(value, Duck) else value

        return function(*strip(args), **(kwargs or {}))


def test_objects_that_stand_for_tensors() -> None:
    theirs, ours, x = nn.GRU(X, H), sluice.nn.GRU(X, H), torch.randn(T, B, X)
    ours.load_state_dict(theirs.state_dict())
    given: Any = Duck(x)
    torch.testing.assert_close(ours(given)[0], theirs(x)[0])
    with pytest.raises(TypeError, match=r"lengths=, .*; give plain tensors"):
        ours(given, lengths=[5, 2, 0])
    own = sluice.nn.Recurrent(sluice.cells.MGU, X, H)
    with pytest.raises(TypeError, match="the cell MGU; give plain tensors"):
        own(given)
