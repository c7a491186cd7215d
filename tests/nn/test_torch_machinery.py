"""What docs/torch-machinery.md says of torch's tools, where no other file tests it."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import sluice

T, B, X, H = 5, 2, 3, 4


def make_layers() -> list[Any]:
    return [sluice.nn.LSTM(X, H).eval(), sluice.nn.Recurrent(sluice.cells.MGU, X, H).eval()]


@pytest.mark.parametrize("number", [0, 1])
def test_checkpointing_and_functional_calls(number: int) -> None:
    layer, x = make_layers()[number], torch.randn(T, B, X)
    parameters = dict(layer.named_parameters())

    def compute(call: Any) -> list[Tensor]:
        y = call(x)
        return [y, *torch.autograd.grad(y.square().sum(), list(parameters.values()))]

    expected = compute(lambda v: layer(v)[0])
    calls = [
        lambda v: checkpoint(lambda w: layer(w)[0], v, use_reentrant=False),
        lambda v: torch.func.functional_call(layer, parameters, (v,))[0],
    ]
    for call in calls:
        for a, b in zip(compute(call), expected, strict=True):
            torch.testing.assert_close(a, b)


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_traces_have_the_number_of_steps_they_saw(number: int) -> None:
    layer, x = make_layers()[number], torch.randn(T, B, X)
    trace = torch.jit.trace(layer, (x,))
    torch.testing.assert_close(trace(2 * x)[0], layer(2 * x)[0])
    pytest.importorskip("onnx")
    torch.onnx.export(layer, (x,), io.BytesIO(), dynamo=False)


class LeafTracer(torch.fx.Tracer):
    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return isinstance(module, sluice.nn.LSTM) or super().is_leaf_module(module, name)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*quantize:UserWarning")
def test_script_fx_and_quantisation_and_the_way_out() -> None:
    x = torch.randn(T, B, X)
    for layer in make_layers():
        with pytest.raises(RuntimeError, match=r"cannot compile .* sluice.nn.convert"):
            torch.jit.script(layer)
        with pytest.raises(torch.fx.proxy.TraceError):
            torch.fx.symbolic_trace(nn.Sequential(layer))
    model = nn.Sequential(make_layers()[0])
    expected = model(x)[0]
    kept = torch.ao.quantization.quantize_dynamic(model, {nn.LSTM})
    assert type(kept[0]) is sluice.nn.LSTM
    graph = torch.fx.GraphModule(model, LeafTracer().trace(model))
    assert torch.equal(graph(x)[0], expected)
    sluice.nn.convert(model, to="torch")
    torch.testing.assert_close(torch.jit.script(model)(x)[0], expected)
    torch.testing.assert_close(torch.fx.symbolic_trace(model)(x)[0], expected)
    small = torch.ao.quantization.quantize_dynamic(model, {nn.LSTM})
    assert "quantized" in type(small[0]).__module__
    torch.testing.assert_close(small(x)[0], expected, rtol=0.1, atol=0.05)
