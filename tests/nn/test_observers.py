"""What records or replaces torch's operations sees those of a layer, or is told why not."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.checkpoint import (
    CheckpointPolicy,
    checkpoint,
    create_selective_checkpoint_contexts,
)
from torch.utils.flop_counter import FlopCounterMode

import sluice
from sampling import thin_out
from sluice.cells import PeepholeLSTM
from sluice.nn import Recurrent

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's tracers warn of what they cannot follow

LAYERS: dict[str, Callable[[], Any]] = {
    "lstm": lambda: sluice.nn.LSTM(3, 5),
    "gru": lambda: sluice.nn.GRU(3, 5, num_layers=2, bidirectional=True, batch_first=True),
    "own": lambda: Recurrent(PeepholeLSTM, 3, 5, learn_initial_state=True),
    "segments": lambda: sluice.nn.LSTM(3, 5, recompute=2),
}


Function = Callable[[Tensor], Tensor]


class Output(nn.Module):
    """A layer's output alone."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """The output."""
        y: Tensor = self.layer(x)[0]
        return y


@pytest.mark.parametrize("with_gradients", thin_out([False, True], 2, 1))
@pytest.mark.parametrize("name", LAYERS)
def test_a_trace_is_right_at_other_inputs_or_an_error(name: str, with_gradients: bool) -> None:
    model = Output(LAYERS[name]())
    x = torch.randn(7, 3, 3)
    with torch.set_grad_enabled(with_gradients):
        traced = torch.jit.trace(model, (x,))
        torch.testing.assert_close(traced(x * 2), model(x * 2))
        outcomes = set[str]()
        for shape in ((9, 3, 3), (6, 3, 3), (7, 4, 3), (7, 1, 3)):
            other = torch.randn(shape)
            try:
                y = traced(other)
            except RuntimeError:
                outcomes.add("refused")
                continue
            outcomes.add("right")
            torch.testing.assert_close(y, model(other))
    assert outcomes == {"refused", "right"}


def test_a_trace_trains() -> None:
    layer = sluice.nn.LSTM(3, 5)
    traced = torch.jit.trace(Output(layer), (torch.randn(6, 2, 3),))
    x = torch.randn(6, 2, 3)
    found = torch.autograd.grad(traced(x).sin().sum(), list(layer.parameters()))
    expected = torch.autograd.grad(layer(x)[0].sin().sum(), list(layer.parameters()))
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("pre_dispatch", thin_out([False, True], 2))
@pytest.mark.parametrize("mode", thin_out(["real", "fake", "symbolic"], 3, 2))
@pytest.mark.parametrize("name", thin_out(LAYERS, 6))
def test_make_fx_records_what_the_layer_computes(name: str, mode: Any, pre_dispatch: bool) -> None:
    layer = LAYERS[name]()
    for with_gradients in (False, True):
        with torch.set_grad_enabled(with_gradients):
            recorded = make_fx(
                lambda x: layer(x)[0],
                tracing_mode=mode,
                pre_dispatch=pre_dispatch,
                _allow_non_fake_inputs=True,
            )(torch.randn(7, 2, 3))
            x = torch.randn(7, 2, 3)
            torch.testing.assert_close(recorded(x), layer(x)[0])


def test_make_fx_records_a_backward_pass() -> None:
    layer, x = sluice.nn.GRU(3, 5), torch.randn(4, 2, 3, requires_grad=True)
    y = layer(x)[0]

    def pull_back(g: Tensor) -> Tensor:
        return torch.autograd.grad(y, x, g, retain_graph=True)[0]

    recorded = make_fx(pull_back)(torch.randn(4, 2, 5))
    g = torch.randn(4, 2, 5)
    torch.testing.assert_close(recorded(g), pull_back(g))


def test_operations_are_counted() -> None:
    layer, x = sluice.nn.LSTM(5, 8), torch.randn(7, 3, 5)
    with FlopCounterMode(display=False) as counter:
        y = layer(x)[0]
    assert counter.get_total_flops() == 2 * 7 * 3 * 32 * (5 + 8)
    torch.testing.assert_close(y, layer(x)[0])


@pytest.mark.parametrize("name", thin_out(LAYERS, 2))
def test_checkpoints_and_hooks_on_saved_tensors_keep_gradients(name: str) -> None:
    layer = LAYERS[name]()
    x = torch.randn(6, 3, 3, requires_grad=True)
    inputs = [x, *layer.parameters()]
    run: Function = lambda x: layer(x.tanh())[0].sin()  # noqa: E731
    weights = torch.randn_like(run(x))
    expected = torch.autograd.grad((run(x) * weights).sum(), inputs)

    def choose(*_: object, **__: object) -> CheckpointPolicy:
        return CheckpointPolicy.PREFER_RECOMPUTE

    def selective() -> Any:
        return create_selective_checkpoint_contexts(choose)

    def run_with_hooks(x: Tensor) -> Tensor:
        with torch.autograd.graph.saved_tensors_hooks(torch.clone, lambda t: t):
            return run(x)

    options: list[dict[str, Any]] = [
        {"use_reentrant": False},
        {"use_reentrant": True},
        {"use_reentrant": False, "context_fn": selective},
    ]
    ways = [run_with_hooks]
    ways += [lambda x, o=o: checkpoint(run, x, **o) for o in options]  # type: ignore[misc]
    for way in ways:
        loss = (way(x) * weights).sum()
        x.grad = None
        layer.zero_grad()
        loss.backward()
        for tensor, theirs in zip(inputs, expected, strict=True):
            assert tensor.grad is not None
            torch.testing.assert_close(tensor.grad, theirs)


@pytest.mark.parametrize("name", LAYERS)
def test_batched_gradients(name: str) -> None:
    layer = LAYERS[name]().double()
    x = torch.randn(4, 3, 3, dtype=torch.float64, requires_grad=True)
    run: Function = lambda x: layer(x)[0].sin()  # noqa: E731
    y = run(x)
    vs = torch.randn(5, *y.shape, dtype=torch.float64)
    inputs = [x, *layer.parameters()]
    found = torch.autograd.grad(y, inputs, vs, is_grads_batched=True, retain_graph=True)
    each = [torch.autograd.grad(y, inputs, v, retain_graph=True) for v in vs]
    for mine, theirs in zip(found, zip(*each, strict=True), strict=True):
        torch.testing.assert_close(mine, torch.stack(theirs), rtol=1e-10, atol=1e-12)
    small = torch.randn(3, 1, 3, dtype=torch.float64)
    jacobian: Any = torch.autograd.functional.jacobian
    torch.testing.assert_close(jacobian(run, small, vectorize=True), jacobian(run, small))
    check: Any = torch.autograd.gradcheck
    assert check(run, (small.requires_grad_(),), check_batched_grad=True)


def test_batched_gradients_of_an_exported_program() -> None:
    layer = sluice.nn.LSTM(3, 5).double()
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    program = torch.export.export(layer, (x,)).module()
    jacobian: Any = torch.autograd.functional.jacobian
    found = jacobian(lambda x: program(x)[0], x, vectorize=True)
    torch.testing.assert_close(found, jacobian(lambda x: layer(x)[0], x))


def test_per_sample_gradients() -> None:
    layer = sluice.nn.GRU(3, 5)
    parameters = {name: p.detach() for name, p in layer.named_parameters()}
    xs = torch.randn(4, 6, 3)

    def loss(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        y: Tensor = torch.func.functional_call(layer, parameters, (x,))[0]
        return y.sin().sum()

    found = torch.func.vmap(torch.func.grad(loss), (None, 0))(parameters, xs)
    for k, x in enumerate(xs):
        own = torch.autograd.grad(layer(x)[0].sin().sum(), list(layer.parameters()))
        for mine, theirs in zip(found.values(), own, strict=True):
            torch.testing.assert_close(mine[k], theirs)


@pytest.mark.parametrize("made", [sluice.nn.LSTM, sluice.nn.GRUCell])
def test_script_says_what_to_do(made: Callable[[int, int], nn.Module]) -> None:
    with pytest.raises(RuntimeError, match=r"torch\.export\.export.*sluice\.nn\.convert"):
        torch.jit.script(nn.Sequential(made(3, 5)))


@pytest.mark.parametrize("name", ["lstm", "own"])
def test_the_exporter_to_onnx_that_traces(name: str) -> None:
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    model, file = Output(LAYERS[name]()).eval(), io.BytesIO()
    to: Any = file
    names: dict[str, Any] = {"input_names": ["x"], "dynamic_axes": {"x": {1: "batch"}}}
    torch.onnx.export(model, (torch.randn(6, 2, 3),), to, dynamo=False, **names)
    session = runtime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    for batch in (2, 5):
        x = torch.randn(6, batch, 3)
        (found,) = session.run(None, {"x": x.numpy()})
        torch.testing.assert_close(torch.from_numpy(found), model(x), rtol=1e-4, atol=1e-5)


def test_a_traced_model_is_saved_and_loaded() -> None:
    model, file = Output(sluice.nn.LSTM(3, 5)), io.BytesIO()
    x = torch.randn(6, 2, 3)
    torch.jit.save(torch.jit.trace(model, (x,)), file)
    file.seek(0)
    torch.testing.assert_close(torch.jit.load(file)(x), model(x))
