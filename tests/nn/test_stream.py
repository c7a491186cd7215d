"""A layer one step at a time."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch

import sluice
from cell_list import CELLS
from sluice.cells import SLSTM, LayerNormLSTM, ResetBeforeGRU, recurrent_dropout, zoneout
from sluice.nn import Recurrent
from sluice.run.kernels import extension

LAYERS: list[Any] = [
    lambda: sluice.nn.LSTM(3, 4, 2, learn_initial_state=True),
    lambda: sluice.nn.LSTM(3, (4, 6), output_size=2, output_activation="tanh"),
    lambda: sluice.nn.LSTM(3, 4, proj_size=2, bias=False),
    lambda: Recurrent(zoneout(recurrent_dropout(LayerNormLSTM(), 0.3), c=0.2), 3, 4),
    lambda: Recurrent(SLSTM(2), 3, 4),
    lambda: Recurrent(ResetBeforeGRU, 3, 4, dtype=torch.float64),
]
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported")


@pytest.mark.parametrize("make", LAYERS)
def test_steps_are_the_layer_in_evaluation(make: Any) -> None:
    layer = make()
    stream = layer.stream(batch_size=2)
    dtype = next(layer.parameters()).dtype
    x = torch.randn(5, 2, 3, dtype=dtype)
    y = torch.stack([stream(step) for step in x])
    torch.testing.assert_close(y, layer.eval()(x)[0].detach(), rtol=1e-5, atol=1e-6)
    out = torch.full_like(y[0], float("nan"))
    stream.reset()
    assert stream(x[0], out=out) is out
    torch.testing.assert_close(out, y[0])


def test_reset_of_some_rows_and_saved_states() -> None:
    layer = sluice.nn.GRU(3, 4)
    stream, x = layer.stream(2), torch.randn(6, 2, 3)
    first = stream(x[0])
    saved = stream.state_dict()
    second = stream(x[1])
    assert not first.requires_grad
    stream.load_state_dict(saved)
    assert torch.equal(stream(x[1]), second)
    stream.reset(torch.tensor([False, True]))
    third = stream(x[0])
    torch.testing.assert_close(third[1], first[1])
    assert not torch.allclose(third[0], first[0])
    other = sluice.nn.GRU(3, 4).stream(3)
    with pytest.raises(ValueError, match="the saved state must have the shapes"):
        other.load_state_dict(saved)


@pytest.mark.parametrize("backend", ["fused", "reference"])
def test_sequences_go_on_from_the_states_of_others(backend: str) -> None:
    layer = sluice.nn.LSTM(3, 4, 2)
    layer.backend = backend
    stream, x = layer.stream(3), torch.randn(4, 3, 3)
    for step in x[:2]:
        stream(step)
    stream.rearrange(torch.tensor([2, 0, 2]))
    y = torch.stack([stream(step) for step in x[2:]])
    for column, parent in enumerate([2, 0, 2]):
        whole = torch.cat((x[:2, parent], x[2:, column]))[:, None]
        torch.testing.assert_close(y[:, column], layer(whole)[0][2:, 0].detach())
    for wrong in (torch.tensor([0, 1]), torch.tensor([0, 1, 3]), torch.tensor([-1, 0, 1])):
        with pytest.raises(ValueError, match="rows must be"):
            stream.rearrange(wrong)


def test_a_stream_keeps_its_weights_until_refreshed() -> None:
    layer = sluice.nn.GRU(3, 4)
    stream, x = layer.stream(1), torch.ones(1, 3)
    before = stream(x)
    with torch.no_grad():
        layer.weight_ih_l0.zero_()
    stream.reset()
    assert torch.equal(stream(x), before)
    stream.refresh()
    stream.reset()
    torch.testing.assert_close(stream(x), layer(x[None])[0][0])


def test_a_fresh_tensor_every_step() -> None:
    stream = sluice.nn.GRU(3, 4).stream(1)
    y = stream(torch.ones(1, 3))
    copy = y.clone()
    y.zero_()
    state = stream.state_dict()["h_l0"]
    assert torch.equal(state, copy)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="bidirectional"):
        sluice.nn.GRU(3, 4, bidirectional=True).stream()
    with pytest.raises(ValueError, match="batch_size"):
        sluice.nn.GRU(3, 4).stream(0)
    stream = sluice.nn.GRU(3, 4).stream(2)
    with pytest.raises(ValueError, match=r"x must be torch\.float32 of shape"):
        stream(torch.zeros(1, 3))
    with pytest.raises(ValueError, match=r"x must be torch\.float32 of shape"):
        stream(torch.zeros(2, 3, dtype=torch.float64))


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("batch", [1, 3])
def test_every_cell_steps_on_the_kernels(name: str, batch: int, monkeypatch: Any) -> None:
    monkeypatch.setenv("SLUICE_POISON", "1")
    cell = CELLS[name]()
    projected = any(state.width == "projection" for state in cell.graph.states)
    layer = Recurrent(cell, 5, 18, num_layers=2, proj_size=7 if projected else 0)
    layer.double().eval()
    stream, x = layer.stream(batch), torch.randn(6, batch, 5).double()
    assert layer.resolved_backend.name == "fused" and stream._fast_step is not None
    y = torch.stack([stream(step) for step in x])
    layer.backend = "reference"
    expected, last = layer(x)
    torch.testing.assert_close(y, expected.detach(), rtol=1e-9, atol=1e-11)
    last = last if isinstance(last, tuple) else (last,)
    for state, found in zip(last, zip(*stream._engine.read(), strict=True), strict=True):
        torch.testing.assert_close(torch.stack(found), state.detach(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("hidden", [33, 512])
def test_a_stream_multiplies_as_its_layer_does(precision: str, hidden: int) -> None:
    layer = sluice.nn.LSTM(20, hidden).eval()
    layer.precision = precision
    x = torch.randn(5, 2, 20)
    stream = layer.stream(2)
    assert torch.equal(torch.stack([stream(step) for step in x]), layer(x)[0])


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_steps_are_bitwise_equal_with_any_number_of_threads(precision: str) -> None:
    """In a tight loop the threads share steps, after a pause one thread takes a step alone."""
    layer, x = sluice.nn.LSTM(40, 192, 2).eval(), torch.randn(80, 3, 40)
    layer.precision = precision
    with torch.no_grad():
        expected = layer(x)[0]
    try:
        for count in (1, 2, 3):
            extension.set_num_threads(count)
            stream = layer.stream(3)
            for t, row in enumerate(x):
                if t % 20 == 0:
                    time.sleep(0.001)
                assert torch.equal(stream(row), expected[t]), (count, t)
    finally:
        extension.set_num_threads(torch.get_num_threads())


def test_other_memory_layouts() -> None:
    layer, x = sluice.nn.GRU(3, 4), torch.randn(4, 3)
    a, b = layer.stream(3), layer.stream(3)
    expected = a(x.T[:, :3].contiguous())
    assert torch.equal(b(x.T[:, :3]), expected)
    b.reset()
    wide = torch.full((3, 8), float("nan"))
    assert b(x.T[:, :3], out=wide[:, ::2]) is not None
    assert torch.equal(wide[:, ::2], expected) and wide[:, 1::2].isnan().all()
    square, s = torch.randn(4, 4), sluice.nn.GRU(4, 4).stream(4)
    first = s(square)
    s.reset()
    assert torch.equal(s(square, out=square), first)  # the result over its own input
