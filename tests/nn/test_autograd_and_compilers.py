"""Under autograd transforms and compilers the layers behave as ordinary ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import sluice
from sampling import thin_out
from sluice.cells import LayerNormLSTM, PeepholeLSTM, zoneout
from sluice.nn import Recurrent

LAYERS: dict[str, Callable[[], Any]] = {
    "lstm": lambda: sluice.nn.LSTM(3, 4, num_layers=2, bidirectional=True),
    "gru": lambda: sluice.nn.GRU(3, 4),
    "rnn": lambda: sluice.nn.RNN(3, 4),
    "own": lambda: Recurrent(zoneout(LayerNormLSTM(), c=0.2), 3, 4).eval(),
}
# torch's own compiler warns of its own deprecated parts.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("name", thin_out(LAYERS, 2))
def test_forward_mode_is_never_zero_by_omission(name: str) -> None:
    layer = LAYERS[name]().double()
    x, v = torch.randn(5, 2, 3).double(), torch.randn(5, 2, 3).double()
    run = lambda x: layer(x)[0]  # noqa: E731
    _, tangent = torch.func.jvp(run, (x,), (v,))
    numeric = (run(x + 1e-6 * v) - run(x - 1e-6 * v)) / 2e-6
    torch.testing.assert_close(tangent, numeric, rtol=1e-5, atol=1e-7)
    with torch.autograd.forward_ad.dual_level():
        dual = run(torch.autograd.forward_ad.make_dual(x, v))
        again = torch.autograd.forward_ad.unpack_dual(dual).tangent
    torch.testing.assert_close(again, tangent)


@pytest.mark.parametrize("name", thin_out(LAYERS, 2, 1))
def test_vmap_grad_and_double_backward(name: str) -> None:
    layer = LAYERS[name]().double()
    layer.backend = "reference"
    xs = torch.randn(3, 5, 2, 3).double()
    mapped = torch.func.vmap(lambda x: layer(x)[0])(xs)
    torch.testing.assert_close(mapped, torch.stack([layer(x)[0] for x in xs]))
    by_func = torch.func.grad(lambda x: layer(x)[0].sin().sum())(xs[0])
    x = xs[0].clone().requires_grad_()
    torch.testing.assert_close(by_func, torch.autograd.grad(layer(x)[0].sin().sum(), x)[0])
    small = torch.randn(2, 1, 3).double().requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x: layer(x)[0], (small,))


@pytest.mark.parametrize("name", thin_out(LAYERS, 2))
def test_compiled_whole_with_gradients_and_other_sizes(name: str) -> None:
    torch._dynamo.reset()
    layer = LAYERS[name]()
    compiled = torch.compile(layer, fullgraph=True, dynamic=True, backend="aot_eager")
    for steps, batch in ((5, 2), (8, 3)):
        x = torch.randn(steps, batch, 3, requires_grad=True)
        results = []
        for run in (layer, compiled):
            y, last = run(x)
            finals = last if isinstance(last, tuple) else (last,)
            loss = y.sin().sum() + sum((s * s).sum() for s in finals)
            results.append((y, *torch.autograd.grad(loss, [x, *layer.parameters()])))
        for mine, theirs in zip(results[1], results[0], strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", thin_out(LAYERS, 2, 1))
def test_exported_with_dynamic_time_and_batch(name: str) -> None:
    layer = LAYERS[name]()
    time, batch = torch.export.Dim("time", min=2, max=99), torch.export.Dim("batch", min=2, max=99)
    program = torch.export.export(
        layer, (torch.randn(5, 2, 3),), dynamic_shapes={"input": {0: time, 1: batch}}
    )
    x = torch.randn(11, 7, 3)
    torch.testing.assert_close(program.module()(x)[0], layer(x)[0])


def test_compiled_with_lengths_and_resets() -> None:
    torch._dynamo.reset()
    layer = Recurrent(PeepholeLSTM, 3, 4, bidirectional=True, learn_initial_state=True)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    x, lengths, resets = torch.randn(6, 3, 3), torch.tensor([6, 0, 4]), torch.rand(6, 3) < 0.3
    results = []
    for run in (layer, compiled):
        y, _ = run(x, lengths=lengths, resets=resets)
        results.append((y, *torch.autograd.grad(y.sin().sum(), list(layer.parameters()))))
    for mine, theirs in zip(results[1], results[0], strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_a_meta_layer_has_shapes() -> None:
    layer = sluice.nn.LSTM(3, 4, device="meta")
    assert layer.resolved_backend.name == "reference"
    assert layer(torch.zeros(5, 2, 3, device="meta"))[0].shape == (5, 2, 4)


def test_convert_keeps_weights_both_ways() -> None:
    shared = nn.GRU(3, 4, batch_first=True)
    model = nn.ModuleDict(
        {"a": shared, "b": shared, "cell": nn.LSTMCell(4, 5), "out": nn.Linear(5, 1)}
    )
    before = dict(model.named_parameters())
    x = torch.randn(2, 6, 3)
    expected = shared(x)[0]
    assert sluice.nn.convert(model) is model
    assert type(model["a"]) is sluice.nn.GRU and model["a"] is model["b"]
    assert type(model["cell"]) is sluice.nn.LSTMCell
    assert all(p is before[n] for n, p in model.named_parameters())
    torch.testing.assert_close(model["a"](x)[0], expected)
    sluice.nn.convert(model, to="torch")
    assert type(model["a"]) is nn.GRU and type(model["cell"]) is nn.LSTMCell
    torch.testing.assert_close(model["a"](x)[0], expected)
    with pytest.raises(ValueError, match="learned initial states"):
        sluice.nn.convert(sluice.nn.GRU(3, 4, learn_initial_state=True), to="torch")
    with pytest.raises(ValueError, match="'sluice' or 'torch'"):
        sluice.nn.convert(model, to="jax")
