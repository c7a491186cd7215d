"""One-step cells against torch's own: values, gradients, and what they refuse."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

import sluice
from child_process import run_python
from sluice.run.kernels import extension

CASES = [("LSTMCell", {}), ("GRUCell", {}), ("RNNCell", {}), ("RNNCell", {"nonlinearity": "relu"})]
needs_kernels = pytest.mark.skipif(
    extension.load_extension() is None, reason="there are no kernels here"
)


def pair(name: str, inputs: int = 4, hidden: int = 5, **options: Any) -> tuple[Any, Any]:
    theirs, ours = (
        getattr(library, name)(inputs, hidden, **options) for library in (nn, sluice.nn)
    )
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def as_tuple(states: Any) -> tuple[Tensor, ...]:
    return states if isinstance(states, tuple) else (states,)


def run(cell: Any, x: Tensor, given: tuple[Tensor, ...] | None, parameters: Any) -> list[Tensor]:
    """Three steps: the states of each, and gradients of everything for a weighted sum."""
    x = x.clone().requires_grad_()
    inner = [] if given is None else [t.clone().requires_grad_() for t in given]
    states: Any = None if given is None else tuple(inner) if len(inner) > 1 else inner[0]
    results: list[Tensor] = []
    for step in x.unbind():
        states = cell(step, states)
        results += as_tuple(states)
    loss = torch.stack(
        [(torch.linspace(-1, 2, t.numel()).view(t.shape).to(t) * t).sum() for t in results]
    ).sum()
    return [*results, *torch.autograd.grad(loss, [x, *inner, *parameters])]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_and_gradients(case: tuple[str, dict[str, Any]], dtype: torch.dtype) -> None:
    name, options = case
    for hidden, bias, batch, is_given in (
        (5, True, (3,), True),
        (33, False, (2,), False),
        (16, True, (), True),
        (7, False, (), False),
        (64, True, (17,), True),
    ):
        theirs, ours = pair(name, 4, hidden, bias=bias, dtype=dtype, **options)
        x = torch.randn(3, *batch, 4, dtype=dtype)
        count = 2 if name == "LSTMCell" else 1
        given = tuple(torch.randn(*batch, hidden, dtype=dtype) for _ in range(count))
        found, expected = (
            run(cell, x, given if is_given else None, list(cell.parameters()))
            for cell in (ours, theirs)
        )
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a, b, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("case", CASES[:3], ids=str)
def test_gradients_of_gradients(case: tuple[str, dict[str, Any]]) -> None:
    cell = getattr(sluice.nn, case[0])(2, 3).double()
    x = torch.randn(2, 2, dtype=torch.float64, requires_grad=True)
    h = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)

    def call(x: Tensor, h: Tensor, *weights: Tensor) -> Any:
        return cell(x, (h, h * 0.5) if case[0] == "LSTMCell" else h)

    assert torch.autograd.gradcheck(call, (x, h, *cell.parameters()))
    assert torch.autograd.gradgradcheck(call, (x, h, *cell.parameters()))


@pytest.mark.parametrize("case", CASES[:3], ids=str)
def test_what_torch_refuses_is_refused_in_its_words(case: tuple[str, dict[str, Any]]) -> None:
    theirs, ours = pair(case[0])
    good, state = torch.randn(3, 4), torch.randn(3, 5)

    def states(h: Tensor) -> Any:
        return (h, h) if case[0] == "LSTMCell" else h

    calls: list[Callable[[Any], object]] = [
        lambda cell: cell(torch.randn(2, 3, 4)),
        lambda cell: cell(torch.randn(3, 3)),
        lambda cell: cell(good, states(torch.randn(2, 5))),
        lambda cell: cell(good, states(torch.randn(3, 4))),
        lambda cell: cell(good, states(torch.randn(1, 3, 5))),
        lambda cell: cell(good.double(), states(state.double())),
    ]
    ours(good, states(state))
    for call in calls:
        with pytest.raises((RuntimeError, ValueError)) as expected:
            call(theirs)
        with pytest.raises(expected.type) as found:
            call(ours)
        assert str(found.value) == str(expected.value)


@pytest.mark.parametrize("case", CASES[:3], ids=str)
@pytest.mark.parametrize("route", ["reference", "native", "jvp", "vmap"])
def test_states_are_checked_on_every_route(case: tuple[str, dict[str, Any]], route: str) -> None:
    theirs, ours = pair(case[0])
    x, good = torch.randn(3, 4), torch.randn(3, 5)

    def call(cell: Any, x: Tensor, h: Tensor) -> Any:
        return as_tuple(cell(x, (h, h) if case[0] == "LSTMCell" else h))[0]

    def run(x: Tensor, h: Tensor) -> Any:
        if route == "jvp":
            return torch.func.jvp(lambda v: call(ours, v, h), (x,), (torch.ones_like(x),))[0]
        if route == "vmap":
            return torch.func.vmap(lambda v: call(ours, v, h))(x[None])[0]
        ours.backend = route
        return call(ours, x, h)

    torch.testing.assert_close(run(x, good), call(theirs, x, good))
    for bad in (good[:1], good[0], good[:, :4], good.t(), good[None], good[:, :1], good.double()):
        with pytest.raises((RuntimeError, ValueError)):
            run(x, bad)
    with pytest.raises((RuntimeError, ValueError)):
        run(x[:, :3], good)


LAYERS_IN_PLACE = """
import torch, sluice
try:  # torch's own LSTM in bfloat16 needs a processor that oneDNN has kernels for
    with torch.autocast("cpu", torch.bfloat16):
        torch.nn.LSTM(4, 5)(torch.randn(3, 4))
    PRECISIONS = (False, True)
except RuntimeError:
    PRECISIONS = (False,)
for kind in ("LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"):
    theirs = getattr(torch.nn, kind)(4, 5)
    setattr(torch.nn, kind, getattr(sluice.nn, kind))
    ours = getattr(torch.nn, kind)(4, 5)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(3, 4)
    for backend in (None, "native", "reference", "fused"):
        ours.backend = backend
        for autocast in PRECISIONS:
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                pairs = zip(*(torch.utils._pytree.tree_leaves(m(x)) for m in (ours, theirs)))
            tolerance = dict(rtol=2e-2, atol=2e-2) if autocast else dict(rtol=1e-5, atol=1e-6)
            for a, b in pairs:
                torch.testing.assert_close(a.float(), b.float(), **tolerance)
    sluice.nn.convert(ours, to="torch")
    assert type(ours).__module__ == "torch.nn.modules.rnn", type(ours)
"""


def test_torch_patched_by_these_classes() -> None:
    run_python(LAYERS_IN_PLACE)


@needs_kernels
@pytest.mark.parametrize("case", CASES[:3], ids=str)
def test_changes_between_calls_are_seen(case: tuple[str, dict[str, Any]]) -> None:
    theirs, ours = pair(case[0])
    x = torch.randn(3, 2, 4)

    def check() -> None:
        own = copy.deepcopy(theirs)
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            setattr(own, name, nn.Parameter(getattr(ours, name).detach().clone()))
        found, expected = (run(cell, x, None, [])[:3] for cell in (ours, own))
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=2e-6)

    check()
    with torch.no_grad():
        ours.weight_hh.mul_(2)
    check()
    ours.weight_hh.data = torch.randn(ours.weight_hh.shape[::-1]).t()
    check()
    ours.load_state_dict(theirs.state_dict(), assign=True)
    check()
    for backend in ("reference", "native", "fused", None):
        ours.backend = backend
        check()
    parametrizations.weight_norm(ours, "weight_hh")
    check()
    ours.requires_grad_(False)
    assert all(not t.requires_grad for t in as_tuple(ours(x[0])))
    with torch.autocast("cpu", torch.bfloat16):
        found, expected = (as_tuple(cell(x[0]))[0].dtype for cell in (ours, theirs))
    assert found == expected


@needs_kernels
def test_a_nonlinearity_that_changes_is_seen() -> None:
    cell, x = sluice.nn.RNNCell(4, 5), torch.randn(3, 4)
    cell(x)
    cell.nonlinearity = "relu"
    own = nn.RNNCell(4, 5, nonlinearity="relu")
    own.load_state_dict(cell.state_dict())
    torch.testing.assert_close(cell(x), own(x), rtol=1e-5, atol=2e-6)


@needs_kernels
def test_copies_make_their_own_plans() -> None:
    cell, x = sluice.nn.GRUCell(4, 5), torch.randn(3, 4)
    before = cell(x)
    copied = copy.deepcopy(cell)
    with torch.no_grad():
        cell.weight_ih.zero_()
    assert torch.equal(copied(x), before) and not torch.equal(cell(x), before)
