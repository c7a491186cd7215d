"""Settings of a layer that change between two calls: recompute. (Precision: tests/run.)"""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import sluice
from sluice.nn import Recurrent
from sluice.run.dispatch import _issued_warnings

T, B, X, H = 11, 4, 3, 6
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own


def run_with_gradients(layer: Any, x: Tensor, **marks: Any) -> list[Tensor]:
    """Output, states, and the gradients of the input and every parameter."""
    torch.manual_seed(4)
    y, last = layer(x, **marks)
    states = last if isinstance(last, tuple) else (last,)
    loss = sum((t * torch.randn_like(t)).sum() for t in (y, *states))
    return [y, *states, *torch.autograd.grad(loss, [x, *layer.parameters()])]


def same(found: list[Tensor], expected: list[Tensor]) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("backend", [None, "reference"])
@pytest.mark.parametrize("cell", [sluice.cells.LSTM, sluice.cells.zoneout(sluice.cells.GRU, h=0.3)])
def test_a_whole_layer_recomputed(cell: Any, backend: str | None) -> None:
    options = {"num_layers": 2, "bidirectional": True, "dropout": 0.3, "learn_initial_state": True}
    layer = Recurrent(cell, X, H, dtype=torch.float64, **options)
    for name, parameter in layer.named_parameters():
        if name.startswith("initial"):
            nn.init.normal_(parameter)
    layer.backend = backend
    x = torch.randn(T, B, X, dtype=torch.float64, requires_grad=True)
    marks = {"lengths": torch.tensor([7, 0, 11, 4]), "resets": torch.rand(T, B) < 0.3}
    expected = run_with_gradients(layer, x, **marks)
    for steps in (1, 4, T):
        layer.recompute = steps
        same(run_with_gradients(layer, x, **marks), expected)


def test_recompute_is_an_ordinary_setting() -> None:
    layer = sluice.nn.GRU(X, H, recompute=5)
    assert layer.recompute == 5 and sluice.nn.GRU(X, H).recompute is None
    assert copy.deepcopy(layer).recompute == pickle.loads(pickle.dumps(layer)).recompute == 5
    assert "recompute=5" in repr(Recurrent(sluice.cells.GRU, X, H, recompute=5))
    for wrong in (0, -3):
        with pytest.raises(ValueError, match="at least 1 step"):
            layer.recompute = wrong
    for wrong in (True, 2.0, "7"):
        with pytest.raises(TypeError, match=r"\(an int\) or None"):
            layer.recompute = wrong
    with pytest.raises(ValueError, match="got 0"):
        sluice.nn.LSTM(X, H, recompute=0)
    assert layer.recompute == 5


def test_torchs_own_layer_does_not_recompute() -> None:
    layer = sluice.nn.LSTM(X, H)
    layer.backend = "native"
    assert layer.resolved_backend.name == "native"
    layer.recompute = 3
    assert (
        layer.resolved_backend.name == "reference" and "recompute=" in layer.resolved_backend.reason
    )


def test_bfloat16_recomputed_is_bfloat16() -> None:
    layer = sluice.nn.LSTM(X, H)
    layer.precision = "bfloat16"
    x = torch.randn(T, B, X, requires_grad=True)
    whole = run_with_gradients(layer, x)
    layer.recompute = 4
    torch.testing.assert_close(run_with_gradients(layer, x), whole, rtol=1e-5, atol=1e-5)
    layer.precision = "int8"
    with pytest.raises(RuntimeError, match="int8"):
        layer.eval()(x)[0].sum().backward()


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's own jvp has it
@pytest.mark.parametrize("backend", [None, "reference"])
def test_transforms_and_gradients_of_gradients(backend: str | None) -> None:
    layer = sluice.nn.GRU(X, H, dtype=torch.float64, recompute=2)
    layer.backend = backend
    x = torch.randn(2, 5, B, X, dtype=torch.float64)
    mapped = torch.func.vmap(lambda one: layer(one)[0])(x)
    torch.testing.assert_close(mapped[1], layer(x[1])[0])
    tangent = torch.func.jvp(lambda one: layer(one)[0], (x[0],), (x[1],))[1]
    assert tangent.abs().sum() > 0
    assert torch.autograd.gradgradcheck(lambda one: layer(one)[0], x[0, :, :1].requires_grad_())


def test_a_compiled_program_warns_that_it_keeps_every_step() -> None:
    layer, x = sluice.nn.GRU(X, H, recompute=2), torch.randn(T, B, X)
    _issued_warnings.clear()
    with pytest.warns(RuntimeWarning, match="recompute= has no effect"):
        y = torch.compile(layer, fullgraph=True, backend="eager")(x)[0]
    torch.testing.assert_close(y, layer(x)[0])


@pytest.mark.parametrize("make", [sluice.nn.LSTM, sluice.nn.GRUCell])
def test_an_unknown_backend_is_refused(make: Any) -> None:
    layer = make(3, 4)
    with pytest.raises(
        ValueError, match=r"backend must be 'reference', 'native', 'fused' or None.*'fsed'"
    ):
        layer.backend = "fsed"
    layer.backend = "reference"
    assert layer.backend == "reference" and layer.resolved_backend.name == "reference"
    layer.backend = None
    assert layer.backend is None
