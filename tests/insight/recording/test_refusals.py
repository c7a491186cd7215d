"""Compiled, exported, traced and transformed calls are refused, and leave nothing on the tape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import sluice
from sampling import thin_out


class Loop(nn.Module):
    """A cell called step by step, in a model that may be compiled around it."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = sluice.nn.GRUCell(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        state = None
        for row in x:
            state = self.cell(row, state)
        assert state is not None
        return state


class Around(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = sluice.nn.LSTM(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(2 * x)[0].sum(0)
        return y


X = torch.randn(3, 2, 3)


def refuse(model: nn.Module, call: Callable[[], object]) -> None:
    with sluice.record(model) as tape:
        model(X)
        assert tape.h.numel()
        with pytest.raises(RuntimeError, match=r"inside the block call the plain model"):
            call()
        with pytest.raises(RuntimeError, match="has recorded nothing"):
            _ = tape.h  # which was of the call before
        y = model(X)
    assert torch.equal(tape.h[-1], y.detach()) or isinstance(model, Around)


@pytest.mark.parametrize("kind", [Loop, Around])
@pytest.mark.parametrize("full", thin_out([True, False], 2))
@pytest.mark.parametrize("is_known", [True, False])
def test_compiled_programs(kind: type[nn.Module], full: bool, is_known: bool) -> None:
    torch.compiler.reset()
    model = kind()
    compiled: Any = torch.compile(model, backend="eager", fullgraph=full)
    expected = model(X)
    if is_known:
        torch.testing.assert_close(compiled(X), expected)
    refuse(model, lambda: compiled(X))
    torch.testing.assert_close(compiled(X), expected)  # outside, as before
    refuse(model, lambda: compiled(X))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", [Loop, Around])
def test_traces_and_transforms(kind: type[nn.Module]) -> None:
    model = kind()
    refuse(model, lambda: torch.jit.trace(model, (X,), check_trace=False))
    refuse(model, lambda: torch.func.vmap(model, in_dims=1)(X))
    refuse(model, lambda: torch.func.grad(lambda x: model(x).sum())(X))
    refuse(model, lambda: torch.func.jvp(model, (X,), (X,)))
    refuse(model, lambda: torch.export.export(model, (X,)))
    traced = torch.jit.trace(model, (X,), check_trace=False)
    with pytest.raises(ValueError, match="'0' is traced or scripted; record the plain model"):
        sluice.record(nn.Sequential(traced, model))
