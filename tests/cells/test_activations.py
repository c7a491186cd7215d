"""Activation functions and bounds as options of the known cells, against onnxruntime and loops."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import sluice
from sluice.cells import CIFG, GRU, LSTM, MGU, Cell, Elman, Jordan, PeepholeLSTM, ResetBeforeGRU

HIDDEN, INPUT, STEPS, BATCH = 5, 3, 6, 2
# ONNX's name of an activation function with its alpha and beta, and ours.
ONNX: dict[tuple[Any, ...], Any] = {
    ("Affine", 0.7, 0.1): lambda a: 0.7 * a + 0.1,
    ("Relu",): "relu",
    ("LeakyRelu", 0.3): partial(sluice.leaky_relu, negative_slope=0.3),
    ("ThresholdedRelu", 0.4): partial(sluice.thresholded_relu, alpha=0.4),
    ("Tanh",): "tanh",
    ("ScaledTanh", 1.7, 0.6): partial(sluice.scaled_tanh, alpha=1.7, beta=0.6),
    ("Sigmoid",): "sigmoid",
    ("HardSigmoid", 0.2, 0.5): partial(sluice.hard_sigmoid, alpha=0.2, beta=0.5),
    ("Elu", 0.8): partial(sluice.elu, alpha=0.8),
    ("Softsign",): "Softsign",
    ("Softplus",): "softplus",
}
# The gates of an operator in ONNX's order, by their places in ours.
ORDERS = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}


def run_onnx(
    operator: str, layer: Any, given: list[Tensor], functions: list[tuple[Any, ...]], **more: Any
) -> list[np.ndarray]:
    """The outputs of an ONNX operator with the layer's weights, by onnxruntime."""
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    parameters = {name: p.detach().numpy() for name, p in layer.named_parameters()}

    def arrange(name: str) -> np.ndarray:
        gates = np.split(parameters[name], len(ORDERS[operator]))
        return np.concatenate([gates[k] for k in ORDERS[operator]])[None]

    biases = np.concatenate([arrange("bias_ih_l0"), arrange("bias_hh_l0")], 1)
    weights = {"W": arrange("weight_ih_l0"), "R": arrange("weight_hh_l0"), "B": biases}
    numbers = {
        "alpha": [n for _, *own in functions for n in own[:1]],
        "beta": [n for _, *own in functions for n in own[1:]],
    }
    states = ["h0", "c0"][: len(given) - 1]
    outputs = ["Y", "Yh", "Yc"][: len(given)]
    node = onnx.helper.make_node(
        operator,
        ["X", "W", "R", "B", "", *states],
        outputs,
        hidden_size=HIDDEN,
        activations=[name for name, *_ in functions],
        **{f"activation_{name}": found for name, found in numbers.items() if found},
        **more,
    )
    real = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [node],
        "layer",
        [onnx.helper.make_tensor_value_info(name, real, None) for name in ("X", *states)],
        [onnx.helper.make_tensor_value_info(name, real, None) for name in outputs],
        [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=9)
    session = runtime.InferenceSession(model.SerializeToString())
    arrays = (tensor.numpy() for tensor in given)
    found: list[np.ndarray] = session.run(None, dict(zip(("X", *states), arrays, strict=True)))
    return found


def draw_layer(cell: Cell, **options: Any) -> Any:
    """A layer with weights so large that all bounds and kinks are met."""
    torch.manual_seed(1)
    layer = sluice.nn.Recurrent(cell, INPUT, HIDDEN, **options)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(3.0)
    return layer


@pytest.mark.parametrize("function", ONNX, ids=lambda function: function[0])
def test_every_activation_of_onnx_as_onnxruntime_computes_it(function: tuple[Any, ...]) -> None:
    x = torch.randn(STEPS, BATCH, INPUT, generator=torch.Generator().manual_seed(2))
    h, c = torch.randn(2, 1, BATCH, HIDDEN, generator=torch.Generator().manual_seed(3))
    sigmoid, ours = ("Sigmoid",), ONNX[function]
    layers: list[tuple[str, Cell, list[tuple[Any, ...]], dict[str, Any]]] = [
        ("RNN", Elman(ours, clip=0.9), [function], {}),
        ("GRU", GRU(ours, clip=0.9), [sigmoid, function], {"linear_before_reset": 1}),
        ("GRU", ResetBeforeGRU(ours, clip=0.9), [sigmoid, function], {}),
        ("LSTM", LSTM(ours, clip=0.9), [sigmoid, function, function], {}),
        ("LSTM", LSTM("tanh", ours), [function, ("Tanh",), ("Tanh",)], {}),
    ]
    for operator, cell, functions, more in layers:
        layer = draw_layer(cell)
        given = [x, h, c] if operator == "LSTM" else [x, h]
        clip = {} if cell.gate_activation.clip is None else {"clip": 0.9}  # type: ignore[attr-defined]
        y, *last = run_onnx(operator, layer, given, functions, **more, **clip)
        with torch.no_grad():
            found, states = layer(x, tuple(given[1:]) if len(given) > 2 else h)
        np.testing.assert_allclose(found.numpy(), y[:, 0], rtol=3e-5, atol=3e-5)
        for mine, theirs in zip(states if len(given) > 2 else [states], last, strict=True):
            # A state without bound: errors in proportion to its largest value.
            atol = 3e-5 * max(1.0, float(abs(theirs).max()))
            np.testing.assert_allclose(mine.numpy(), theirs, rtol=0, atol=atol)


def run_lstm_plainly(layer: Any, x: Tensor, h: Tensor, c: Tensor) -> list[Tensor]:
    """Peepholes where the layer has them; every option but the default."""
    w = {name.removesuffix("_l0"): p for name, p in layer.named_parameters()}
    peep = [w.get(f"peep_{gate}", 0.0) for gate in ("input", "forget", "output")]

    def gate(a: Tensor) -> Tensor:
        return F.relu6(a.clamp(-2.5, 2.5) + 3) / 6

    outputs = []
    for row in x:
        gates = row @ w["weight_ih"].T + w["bias_ih"] + h @ w["weight_hh"].T + w["bias_hh"]
        i, f, g, o = gates.chunk(4, -1)
        c_before = c
        c = gate(f + peep[1] * c) * c + gate(i + peep[0] * c) * F.elu(g.clamp(-2.5, 2.5))
        c = c.clamp(-0.8, 0.8)
        o = gate(o + peep[2] * (c if isinstance(peep[2], Tensor) else c_before))
        h = o * F.softsign(c)
        outputs.append(h)
    return [torch.stack(outputs), h[None], c[None]]


def run_cifg_plainly(layer: Any, x: Tensor, h: Tensor, c: Tensor) -> list[Tensor]:
    w = {name.removesuffix("_l0"): p for name, p in layer.named_parameters()}
    outputs = []
    for row in x:
        gates = row @ w["weight_ih"].T + w["bias_ih"] + h @ w["weight_hh"].T + w["bias_hh"]
        f, g, o = gates.chunk(3, -1)
        f = F.relu6(f + 3) / 6
        c = (f * c + (1 - f) * F.silu(g)).clamp(-0.3, 0.3)
        h = F.relu6(o + 3) / 6 * F.silu(c)
        outputs.append(h)
    return [torch.stack(outputs), h[None], c[None]]


def run_mgu_plainly(layer: Any, x: Tensor, h: Tensor) -> list[Tensor]:
    w = {name.removesuffix("_l0"): p for name, p in layer.named_parameters()}
    outputs = []
    for row in x:
        ff, gx = (row @ w["weight_ih"].T + w["bias_ih"]).chunk(2, -1)
        weight_f, weight_g = w["weight_hh"].chunk(2)
        bias_f, bias_g = w["bias_hh"].chunk(2)
        f = torch.sigmoid((ff + h @ weight_f.T + bias_f).clamp(-0.5, 0.5))
        g = F.gelu((gx + (f * h) @ weight_g.T + bias_g).clamp(-0.5, 0.5))
        h = (1 - f) * h + f * g
        outputs.append(h)
    return [torch.stack(outputs), h[None]]


def run_jordan_plainly(layer: Any, x: Tensor, y: Tensor) -> list[Tensor]:
    w = {name.removesuffix("_l0"): p for name, p in layer.named_parameters()}
    outputs = []
    for row in x:
        hidden = row @ w["weight_ih"].T + w["bias_ih"] + y @ w["weight_hh"].T + w["bias_hh"]
        y = F.softplus(F.leaky_relu(hidden) @ w["weight_output"].T + w["bias_output"])
        outputs.append(y)
    return [torch.stack(outputs), y[None]]


OPTIONS = dict(
    activation="elu",
    gate_activation="hard_sigmoid",
    cell_activation="softsign",
    clip=2.5,
    cell_clip=0.8,
)


@pytest.mark.parametrize(
    ("cell", "run"),
    [
        (LSTM(**OPTIONS), run_lstm_plainly),
        (PeepholeLSTM(**OPTIONS), run_lstm_plainly),
        (CIFG("swish", "hard_sigmoid", cell_clip=0.3), run_cifg_plainly),
        (MGU("gelu", clip=0.5), run_mgu_plainly),
        (Jordan("leaky_relu", "softplus"), run_jordan_plainly),
    ],
    ids=lambda one: one.name if isinstance(one, Cell) else "",
)
def test_values_and_gradients_are_those_of_a_plain_loop(
    cell: Cell, run: Callable[..., list[Tensor]]
) -> None:
    layer = draw_layer(cell, dtype=torch.float64)
    assert layer.resolved_backend.name == "fused"
    count = len(cell.graph.states)
    generator = torch.Generator().manual_seed(4)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()

    x, states = normal(STEPS, BATCH, INPUT), [normal(BATCH, HIDDEN) for _ in range(count)]
    y, last = layer(x, tuple(s[None] for s in states) if count > 1 else states[0][None])
    found, expected = [y, *(last if count > 1 else [last])], run(layer, x, *states)
    given = [x, *states, *layer.parameters()]
    upstream = [normal(*t.shape).detach() for t in found]
    found += torch.autograd.grad(found, given, upstream)
    expected += torch.autograd.grad(expected, given, upstream)
    for mine, plain in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, plain, rtol=1e-11, atol=1e-11)


def test_drop_in_layers_take_the_options_and_leave_torchs_own_layer() -> None:
    x = torch.randn(STEPS, BATCH, INPUT)
    pairs = [
        (
            sluice.nn.LSTM(INPUT, HIDDEN, activation="relu", cell_clip=1.0),
            LSTM("relu", cell_clip=1),
        ),
        (sluice.nn.GRU(INPUT, HIDDEN, gate_activation="hard_sigmoid"), GRU("tanh", "hard_sigmoid")),
        (sluice.nn.RNN(INPUT, HIDDEN, 1, "relu", clip=0.2), Elman("relu", clip=0.2)),
        (sluice.nn.RNN(INPUT, HIDDEN, activation="sin"), Elman("sin")),
    ]
    for layer, cell in pairs:
        other = sluice.nn.Recurrent(cell, INPUT, HIDDEN)
        other.load_state_dict(layer.state_dict())
        torch.testing.assert_close(layer(x)[0], other(x)[0], rtol=0, atol=0)
        restored = pickle.loads(pickle.dumps(layer))
        torch.testing.assert_close(restored(x)[0], other(x)[0], rtol=0, atol=0)
        layer.backend = "native"
        assert layer.resolved_backend.name != "native"
        with pytest.raises(ValueError, match="which has no other activations or bounds"):
            sluice.nn.convert(layer, to="torch")
    plain = sluice.nn.LSTM(INPUT, HIDDEN, activation="tanh", gate_activation="sigmoid")
    plain.backend = "native"
    assert plain.resolved_backend.name == "native" and LSTM("Tanh").text == LSTM().text


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LSTM("rleu"), "activation must be one of affine, .*, got 'rleu'"),
        (lambda: LSTM(gate_activation=3), "gate_activation must be one of .*, got 3"),
        (lambda: LSTM(cell_activation="x"), "cell_activation must be one of"),
        (lambda: GRU(clip=0.0), "clip must be positive or None, got 0.0"),
        (lambda: sluice.nn.LSTM(3, 4, cell_clip=-1), "cell_clip must be positive or None, got -1"),
        (lambda: sluice.nn.RNN(3, 4, nonlinearity="elu"), "Unknown nonlinearity 'elu'"),
    ],
)
def test_what_is_no_option_is_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
