"""The behaviour behind each private name of torch, on every version."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad

from sluice.run import torch_state

# torch.func.jvp scripts its own decompositions.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")


def test_forward_mode_is_active_inside_a_level_alone() -> None:
    assert not torch_state.is_forward_mode_active()
    with forward_ad.dual_level():
        assert torch_state.is_forward_mode_active()
    assert not torch_state.is_forward_mode_active()


def test_forward_mode_is_seen_without_the_private_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class Public:
        """`torch.autograd.forward_ad` with its public names alone."""

        make_dual = staticmethod(forward_ad.make_dual)

    monkeypatch.setattr(torch_state, "forward_ad", Public)
    assert not torch_state.is_forward_mode_active()
    with forward_ad.dual_level():
        assert torch_state.is_forward_mode_active()


TRANSFORMS: dict[str, Callable[[Callable[[Tensor], Tensor]], object]] = {
    "grad": lambda f: torch.func.grad(lambda x: f(x).sum())(torch.ones(3)),
    "vjp": lambda f: torch.func.vjp(f, torch.ones(3)),
    "jvp": lambda f: torch.func.jvp(f, (torch.ones(3),), (torch.ones(3),)),
    "vmap": lambda f: torch.func.vmap(f)(torch.ones(3)),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_function_transform_is_active_inside_it_alone(name: str) -> None:
    seen = []

    def function(x: Tensor) -> Tensor:
        seen.append((torch_state.is_function_transform_active(), torch_state.is_transform_active()))
        return x * 2

    TRANSFORMS[name](function)
    function(torch.ones(3))
    assert seen == [(True, True), (False, False)]


def test_plain_autograd_is_no_transform() -> None:
    seen = []
    x = torch.ones(3, requires_grad=True)
    x.register_hook(lambda g: seen.append(torch_state.is_transform_active()))
    (x * 2).sum().backward()
    assert seen == [False]


def test_a_constant_is_computed_once_while_tracing() -> None:
    """Untraced: a growing list would be a side effect in the graph."""
    torch._dynamo.reset()
    calls: list[int] = []

    @torch_state.mark_constant
    def count() -> int:
        calls.append(sys.getrefcount(calls))  # which a compiler could not trace
        return len(calls)

    def function(x: Tensor) -> Tensor:
        return x + count()

    compiled = torch.compile(function, fullgraph=True, backend="eager")
    assert [compiled(torch.zeros(1)).item() for _ in range(3)] == [1.0, 1.0, 1.0]
    assert len(calls) == 1


@pytest.mark.parametrize("has_foreach", [True, False])
def test_lists_of_tensors_change_in_place(
    has_foreach: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_foreach:
        for name in ("_foreach_mul_", "_foreach_lerp_", "_foreach_copy_"):
            monkeypatch.delattr(torch, name)
    tensors, ends = [torch.ones(2), torch.full((3,), 4.0)], [torch.zeros(2), torch.full((3,), 8.0)]
    originals = list(tensors)
    torch_state.scale_tensors_(tensors, 3.0)
    assert [t.tolist() for t in originals] == [[3.0] * 2, [12.0] * 3]
    torch_state.lerp_tensors_(tensors, ends, 0.25)
    assert [t.tolist() for t in originals] == [[2.25] * 2, [11.0] * 3]
    torch_state.copy_tensors_(tensors, ends)
    assert [t.tolist() for t in originals] == [[0.0] * 2, [8.0] * 3]
    for call in (torch_state.lerp_tensors_, torch_state.copy_tensors_):
        call([], [], *([0.5] if call is torch_state.lerp_tensors_ else []))
    torch_state.scale_tensors_([], 2.0)


def test_tensors_in_containers_are_mapped() -> None:
    tree = {"a": (torch.ones(2), 3), "b": [None, torch.zeros(1)]}
    found = torch_state.map_tensors(lambda t: t + 1, tree)
    assert found["a"][0].tolist() == [2.0, 2.0] and found["a"][1] == 3
    assert found["b"][0] is None and found["b"][1].tolist() == [1.0]
    assert tree["a"][0].tolist() == [1.0, 1.0]
