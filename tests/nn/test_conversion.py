"""`convert`: a layer keeps all that it carries, or says what cannot be kept."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune

import sluice

KINDS = ["LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"]


class OwnForward(nn.LSTM):
    def forward(self, *arguments: Any, **options: Any) -> Any:
        y, last = super().forward(*arguments, **options)
        return 2 * y, last


class OwnForwardToo(sluice.nn.GRU):
    def forward(self, *arguments: Any, **options: Any) -> Any:
        y, last = super().forward(*arguments, **options)
        return 2 * y, last


def make_input(layer: nn.Module) -> Tensor:
    torch.manual_seed(1)
    dtype = next(layer.parameters()).dtype
    return torch.randn((5, 2, 3) if isinstance(layer, nn.RNNBase) else (2, 3), dtype=dtype)


def run(layer: nn.Module) -> list[Tensor]:
    """Outputs for some input, and gradients of all parameters that learn."""
    x = make_input(layer)
    states = torch.randn(*((1, 2, 4) if x.ndim == 3 else (2, 4)), dtype=x.dtype)
    results = layer(x, (states, 0.5 * states) if "LSTM" in type(layer).__name__ else states)
    results = results if isinstance(results, tuple) else (results,)
    flat = [t for r in results for t in (r if isinstance(r, tuple) else (r,))]
    loss = torch.stack([(torch.linspace(-1, 2, t.numel()).to(t) * t.flatten()).sum() for t in flat])
    learned = [p for p in layer.parameters() if p.requires_grad]
    return [*flat, *torch.autograd.grad(loss.sum(), learned)]


def check_round_trip(layer: Any, training: bool = True) -> None:
    """To Sluice and back: the same object, state, parameters, values and gradients."""
    layer.train(training)
    kind, parameters, state = type(layer), list(layer.parameters()), dict(layer.state_dict())
    expected = run(layer)
    assert sluice.nn.convert(layer) is layer
    assert isinstance(layer, getattr(sluice.nn, kind.__name__.removeprefix("Parametrized")))
    for _ in range(2):
        assert all(a is b for a, b in zip(layer.parameters(), parameters, strict=True))
        assert layer.state_dict().keys() == state.keys() and layer.training is training
        assert all(not p.is_meta for p in layer.parameters())
        for found, wanted in zip(run(layer), expected, strict=True):
            torch.testing.assert_close(found, wanted)
        assert sluice.nn.convert(layer, to="torch") is layer
    assert kind.__mro__[1:] == type(layer).__mro__[1:] and kind.__name__ == type(layer).__name__
    assert not {"cell", "hidden_sizes", "_plan", "_backend"} & vars(layer).keys()


@pytest.mark.parametrize("kind", KINDS)
def test_plain_layers_there_and_back(kind: str) -> None:
    layer = getattr(nn, kind)(3, 4, dtype=torch.float64)
    next(layer.parameters()).requires_grad_(False)
    check_round_trip(layer)


@pytest.mark.parametrize(
    "register",
    [
        lambda m, n: parametrizations.weight_norm(m, n),
        lambda m, n: parametrizations.spectral_norm(m, n),
        lambda m, n: parametrizations.orthogonal(m, n),
        lambda m, n: nn.utils.weight_norm(m, n),
        lambda m, n: nn.utils.spectral_norm(m, n),
        lambda m, n: prune.random_unstructured(m, n, amount=0.4),
    ],
    ids=["weight_norm", "spectral", "orthogonal", "old_weight_norm", "old_spectral", "pruned"],
)
@pytest.mark.parametrize("kind", ["LSTM", "GRUCell"])
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_parametrized_and_pruned_weights(
    kind: str, register: Callable[[nn.Module, str], object]
) -> None:
    layer = getattr(nn, kind)(3, 4)
    name = "weight_hh_l0" if kind == "LSTM" else "weight_hh"
    register(layer, name)
    check_round_trip(layer, training=False)
    sluice.nn.convert(layer)
    before = run(layer)[0]
    for parameter in (p for n, p in layer.named_parameters() if "weight_hh" in n):
        parameter.data.normal_()
    assert (run(layer)[0] - before).abs().max() > 1e-3  # the weight is still computed


def test_removing_a_parametrization_after_conversion() -> None:
    layer = parametrizations.weight_norm(nn.LSTM(3, 4), "weight_hh_l0")
    expected = layer(make_input(layer))[0]
    sluice.nn.convert(layer)
    parametrize.remove_parametrizations(layer, "weight_hh_l0")
    assert type(layer) is sluice.nn.LSTM
    torch.testing.assert_close(layer(make_input(layer))[0], expected)


def test_hooks_buffers_and_attributes() -> None:
    model = nn.Sequential(nn.LSTM(3, 4))
    layer: Any = model[0]
    seen: list[str] = []
    layer.register_forward_pre_hook(lambda m, i: seen.append("pre"))
    layer.register_forward_hook(lambda m, i, o: (o[0] * 2, o[1]))
    layer.register_full_backward_hook(lambda m, gi, go: seen.append("backward"))
    layer.register_state_dict_post_hook(lambda *a: seen.append("saved"))
    layer.register_load_state_dict_pre_hook(lambda *a: seen.append("loaded"))
    layer.weight_hh_l0.register_hook(lambda g: g * 3)
    layer.register_buffer("note", torch.ones(1))
    layer.extra, layer.label = nn.Parameter(torch.zeros(2)), "mine"
    elsewhere = layer  # a reference that no module of the model holds
    x = torch.randn(6, 3, 3, requires_grad=True)

    def call() -> tuple[Tensor, Tensor]:
        layer.weight_hh_l0.grad = None
        y = model(x)[0]
        y.square().sum().backward()
        model.load_state_dict(model.state_dict())
        assert layer.weight_hh_l0.grad is not None
        return y, layer.weight_hh_l0.grad

    expected, before = call(), list(seen)
    seen.clear()
    sluice.nn.convert(model)
    assert model[0] is elsewhere and type(layer) is sluice.nn.LSTM
    for found, wanted in zip(call(), expected, strict=True):
        torch.testing.assert_close(found, wanted)
    assert seen == before and set(seen) == {"pre", "backward", "saved", "loaded"}
    assert layer.label == "mine" and "note" in dict(layer.named_buffers())
    assert "0.extra" in dict(model.named_parameters())


def test_shared_weights_layers_and_optimizers() -> None:
    a, b = nn.GRU(3, 3), nn.GRU(3, 3)
    b.weight_hh_l0 = a.weight_hh_l0
    model = nn.ModuleDict({"a": a, "b": b, "again": a})
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    twin = copy.deepcopy(model)
    other = torch.optim.SGD(twin.parameters(), 0.1)
    sluice.nn.convert(model)
    assert model["again"] is model["a"] and b.weight_hh_l0 is a.weight_hh_l0
    x = torch.randn(5, 2, 3)
    for net, step in ((model, optimizer), (twin, other)):
        (net["b"](net["a"](x)[0])[0] + net["again"](x)[0]).square().sum().backward()
        step.step()
    for found, wanted in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(found, wanted)


def test_code_of_its_own_is_left_and_named() -> None:
    model = nn.ModuleDict({"own": OwnForward(3, 4), "plain": nn.GRU(3, 4)})
    with pytest.warns(UserWarning, match="own, a OwnForward"):
        sluice.nn.convert(model)
    assert type(model["own"]) is OwnForward and type(model["plain"]) is sluice.nn.GRU
    with pytest.warns(UserWarning, match="a OwnForwardToo"):
        sluice.nn.convert(OwnForwardToo(3, 4), to="torch")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is Sluice's already
        sluice.nn.convert(OwnForwardToo(3, 4))


def test_what_cannot_be_kept_is_refused_and_nothing_changes() -> None:
    taken = nn.LSTM(3, 4)
    taken.cell = "mine"
    reshaped = nn.GRU(3, 4)
    reshaped.weight_hh_l0 = nn.Parameter(torch.zeros(12, 5))
    int8 = sluice.nn.GRU(3, 4)
    int8.precision = "int8"
    own = sluice.nn.Recurrent(sluice.cells.MGU, 3, 4)
    for layer, to, message in (
        (taken, "sluice", "encoder.1, a .*LSTM, has an attribute 'cell'"),
        (reshaped, "sluice", r"weight_hh_l0 of shape \(12, 5\)"),
        (int8, "torch", "int8 precision"),
        (own, "torch", "torch has no layer for encoder.1, a Recurrent.MGU"),
    ):
        other = nn.LSTM(3, 3) if to == "sluice" else sluice.nn.LSTM(3, 3)
        model, kind = nn.ModuleDict({"encoder": nn.Sequential(other, layer)}), type(other)
        with pytest.raises(ValueError, match=message):
            sluice.nn.convert(model, to=to)  # type: ignore[arg-type]
        assert type(other) is kind


def test_meta_layers_stay_meta_and_others_do_not_become_so() -> None:
    layer = nn.LSTM(3, 4, device="meta")
    sluice.nn.convert(layer)
    assert all(p.is_meta for p in layer.parameters())
    layer.to_empty(device="cpu").reset_parameters()
    assert torch.isfinite(layer(torch.randn(5, 2, 3))[0]).all()
