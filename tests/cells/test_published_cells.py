"""The cells of the literature against their equations on plain tensors: values and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cells import published
from sluice.cells.registry import list_cells
from sluice.nn import Recurrent

INPUT, STEPS, BATCH = 3, 6, 2


@pytest.mark.parametrize("name", published.STEPS)
def test_cell_is_its_equations(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_POISON", "1")
    cell = list_cells()[name]()
    layer = Recurrent(cell, INPUT, published.SIZE, dtype=torch.float64)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    x = torch.randn(STEPS, BATCH, INPUT, dtype=torch.float64, requires_grad=True)
    widths = [layer.sizes[0].of(state.width) for state in cell.graph.states]
    first = tuple(torch.randn(1, BATCH, n, dtype=x.dtype, requires_grad=True) for n in widths)
    assert layer.resolved_backend.name == "fused"
    y, last = layer(x, first if len(first) > 1 else first[0])
    finals = (last,) if isinstance(last, Tensor) else last

    states, outputs = tuple(state[0] for state in first), list[Tensor]()
    parameters = dict(layer.named_parameters())
    for t in range(STEPS):
        states = published.STEPS[name](parameters, x[t], states)
        outputs.append(states[0])
    expected = [torch.stack(outputs), *(state[None] for state in states)]
    found = [y, *finals]
    upstream = [torch.randn_like(value) for value in expected]
    wanted = [x, *first, *parameters.values()]
    gradients = [
        torch.autograd.grad(values, wanted, upstream, allow_unused=True, materialize_grads=True)
        for values in (found, expected)
    ]
    for mine, theirs in zip([*found, *gradients[0]], [*expected, *gradients[1]], strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-8, atol=1e-10)
