"""Memory cell blocks: the weight counts of the papers, and their equations on plain tensors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sluice import Cell, Gate, sigmoid
from sluice.cells import BiasedMemoryBlocks, ForgetMemoryBlocks, MemoryBlocks
from sluice.nn import Recurrent

# Of Hochreiter & Schmidhuber 1997: experiment, inputs, blocks, cells, biased cells, outputs,
# biased outputs, and the number of weights that the paper gives.
NETWORKS = [
    ("1, blocks of one cell", 7, 4, 4, False, 7, False, 264),
    ("1, blocks of two cells", 7, 3, 6, False, 7, False, 276),
    ("3, two sequences", 1, 3, 3, True, 1, False, 102),
    ("4 and 5, adding and multiplying", 2, 2, 4, True, 1, True, 93),
    ("6a, temporal order", 8, 2, 4, True, 4, True, 156),
    ("6b, temporal order", 8, 3, 6, True, 8, True, 308),
]


def count(*modules: nn.Module) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network[0])
def test_networks_of_1997_have_the_papers_weights(network: tuple[Any, ...]) -> None:
    _, inputs, blocks, cells, cell_bias, outputs, output_bias, weights = network
    cell = (BiasedMemoryBlocks if cell_bias else MemoryBlocks)(blocks)
    layer = Recurrent(cell, inputs, cells)
    assert count(layer, nn.Linear(cells, outputs, output_bias)) == weights
    assert layer(torch.randn(3, 2, inputs))[0].shape == (3, 2, cells)


def test_experiment_2a_has_the_papers_weights() -> None:
    """A cell and its input gate, which read the input alone; inputs reach the outputs as well."""

    class GatedCell(Cell):
        input, candidate = Gate(bias=False), Gate(bias=False)

        def step(self, x: Any, h: Any) -> Any:
            return dict(h=h + sigmoid(self.input(x)) * sigmoid(self.candidate(x)))

    symbols = 100 + 1
    layer = Recurrent(GatedCell, symbols, 1)
    assert count(layer, nn.Linear(1 + symbols, symbols, bias=False)) == 10_504


def test_network_of_2000_has_the_papers_weights() -> None:
    """Four blocks of two cells; the inputs reach the seven biased outputs as well."""
    layer = Recurrent(ForgetMemoryBlocks(4), 7, 8)
    assert count(layer, nn.Linear(8 + 7, 7)) == 424


def spread(gate: Tensor, cells: int) -> Tensor:
    return gate.repeat_interleave(cells // gate.shape[-1], -1)


def run_memory_blocks(p: dict[str, Tensor], x: Tensor, blocks: int, cells: int) -> list[Tensor]:
    """The paper's network unit by unit: every unit reads all activations of the step before."""
    batch, rows = x.shape[1], []
    h, c = x.new_zeros(batch, cells), x.new_zeros(batch, cells)
    i, o = x.new_zeros(batch, blocks), x.new_zeros(batch, blocks)
    parts = {"input": blocks, "output": blocks, "candidate": cells}
    w = dict(zip(parts, p["weight_ih"].split(list(parts.values())), strict=True))
    r = dict(zip(parts, p["weight_hh"].split(list(parts.values())), strict=True))
    b = dict(zip(parts, p["bias_ih"].split(list(parts.values())), strict=True))
    for now in x:
        past = [value.detach() for value in (h, i, o)]
        nets = {}
        for unit in parts:
            weights = (r[unit], p[f"weight_{unit}_from_input"], p[f"weight_{unit}_from_output"])
            nets[unit] = now @ w[unit].T + b[unit]
            for weight, value in zip(weights, past, strict=True):
                nets[unit] = nets[unit] + value @ weight.T
        i, o = torch.sigmoid(nets["input"]), torch.sigmoid(nets["output"])
        c = c + spread(i, cells) * (4 * torch.sigmoid(nets["candidate"]) - 2)
        h = spread(o, cells) * (2 * torch.sigmoid(c) - 1)
        rows.append(h)
    return [torch.stack(rows), h, c, i, o]


@pytest.mark.parametrize("backend", ["fused", "reference"])
@pytest.mark.parametrize(("blocks", "cells"), [(1, 3), (3, 6), (2, 34)])
def test_memory_blocks_are_their_equations(blocks: int, cells: int, backend: str) -> None:
    layer = Recurrent(BiasedMemoryBlocks(blocks), 3, cells, dtype=torch.float64)
    layer.backend = backend
    x = torch.randn(5, 3, 3, dtype=torch.float64, requires_grad=True)
    y, last = layer(x)
    p = {name.removesuffix("_l0"): value for name, value in layer.named_parameters()}
    expected = run_memory_blocks(p, x, blocks, cells)
    found = [y, *(state[0] for state in last)]
    wanted, into = [x, *layer.parameters()], [torch.randn_like(t) for t in found]
    mine = torch.autograd.grad(found, wanted, into)
    theirs = torch.autograd.grad(expected, wanted, into)
    for one, other in zip((*found, *mine), (*expected, *theirs), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("backend", ["fused", "reference"])
def test_forget_memory_blocks_are_their_equations(backend: str) -> None:
    layer = Recurrent(ForgetMemoryBlocks(2), 3, 6, dtype=torch.float64)
    layer.backend = backend
    p = {name.removesuffix("_l0"): value for name, value in layer.named_parameters()}
    x = torch.randn(5, 3, 3, dtype=torch.float64, requires_grad=True)
    h, c, rows = x.new_zeros(3, 6), x.new_zeros(3, 6), []
    bias = torch.cat([p["bias_ih"], x.new_zeros(6)])
    for now in x:
        nets = now @ p["weight_ih"].T + h @ p["weight_hh"].T + bias
        *gates, net = nets.split([2, 2, 2, 6], -1)
        i, f, o = (spread(torch.sigmoid(gate), 6) for gate in gates)
        c = f * c + i * (4 * torch.sigmoid(net) - 2)
        h = o * (2 * torch.sigmoid(c) - 1)
        rows.append(h)
    (y, _), expected = layer(x), torch.stack(rows)
    wanted, into = [x, *layer.parameters()], torch.randn_like(y)
    mine, theirs = (torch.autograd.grad(value, wanted, into) for value in (y, expected))
    for one, other in zip((y, *mine), (expected, *theirs), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


def test_blocks_divide_the_cells() -> None:
    with pytest.raises(ValueError, match="a multiple of the 3 heads"):
        Recurrent(MemoryBlocks(3), 2, 4)


def test_a_block_whose_cells_have_no_bias_runs_on_the_kernels() -> None:
    layer = Recurrent(MemoryBlocks(1), 3, 8, dtype=torch.float64)
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    assert layer.resolved_backend.name == "fused"
    y, _ = layer(x)
    layer.backend = "reference"
    torch.testing.assert_close(y, layer(x)[0])
