"""Streams recorded: the values of the sequence's recording, step by step."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import sluice
from cell_list import CELLS
from sampling import thin_out


def steps(stream: Any, x: Tensor) -> Tensor:
    return torch.stack([stream(row) for row in x])


@pytest.mark.parametrize("name", thin_out(CELLS, 2))
@pytest.mark.parametrize("backend", [None, "reference"])
def test_the_values_of_the_sequence(name: str, backend: str | None) -> None:
    cell = CELLS[name]()
    size = 2 if any(s.width == "projection" for s in cell.graph.states) else 0
    layer = sluice.nn.Recurrent(cell, 3, 4, num_layers=2, proj_size=size).eval()
    layer.backend = backend
    x = torch.randn(6, 2, 3)
    with torch.no_grad(), sluice.record(layer, pre=True) as whole:
        layer(x)
    stream = layer.stream(2)
    plain = steps(stream, x)
    stream.reset()
    with sluice.record(stream, pre=True) as tape:
        y = steps(stream, x)
    assert torch.equal(y, plain)
    found, expected = tape.tensors(), whole.tensors()
    assert list(found) == list(expected)
    for key, value in found.items():
        if backend is None:  # where the stream's outputs are bit for bit the sequence's
            assert torch.equal(value, expected[key]), key
        torch.testing.assert_close(value, expected[key])
    first = cell.graph.states[0].name
    assert torch.equal(tape.layer(1)[first], y)
    assert tape.layer(0).backend == (backend or "fused")


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_narrow_weights(precision: str) -> None:
    layer = sluice.nn.LSTM(3, 20).eval()
    layer.precision = precision
    x = torch.randn(5, 1, 3)
    with torch.no_grad(), sluice.record(layer) as whole:
        layer(x)
    with sluice.record(layer) as tape:  # by the layer's name, and a stream made inside
        steps(layer.stream(), x)
    assert all(torch.equal(v, whole.tensors()[k]) for k, v in tape.tensors().items())


def test_some_values_of_every_second_step_of_a_model() -> None:
    model = nn.ModuleDict({"a": sluice.nn.LSTM(3, 4), "b": sluice.nn.GRU(4, 4)})
    first, second = model["a"].stream(2), model["b"].stream(2)
    x = torch.randn(5, 2, 3)
    with sluice.record(model, names=["forget", "update"], every=2) as tape:
        for row in x:
            second(first(row))
    assert list(tape["a"].layer(0)) == ["forget"] and tape["b"].update.shape == (3, 2, 4)
    assert tape["a"].every == 2
    with pytest.raises(RuntimeError, match="a stream runs without gradients"):
        _ = tape["a"].gradient.forget
    forget = tape["a"].forget
    first(x[0])
    assert torch.equal(tape["a"].forget, forget)  # nothing after the block
    with tape:
        model["a"].stream(2)(x[0])  # another stream starts from the initial state
    assert tape["a"].forget.shape == (1, 2, 4)


def test_after_the_block_steps_run_on_the_kernels_alone() -> None:
    layer = sluice.nn.GRU(3, 4)
    stream, x = layer.stream(), torch.randn(1, 3)
    before = stream._fast_step
    assert before is not None
    with sluice.record(layer):
        assert stream._fast_step is None
        out = torch.empty(1, 4)
        assert stream(x, out=out) is out
    assert stream._fast_step == before


def test_changed_weights_take_effect() -> None:
    layer = sluice.nn.GRU(3, 4)
    stream, x = layer.stream(), torch.randn(1, 3)
    with torch.no_grad():
        layer.weight_ih_l0.add_(1.0)
    with sluice.record(stream) as tape:
        with pytest.raises(RuntimeError, match=r"weights have changed.*stream\.refresh\(\)"):
            stream(x)
        stream.refresh()
        stream.reset()
        y = stream(x)
    assert torch.equal(tape.h[-1], y)


def test_a_stream_cannot_be_recorded_to_a_folder(tmp_path: Any) -> None:
    stream = sluice.nn.GRU(3, 4).stream()
    refused = pytest.raises(RuntimeError, match=r"a stream cannot be recorded to a folder.*save")
    with refused, sluice.record(stream, to=tmp_path / "run"):
        stream(torch.randn(1, 3))
