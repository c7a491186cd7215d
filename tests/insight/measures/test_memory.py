"""Memory against closed forms: gates held at a constant, shift registers."""

from __future__ import annotations

import math

import pytest
import torch

import sluice
from insight.plain_cells import shift_register
from sluice.insight import (
    connectivity,
    memory_capacity,
    memory_length,
    saturation,
    timescale_distribution,
    timescales,
)


def test_the_timescale_of_a_gate_at_a_constant_is_that_of_its_cell() -> None:
    layer = sluice.nn.LSTM(3, 2).double()
    for parameter in layer.parameters():
        torch.nn.init.zeros_(parameter)
    keeps = torch.tensor([0.5, 0.98], dtype=torch.float64)
    with torch.no_grad():
        layer.bias_ih_l0[2:4] = torch.logit(keeps)
        with sluice.record(layer) as tape:
            c = torch.ones(1, 1, 2).double()
            layer(torch.randn(40, 1, 3).double(), (torch.zeros_like(c), c))
    found = timescales(tape.forget)
    torch.testing.assert_close(found, torch.tensor([1 / math.log(2), -1 / math.log(0.98)]).double())
    steps = torch.arange(1, 41).double().unsqueeze(-1)
    torch.testing.assert_close(tape.c[:, 0], torch.exp(-steps / found))  # nothing is written


def test_timescales_at_the_ends_and_with_lengths() -> None:
    forget = torch.tensor([[[0.0, 1.0, 0.5]], [[0.0, 1.0, 1.0]]])
    found = timescales(forget)
    assert found.tolist() == [0.0, math.inf, -1 / math.log(0.75)]
    ragged = torch.tensor([[[0.5], [0.25]], [[0.5], [0.0]]])  # the second is of length 1
    expected = -1 / math.log((0.5 + 0.5 + 0.25) / 3)
    assert timescales(ragged, torch.tensor([2, 1])).item() == pytest.approx(expected)
    with pytest.raises(ValueError, match="every sequence has length 0"):
        timescales(ragged, torch.tensor([0, 0]))
    with pytest.raises(ValueError, match="between 0 and 1"):
        timescales(torch.tensor([[[1.5]]]))
    with pytest.raises(ValueError, match="between 0 and 1"):
        timescales(torch.tensor([[[float("nan")]]]))


def test_the_distribution_counts_every_unit() -> None:
    units = torch.tensor([0.0, 0.2, 1.0, 3.0, 99.0, 1e6, math.inf])
    counts, edges = timescale_distribution(units, bins=3, shortest=0.1, longest=100.0)
    assert counts.tolist() == [2, 2, 3] and edges.tolist() == pytest.approx([0.1, 1, 10, 100])
    with pytest.raises(ValueError, match="0 < shortest < longest"):
        timescale_distribution(units, shortest=5.0, longest=5.0)


def test_saturation_is_a_share_of_time() -> None:
    gate = torch.tensor([[[0.05, 0.95]], [[0.2, 0.91]], [[0.0, 0.0]]])
    found = saturation(gate, lengths=torch.tensor([2]))
    assert found.low.tolist() == [0.5, 0.0] and found.high.tolist() == [0.0, 1.0]
    other = saturation(gate, low=0.3, high=0.93)
    assert other.low.tolist() == pytest.approx([1.0, 1 / 3])
    assert other.high.tolist() == pytest.approx([0.0, 1 / 3])
    with pytest.raises(ValueError, match="low must be below high"):
        saturation(gate, 0.9, 0.1)


def test_the_capacity_of_a_shift_register_is_its_length() -> None:
    layer, u = shift_register(6), torch.rand(3000).double() - 0.5
    with torch.no_grad(), sluice.record(layer) as tape:
        layer(u[:, None, None])
    found = memory_capacity(tape.h[:, 0], u, delays=10)
    torch.testing.assert_close(found[:6], torch.ones(6).double())
    assert bool((found[6:] < 0.02).all())
    with pytest.raises(ValueError, match="leave 5 to fit 7 weights and 5 to judge"):
        memory_capacity(tape.h[:110, 0], u[:110], delays=10)
    with pytest.raises(ValueError, match=r"the signal \(time,\)"):
        memory_capacity(tape.h, u, delays=10)


def test_a_readout_is_judged_on_steps_that_it_has_not_seen() -> None:
    noise, u = torch.randn(300, 90), torch.rand(300) - 0.5  # fits noise almost perfectly
    assert memory_capacity(noise, u, delays=3, warm_up=100).max() < 0.2


def test_how_far_back_a_shift_register_reaches() -> None:
    layer, x = shift_register(3), torch.randn(7, 2, 1).double().requires_grad_()
    logits = layer(x)[0].sum(-1, keepdim=True)
    influence = connectivity(logits, x, torch.zeros(7, 2, dtype=torch.long))
    found = memory_length(influence)
    assert found.tolist() == [[min(t, 2)] * 2 for t in range(7)]
    assert bool((memory_length(influence * 0) == -1).all())
    faint = torch.tensor([[1.0, 9.0], [0.05, 1.0]]).unsqueeze(-1)  # later steps do not count
    assert memory_length(faint, 0.1).flatten().tolist() == [0, 0]
    assert memory_length(faint, 0.05).flatten().tolist() == [0, 1]
    with pytest.raises(ValueError, match="as many rows as columns"):
        memory_length(influence[::2])
    with pytest.raises(ValueError, match="threshold"):
        memory_length(influence, 0.0)
