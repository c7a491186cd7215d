"""Nothing that changes between two calls of a layer may leave the second as the first was."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

import sluice
from same_as_torch import check, rebuild
from sampling import thin_out
from sluice.run.kernels import extension

pytestmark = pytest.mark.skipif(extension.load_extension() is None, reason="kernels have plans")


def scale_in_place(layer: Any) -> None:
    with torch.no_grad():
        layer.weight_hh_l0.mul_(1.5)


def assign_data(layer: Any) -> None:
    layer.weight_hh_l0.data = torch.randn(layer.weight_hh_l0.shape)


def assign_transposed_data(layer: Any) -> None:
    layer.weight_hh_l0.data = torch.randn(layer.weight_hh_l0.shape[::-1]).t()


def assign_parameter(layer: Any) -> None:
    layer.weight_ih_l0 = nn.Parameter(torch.randn(layer.weight_ih_l0.shape))


def load(layer: Any, assign: bool) -> None:
    state = {name: torch.randn(t.shape) for name, t in layer.state_dict().items()}
    layer.load_state_dict(state, assign=assign)


def drop_weights(layer: Any) -> None:
    """As programs with DropConnect do: a plain tensor in the place of the parameter."""
    raw = layer.weight_hh_l0
    del layer._parameters["weight_hh_l0"]
    layer.register_parameter("weight_hh_l0_raw", raw)
    layer.weight_hh_l0 = raw * (torch.rand(raw.shape) < 0.5)


def make_buffer(layer: Any) -> None:
    raw = layer.weight_hh_l0.detach()
    del layer._parameters["weight_hh_l0"]
    layer.register_buffer("weight_hh_l0", raw * 2)


def step_optimizer(layer: Any) -> None:
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
    layer(torch.randn(4, 2, 3))[0].square().sum().backward()
    optimizer.step()


def vectorise(layer: Any) -> None:
    """All parameters become views of one vector."""
    flat = nn.utils.parameters_to_vector(layer.parameters()).detach() * 0.7
    nn.utils.vector_to_parameters(flat, layer.parameters())


CHANGES: dict[str, Callable[[Any], object]] = {
    "in place": scale_in_place,
    "data": assign_data,
    "transposed data": assign_transposed_data,
    "a new parameter": assign_parameter,
    "load_state_dict": lambda layer: load(layer, False),
    "load_state_dict with assign": lambda layer: load(layer, True),
    "weight drop": drop_weights,
    "a buffer": make_buffer,
    "weight_norm": lambda layer: parametrizations.weight_norm(layer, "weight_hh_l0"),
    "spectral_norm": lambda layer: parametrizations.spectral_norm(layer.eval(), "weight_hh_l0"),
    "an optimizer's step": step_optimizer,
    "views of a vector": vectorise,
    "frozen": lambda layer: layer.requires_grad_(False),
    "partly frozen": lambda layer: layer.weight_hh_l0.requires_grad_(False),
    "shared memory": lambda layer: layer.share_memory(),
    "reset": lambda layer: layer.reset_parameters(),
    "reference": lambda layer: setattr(layer, "backend", "reference"),
    "native": lambda layer: setattr(layer, "backend", "native"),
    "fused": lambda layer: setattr(layer, "backend", "fused"),
    "recompute": lambda layer: setattr(layer, "recompute", 2),
}


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}], ids=str)
@pytest.mark.parametrize("name", thin_out(["LSTM", "GRU", "RNN"], 3))
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_the_weights_or_settings_is_seen(
    change: str, name: str, options: dict[str, Any]
) -> None:
    layer = getattr(sluice.nn, name)(3, 5, **options)
    check(layer)
    CHANGES[change](layer)
    check(layer)
    check(layer)


def test_a_change_of_dtype_and_back() -> None:
    layer = sluice.nn.LSTM(3, 5)
    check(layer)
    check(layer.double(), torch.float64)
    with pytest.raises(ValueError, match=r"torch\.float64"):
        layer(torch.randn(4, 2, 3))
    check(layer.float())
    layer.weight_hh_l0.data = layer.weight_hh_l0.data.double()
    with pytest.raises((ValueError, RuntimeError), match=r"dtype|float|Double"):
        layer(torch.randn(4, 2, 3))


def test_layouts_and_sizes_between_calls() -> None:
    layer = sluice.nn.GRU(3, 5, num_layers=2)
    for shape in ((4, 2, 3), (1, 1, 3), (4, 3), (7, 2, 3), (4, 2, 3)):
        check(layer, shape=shape)
    layer.batch_first = True
    check(layer, shape=(2, 4, 3))
    for wrong in ((4, 2, 2), (4, 0, 3), (3,), (4, 2)):
        with pytest.raises((RuntimeError, ValueError)) as found:
            layer(torch.randn(wrong))
        fresh = sluice.nn.GRU(3, 5, num_layers=2, batch_first=True)
        with pytest.raises(found.type) as expected:
            fresh(torch.randn(wrong))
        assert str(found.value) == str(expected.value)
    y, h = layer(torch.randn(0, 4, 3))
    assert y.shape == (0, 4, 5) and h.shape == (2, 0, 5)
    strided = torch.randn(3, 4, 2).transpose(0, 2)
    torch.testing.assert_close(layer(strided), layer(strided.contiguous()))


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_bad_states_are_refused_after_a_good_call(name: str) -> None:
    layer, x = getattr(sluice.nn, name)(3, 5), torch.randn(4, 2, 3)

    def pair(state: Any) -> Any:
        return (state, state) if name == "LSTM" else state

    layer(x, pair(torch.zeros(1, 2, 5)))
    with pytest.raises(RuntimeError, match=r"Expected hidden.* size \(1, 2, 5\)"):
        layer(x, pair(torch.zeros(1, 3, 5)))
    with pytest.raises(RuntimeError, match="should also be 3-D but got 2-D"):
        layer(x, pair(torch.zeros(2, 5)))
    with pytest.raises(RuntimeError, match=r"hx must be torch.float32"):
        layer(x, pair(torch.zeros(1, 2, 5).double()))
    if name == "LSTM":
        with pytest.raises(ValueError, match="hx must be a tuple of the 2 states"):
            layer(x, torch.zeros(1, 2, 5))


def test_training_and_evaluation_with_dropout() -> None:
    layer = sluice.nn.LSTM(3, 5, num_layers=3, dropout=0.4)
    for mode in (True, False, True):
        check(layer.train(mode))
    layer.dropout = 0.0
    check(layer)


def test_copies_have_weights_of_their_own() -> None:
    layer, x = sluice.nn.LSTM(3, 5), torch.randn(4, 2, 3)
    before = layer(x)[0].detach()
    copies = [copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))]
    scale_in_place(layer)
    for one in copies:
        assert torch.equal(one(x)[0], before)
        check(one)
    shallow = copy.copy(layer)
    shallow._parameters = dict(layer._parameters)
    shallow.weight_hh_l0 = nn.Parameter(torch.zeros(20, 5))
    check(shallow)
    check(layer)


def test_functional_calls_use_the_weights_given() -> None:
    layer, x = sluice.nn.GRU(3, 5), torch.randn(4, 2, 3)
    own = layer(x)[0].detach()
    other = sluice.nn.GRU(3, 5)
    weights = {name: t.detach().clone().requires_grad_() for name, t in other.named_parameters()}
    y, _ = torch.func.functional_call(layer, weights, (x,))
    assert torch.equal(y, other(x)[0])
    found = torch.autograd.grad(y.square().sum(), list(weights.values()))
    expected = torch.autograd.grad(other(x)[0].square().sum(), list(other.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert torch.equal(layer(x)[0], own)


@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")
def test_transforms_between_calls() -> None:
    layer, x = sluice.nn.LSTM(3, 5).double(), torch.randn(4, 2, 3).double()
    plain = layer(x)[0]
    mapped = torch.vmap(lambda one: layer(one)[0], in_dims=1, out_dims=1)(x[:, :, None])
    torch.testing.assert_close(mapped[:, :, 0], plain)
    tangent = torch.func.jvp(lambda v: layer(v)[0], (x,), (torch.ones_like(x),))[1]
    numeric = (layer(x + 1e-6)[0] - layer(x - 1e-6)[0]) / 2e-6
    torch.testing.assert_close(tangent, numeric, rtol=1e-6, atol=1e-8)
    assert torch.equal(layer(x)[0], plain)


def test_precision_between_calls() -> None:
    layer, x = sluice.nn.LSTM(3, 5), torch.randn(4, 2, 3)
    for name in ("bfloat16", "float32", "bfloat16"):
        layer(x)
        layer.precision = name
        fresh = copy.deepcopy(layer)
        assert torch.equal(layer(x)[0], fresh(x)[0])
    assert not torch.equal(layer(x)[0], rebuild(layer)(x)[0])
    layer.precision = "int8"
    with pytest.raises(RuntimeError, match="int8 weights are for evaluation"):
        layer(x)
    y, _ = layer.eval()(x)
    with pytest.raises(RuntimeError, match="int8 weights do not train"):
        y.sum().backward()
    layer.precision = "float32"
    check(layer)


def test_autocast_between_calls() -> None:
    layer, x = sluice.nn.LSTM(3, 5), torch.randn(4, 2, 3)
    plain = layer(x)[0]
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(x)[0].dtype == torch.bfloat16
    assert torch.equal(layer(x)[0], plain)


def test_devices_between_calls() -> None:
    layer, x = sluice.nn.LSTM(3, 5), torch.randn(4, 2, 3)
    layer(x)
    layer.to("meta")
    assert layer(x.to("meta"))[0].is_meta
    layer.to_empty(device="cpu").reset_parameters()
    check(layer)


def test_gradients_on_and_off() -> None:
    layer, x = sluice.nn.LSTM(3, 5), torch.randn(4, 2, 3)
    for _ in range(2):
        assert layer(x)[0].requires_grad
        with torch.no_grad():
            assert not layer(x)[0].requires_grad
        with torch.inference_mode():
            assert layer(x)[0].is_inference()
    layer.requires_grad_(False)
    assert not layer(x)[0].requires_grad
    assert layer(x.clone().requires_grad_())[0].requires_grad
    h = torch.zeros(1, 2, 5, requires_grad=True)
    y, _ = layer(x, (h, h))
    found = torch.autograd.grad(y.sum(), h)
    theirs = rebuild(layer).requires_grad_(False)
    expected = torch.autograd.grad(theirs(x, (h, h))[0].sum(), h)
    torch.testing.assert_close(found, expected)


def test_recording_between_calls() -> None:
    layer, x = sluice.nn.LSTM(3, 5), torch.randn(4, 2, 3)
    before = layer(x)[0]
    with sluice.record(layer) as recording:
        assert torch.equal(layer(x)[0], before)
        kept = recording.h
    torch.testing.assert_close(kept.squeeze(), before.squeeze())
    assert torch.equal(layer(x)[0], before)


def test_hooks_between_calls() -> None:
    layer, x, seen = sluice.nn.LSTM(3, 5), torch.randn(4, 2, 3), list[str]()
    layer(x)
    layer.register_forward_hook(lambda *_: seen.append("after"))
    layer.register_forward_pre_hook(lambda _, inputs: (inputs[0] * 0,))
    assert torch.equal(layer(x)[0], copy_plain(layer)(x * 0)[0]) and seen == ["after"]


def copy_plain(layer: Any) -> Any:
    fresh = type(layer)(3, 5)
    fresh.load_state_dict(layer.state_dict())
    return fresh


def test_another_cell_between_calls() -> None:
    layer, x = sluice.nn.LSTM(3, 5), torch.randn(4, 2, 3)
    plain = layer(x)[0]
    cell = sluice.cells.clamp_gates(layer.cell, forget=1.0)
    with layer.swap_cell(cell):
        swapped = layer(x)[0]
    fresh = sluice.nn.Recurrent(cell, 3, 5)
    fresh.load_state_dict(layer.state_dict())
    assert torch.equal(swapped, fresh(x)[0]) and not torch.equal(swapped, plain)
    assert torch.equal(layer(x)[0], plain)


def test_threads_between_calls() -> None:
    layer, x = sluice.nn.LSTM(64, 64), torch.randn(6, 3, 64)
    before = torch.get_num_threads()
    try:
        found = []
        for count in (1, 2, 3, 1):
            torch.set_num_threads(count)
            found.append(layer(x)[0])
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(y, found[0]) for y in found)


def test_many_threads_share_a_plan() -> None:
    layer = sluice.nn.LSTM(3, 5, num_layers=2)
    inputs = [torch.randn(1 + n, 2, 3) for n in range(8)]
    expected = [rebuild(layer)(x)[0] for x in inputs]
    found: dict[int, Tensor] = {}

    def call(n: int) -> None:
        for _ in range(20):
            found[n] = layer(inputs[n])[0]

    threads = [threading.Thread(target=call, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n, y in enumerate(expected):
        torch.testing.assert_close(found[n], y, rtol=1e-5, atol=2e-6)


def test_subclasses_between_calls() -> None:
    class Named(Tensor):
        pass

    layer, x = sluice.nn.LSTM(3, 5), torch.randn(4, 2, 3)
    plain = layer(x)[0]
    y, _ = layer(x.as_subclass(Named))
    assert type(y) is Named
    torch.testing.assert_close(y.as_subclass(Tensor), plain)
    assert type(layer(x)[0]) is Tensor
