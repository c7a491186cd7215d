"""Layers that read from the end alone, and two directions of different cells."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import sluice

T, B, X, H = 6, 4, 3, 5


@pytest.mark.parametrize("backend", [None, "reference", "native"])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_reverse_is_a_forward_layer_of_the_reversed_input(kind: str, backend: str | None) -> None:
    theirs = getattr(nn, kind)(X, H, 2, batch_first=True)
    ours = getattr(sluice.nn, kind)(X, H, 2, batch_first=True, reverse=True)
    ours.load_state_dict(theirs.state_dict())  # the names are those of any layer
    ours.backend = backend
    x = torch.randn(B, T, X, requires_grad=True)

    def run(layer: Any, is_reversed: bool) -> list[torch.Tensor]:
        y, last = layer(x.flip(1) if is_reversed else x)
        y = y.flip(1) if is_reversed else y
        results = [y, *(last if isinstance(last, tuple) else (last,))]
        loss = sum((torch.linspace(-1, 2, t.numel()).view(t.shape) * t).sum() for t in results)
        return [*results, *torch.autograd.grad(loss, [x, *layer.parameters()])]

    for a, b in zip(run(ours, False), run(theirs, True), strict=True):
        torch.testing.assert_close(a, b, rtol=2e-4, atol=2e-5)
    assert "reverse" in repr(sluice.nn.Recurrent(sluice.cells.MGU, 3, 4, reverse=True))


def test_reverse_is_the_second_direction_of_a_bidirectional_layer() -> None:
    both, alone = sluice.nn.GRU(X, H, bidirectional=True), sluice.nn.GRU(X, H, reverse=True)
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    alone.load_state_dict({n: both.state_dict()[f"{n}_reverse"] for n in names})
    x, resets = torch.randn(T, B, X), torch.rand(T, B) < 0.3
    for options in ({}, {"lengths": [6, 0, 3, 1]}, {"resets": resets}):
        assert torch.equal(alone(x, **options)[0], both(x, **options)[0][..., H:])
    packed = pack_padded_sequence(x, torch.tensor([2, 6, 1, 4]), enforce_sorted=False)
    assert torch.equal(alone(packed)[0].data, both(packed)[0].data[:, H:])
    for copied in (copy.deepcopy(alone), pickle.loads(pickle.dumps(alone))):
        assert torch.equal(copied(x)[0], alone(x)[0])
    with sluice.record(alone) as tape:
        y, _ = alone(x)
    assert torch.equal(tape.layer(0).h, y)


def test_what_reads_from_the_end_cannot() -> None:
    layer = sluice.nn.LSTM(X, H, reverse=True)
    with pytest.raises(ValueError, match="reads from the end"):
        layer.stream()
    with pytest.raises(ValueError, match="leave reverse= out"):
        sluice.nn.LSTM(X, H, reverse=True, bidirectional=True)
    with pytest.raises(ValueError, match="reading from the end alone"):
        sluice.nn.convert(layer, to="torch")
    assert layer.resolved_backend.name != "native"


def test_directions_of_different_cells() -> None:
    forward, reverse = sluice.nn.LSTM(X, H, 2), sluice.nn.GRU(X, 7, reverse=True)
    both, x = sluice.nn.Bidirectional(forward, reverse), torch.randn(T, B, X)
    states = (forward(x)[1], reverse(x)[1])
    marks: dict[str, Any] = {"lengths": [6, 0, 3, 1], "mask": torch.rand(T, B) < 0.7}
    y, (last, end) = both(x, states, **marks)
    a, a_last = forward(x, states[0], **marks)
    b, b_end = reverse(x, states[1], **marks)
    assert torch.equal(y, torch.cat([a, b], -1)) and torch.equal(end, b_end)
    assert all(torch.equal(p, q) for p, q in zip(last, a_last, strict=True))
    packed = pack_padded_sequence(x, torch.tensor([2, 6, 1, 4]), enforce_sorted=False)
    assert both(packed)[0].data.shape == (13, H + 7)
    for layers, message in (
        ((reverse, reverse), "from the start alone"),
        ((forward, forward), "reverse=True"),
        ((sluice.nn.GRU(X, 2, batch_first=True), reverse), "the same batch_first"),
        ((sluice.nn.GRU(X + 1, 2), reverse), "the same input"),
    ):
        with pytest.raises(ValueError, match=message):
            sluice.nn.Bidirectional(*layers)
