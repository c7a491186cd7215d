"""The drop-in layers against torch's own, on either backend."""

from __future__ import annotations

import copy
import itertools
import pickle
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import sluice
from sampling import thin_out

PAIRS = [
    (nn.LSTM, sluice.nn.LSTM, {}),
    (nn.LSTM, sluice.nn.LSTM, {"proj_size": 3}),
    (nn.GRU, sluice.nn.GRU, {}),
    (nn.RNN, sluice.nn.RNN, {}),
    (nn.RNN, sluice.nn.RNN, {"nonlinearity": "relu"}),
]
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported")


def pair(place: int, **options: Any) -> tuple[Any, Any]:
    theirs, ours, fixed = PAIRS[place]
    torch.manual_seed(3)
    a = theirs(4, 5, **fixed, **options)
    torch.manual_seed(3)
    return a, ours(4, 5, **fixed, **options)


def as_tuple(states: Any) -> tuple[torch.Tensor, ...]:
    return states if isinstance(states, tuple) else (states,)


def close(a: Any, b: Any) -> None:
    torch.testing.assert_close(a, b, rtol=1e-5, atol=2e-6)


OPTIONS = [
    dict(zip(("bidirectional", "batch_first", "bias", "num_layers"), values, strict=True))
    for values in itertools.product((False, True), (False, True), (False, True), (1, 2))
]


@pytest.mark.parametrize("backend", thin_out([None, "reference"], 2))
@pytest.mark.parametrize("place", range(len(PAIRS)))
def test_values_gradients_and_names(place: int, backend: str | None) -> None:
    for options in OPTIONS:
        if options["num_layers"] > 1:
            options = {**options, "dropout": 0.5}
        a, b = pair(place, **options)
        assert list(a.state_dict()) == list(b.state_dict())
        assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
        b.backend = backend
        x = torch.randn(3, 6, 4)
        results = []
        for layer in (a, b):
            inner = x.clone().requires_grad_()
            torch.manual_seed(7)
            y, last = layer(inner)
            weights = [torch.linspace(-1, 2, t.numel()).view(t.shape) for t in (y, *as_tuple(last))]
            loss = sum((w * t).sum() for w, t in zip(weights, (y, *as_tuple(last)), strict=True))
            gradients = torch.autograd.grad(loss, [inner, *layer.parameters()])
            results.append((y, *as_tuple(last), *gradients))
        for mine, theirs in zip(results[1], results[0], strict=True):
            torch.testing.assert_close(mine, theirs, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("backend", [None, "reference"])
@pytest.mark.parametrize("place", range(len(PAIRS)))
def test_packed_unbatched_and_given_states(place: int, backend: str | None) -> None:
    a, b = pair(place, num_layers=2, bidirectional=True, dropout=0.5)
    b.backend = backend
    packed = pack_padded_sequence(
        torch.randn(6, 4, 4), torch.tensor([2, 6, 1, 4]), enforce_sorted=False
    )
    states = [torch.randn_like(s) for s in as_tuple(a(packed)[1])]
    hx = tuple(states) if len(states) > 1 else states[0]
    results = []
    for layer in (a, b):
        torch.manual_seed(5)
        y, last = layer(packed, hx)
        results.append((y.data, y.batch_sizes, y.sorted_indices, *as_tuple(last)))
    for mine, theirs in zip(results[1], results[0], strict=True):
        close(mine, theirs)
    a.eval(), b.eval()
    one = [s[:, 0] for s in states]
    for mine, theirs in zip(
        b(torch.ones(6, 4), tuple(one) if len(one) > 1 else one[0]),
        a(torch.ones(6, 4), tuple(one) if len(one) > 1 else one[0]),
        strict=True,
    ):
        close(mine, theirs)


@pytest.mark.parametrize("place", range(len(PAIRS)))
def test_state_dicts_copies_and_pickles(place: int) -> None:
    a, b = pair(place, num_layers=2)
    for parameter in a.parameters():
        nn.init.normal_(parameter)
    b.load_state_dict(a.state_dict())
    x = torch.randn(5, 2, 4)
    for other in (b, copy.deepcopy(b), pickle.loads(pickle.dumps(b))):
        close(other(x)[0], a(x)[0])
    fresh = pair(place, num_layers=2)[0]
    fresh.load_state_dict(b.state_dict())
    assert isinstance(b, nn.RNNBase) and not isinstance(b, type(a))


BAD_CALLS = [
    lambda layer: layer(torch.zeros(5, 2, 3)),
    lambda layer: layer(torch.zeros(4)),
    lambda layer: layer(torch.zeros(5, 2, 4), torch.zeros(1, 3, 5)),
    lambda layer: layer(torch.zeros(5, 2, 4), torch.zeros(2, 5)),
    lambda layer: layer(torch.zeros(5, 4), torch.zeros(1, 2, 5)),
    lambda layer: layer(torch.zeros(5, 2, 4, dtype=torch.float64)),
    lambda layer: layer(torch.zeros(0, 2, 4)),
]


@pytest.mark.parametrize("backend", [None, "reference"])
@pytest.mark.parametrize("call", range(len(BAD_CALLS)))
def test_errors_of_a_call_are_torchs(call: int, backend: str | None) -> None:
    a, b = pair(2)
    b.backend = backend
    with pytest.raises(Exception) as theirs:
        BAD_CALLS[call](a)
    with pytest.raises(type(theirs.value)):
        BAD_CALLS[call](b)


@pytest.mark.parametrize(
    "options",
    [
        {"hidden_size": 0},
        {"hidden_size": "5"},
        {"num_layers": 0},
        {"dropout": 2.0, "num_layers": 2},
        {"bias": 1},
        {"proj_size": -1},
        {"proj_size": 5},
    ],
)
def test_errors_of_the_constructor_are_torchs(options: dict[str, Any]) -> None:
    arguments = {"input_size": 4, "hidden_size": 5, **options}
    try:
        nn.LSTM(**arguments)
    except (ValueError, TypeError) as error:
        theirs = type(error)
    else:
        assert options == {"bias": 1}
        pytest.skip("torch 2.6 takes any bias")
    with pytest.raises(theirs):
        sluice.nn.LSTM(**arguments)


def test_refusals_of_gru_and_rnn() -> None:
    with pytest.raises(ValueError, match="only supported for LSTM"):
        sluice.nn.GRU(4, 5, proj_size=2)
    with pytest.raises(ValueError, match="Unknown nonlinearity"):
        sluice.nn.RNN(4, 5, 1, "swish")
    assert sluice.nn.RNN(4, 5, 1, "relu").nonlinearity == "relu"


def test_dropout_on_one_layer_warns_as_torch_does() -> None:
    with pytest.warns(UserWarning, match="all but last"):
        sluice.nn.GRU(4, 5, dropout=0.1)


@pytest.mark.parametrize("backend", [None, "reference"])
@pytest.mark.parametrize("name", ["LSTMCell", "GRUCell", "RNNCell"])
def test_one_step_cells(name: str, backend: str | None) -> None:
    theirs, ours = getattr(nn, name)(4, 5), getattr(sluice.nn, name)(4, 5)
    ours.load_state_dict(theirs.state_dict())
    ours.backend = backend
    x, h = torch.randn(3, 4), torch.randn(3, 5)
    hx = (h, torch.randn(3, 5)) if name == "LSTMCell" else h
    for arguments in ((x,), (x, hx), (x[0],)):
        for mine, expected in zip(
            as_tuple(ours(*arguments)), as_tuple(theirs(*arguments)), strict=True
        ):
            close(mine, expected)


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
def test_other_dtypes(kind: torch.dtype) -> None:
    a, b = pair(2)
    a.to(kind), b.to(kind)
    x = torch.randn(5, 2, 4).to(kind)
    b.backend = "reference"
    torch.testing.assert_close(
        b(x)[0], a(x)[0], rtol=2e-2 if kind is torch.bfloat16 else 1e-9, atol=1e-2
    )
    assert b(x)[0].dtype is kind


@pytest.mark.parametrize("layer", [sluice.nn.LSTM(4, 5), sluice.nn.GRU(4, 5), sluice.nn.RNN(4, 5)])
def test_autocast_is_followed_by_all(layer: nn.Module) -> None:
    x = torch.randn(5, 2, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, _ = layer(x)
    assert y.dtype is torch.bfloat16
    torch.testing.assert_close(y.float(), layer(x)[0], rtol=0, atol=2e-2)


@pytest.mark.parametrize("backend", [None, "reference"])
@pytest.mark.parametrize("wrong", [torch.float32, torch.float64, torch.bfloat16])
def test_states_of_another_dtype_are_refused(backend: str | None, wrong: torch.dtype) -> None:
    """As torch refuses a hidden state of another dtype: the kernels would read beyond its end."""
    right = torch.float32 if wrong is not torch.float32 else torch.float64
    x, good, bad = torch.ones(2, 1, 3).to(right), torch.ones(1, 1, 4).to(right), torch.ones(1, 1, 4)
    bad = bad.to(wrong)
    for kind, hx in (("LSTM", (bad, good)), ("GRU", bad), ("RNN", bad), ("LSTM", (good, bad))):
        if hx is bad or hx[0] is bad:
            with pytest.raises((RuntimeError, ValueError)):
                getattr(torch.nn, kind)(3, 4, dtype=right)(x, hx)
        layer = getattr(sluice.nn, kind)(3, 4, dtype=right)
        layer.backend = backend
        with pytest.raises(RuntimeError, match="hx must be"):
            layer(x, hx)


def test_a_state_on_another_device_is_refused() -> None:
    with pytest.raises(RuntimeError, match="on meta"):
        sluice.nn.GRU(3, 4)(torch.ones(2, 1, 3), torch.ones(1, 1, 4, device="meta"))


def test_autocast_leaves_float64_states_checked() -> None:
    layer = sluice.nn.GRU(3, 4).double()
    with torch.autocast("cpu", dtype=torch.bfloat16), pytest.raises(RuntimeError, match="hx must"):
        layer(torch.ones(2, 1, 3).double(), torch.ones(1, 1, 4))
