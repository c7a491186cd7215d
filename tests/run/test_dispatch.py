"""Which backend runs, for each reason; and that a tangent is never silently zero."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn.utils import prune

import sluice
from sluice.run.dispatch import _issued_warnings, choose_backend
from sluice.run.kernels import extension


def of(*tensors: Tensor, beyond: str | None = None, backend: str | None = None) -> Any:
    return choose_backend(tensors, beyond, backend)


def describe(choice: Any) -> tuple[str, str]:
    return choice.name, choice.reason


X = torch.zeros(2, 3, 4)
# torch.func.jvp scripts its own decompositions.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")


class Marked(Tensor):
    """A subclass, such as those that spread a tensor over machines."""


CASES: dict[str, tuple[Callable[[], Any], str, str]] = {
    "plain": (lambda: of(X), "fused", "kernels for"),
    "double": (lambda: of(X.double()), "fused", "kernels for"),
    "mixed": (lambda: of(X, X.double()), "native", "not all float32"),
    "mixed and beyond torch": (lambda: of(X, X.double(), beyond="b"), "reference", "lacks b"),
    "half": (lambda: of(X.half()), "native", "torch.float16"),
    "bfloat16": (lambda: of(X.bfloat16()), "native", "not all float32"),
    "empty": (lambda: of(X[:0]), "native", "empty"),
    "subclass": (lambda: of(X.as_subclass(Marked)), "reference", "Marked"),
    "meta": (lambda: of(X.to("meta")), "reference", "meta"),
    "prefer the reference": (lambda: of(X, backend="reference"), "reference", "layer.backend"),
    "prefer torch": (lambda: of(X, backend="native"), "native", "layer.backend"),
    "prefer torch in vain": (lambda: of(X, backend="native", beyond="b"), "reference", "lacks b"),
}


@pytest.mark.parametrize("case", CASES)
def test_every_branch(case: str) -> None:
    ask, name, reason = CASES[case]
    found = ask()
    assert found.name == name and reason in found.reason, found


def test_transforms_and_compilers() -> None:
    backends = []

    def note(x: Tensor) -> Tensor:
        backends.append(of(x).name)
        return x.sum()

    torch.func.grad(note)(X)
    torch.func.vmap(note)(X)
    torch.func.jvp(note, (X,), (X,))
    with forward_ad.dual_level():
        note(X)
    assert backends == ["reference"] * 4
    assert of(X).name == "fused"


def test_without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extension, "load_extension", lambda: None)
    _issued_warnings.clear()
    assert describe(of(X))[0] == "native" and "SLUICE_PURE=1" in of(X).reason
    layer = sluice.nn.Recurrent(sluice.cells.MGU, 4, 4)
    assert layer.resolved_backend.name == "reference"
    with pytest.warns(RuntimeWarning, match="slow loop"):
        layer(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer(X)  # once is enough
    layer.precision = "bfloat16"
    with pytest.warns(RuntimeWarning, match="bfloat16"):
        layer(X)


@pytest.mark.parametrize("cell", [sluice.cells.LSTM, sluice.cells.MGU])
def test_tangents_equal_those_of_the_reference(cell: Any) -> None:
    layer = sluice.nn.Recurrent(cell, 4, 5).double()
    x, tangent = torch.randn(6, 2, 4).double(), torch.randn(6, 2, 4).double()
    found = torch.func.jvp(lambda v: layer(v)[0], (x,), (tangent,))[1]
    step = 1e-6
    with torch.no_grad():
        expected = (layer(x + step * tangent)[0] - layer(x - step * tangent)[0]) / (2 * step)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-8)
    assert found.abs().min() > 0
    with forward_ad.dual_level():
        dual = layer(forward_ad.make_dual(x, tangent))[0]
        again = forward_ad.unpack_dual(dual).tangent
    torch.testing.assert_close(again, found)


def test_gradients_of_gradients_come_through_the_kernels_as_well() -> None:
    layer = sluice.nn.GRU(3, 5).double()
    assert layer.resolved_backend.name == "fused"
    x = torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda v: layer(v)[0], (x,), atol=1e-6)


def test_weights_are_read_at_every_call() -> None:
    """Also if they were written through ``.data``, NumPy or a parametrisation."""
    layer, x = sluice.nn.LSTM(4, 6), torch.randn(5, 2, 4)
    twin = torch.nn.LSTM(4, 6)

    def same() -> None:
        twin.load_state_dict(
            {name: getattr(layer, name).detach() for name, _ in twin.named_parameters()}
        )
        torch.testing.assert_close(layer(x)[0], twin(x)[0], rtol=1e-5, atol=1e-6)

    layer.weight_hh_l0.data.mul_(2)
    same()
    layer.weight_ih_l0.detach().numpy()[:] += 0.1
    same()
    torch.nn.utils.parametrizations.weight_norm(layer, "weight_hh_l0")
    layer.parametrizations.weight_hh_l0.original0.data.mul_(1.5)
    same()
    y = layer(x)[0]
    y.sum().backward()
    assert layer.parametrizations.weight_hh_l0.original0.grad.abs().sum() > 0


def test_pruned_and_tied_weights() -> None:
    layer, x = sluice.nn.GRU(6, 6), torch.randn(5, 2, 6)
    prune.l1_unstructured(layer, "weight_hh_l0", 0.5)
    twin = torch.nn.GRU(6, 6)
    state = {name: getattr(layer, name).detach() for name, _ in twin.named_parameters()}
    twin.load_state_dict(state)
    torch.testing.assert_close(layer(x)[0], twin(x)[0], rtol=1e-5, atol=1e-6)
    layer(x)[0].sum().backward()
    assert layer.weight_hh_l0_orig.grad[layer.weight_hh_l0_mask == 0].abs().max() == 0
    tied = sluice.nn.RNN(6, 6)
    tied.weight_ih_l0 = tied.weight_hh_l0
    other = copy.deepcopy(tied)
    other.backend = "reference"
    tied(x)[0].sum().backward()
    other(x)[0].sum().backward()
    torch.testing.assert_close(tied.weight_hh_l0.grad, other.weight_hh_l0.grad)
