"""Memory cell blocks: cells that share their gates, as the papers of 1997 and 2000 wire them.

A block has one input gate and one output gate (and one forget gate) for all of its cells. The
layer's hidden size is the number of cells, block after block; gates are as wide as there are
blocks, and each is spread over its cells by a fixed map.
"""

from __future__ import annotations

import torch

from sluice.cells.cell import Cell
from sluice.cells.declarations import Constant, Gate, Map, State
from sluice.equations.ops import Value, detach, sigmoid

_WIDTHS = {"input": "blocks", "candidate": "hidden", "output": "blocks"}


class MemoryBlocks(Cell):
    """Memory cell blocks, fully connected (Hochreiter & Schmidhuber 1997, sections 4 and 5).

    Every gate and cell reads the input, all cell outputs and the activations of all gates, one step
    back. g and h are 4σ(x) − 2 and 2σ(x) − 1. Errors that reach a gate or a cell's input go no
    further back in time, as in the paper; only the cell states carry them.

    Good for: the original experiments, as wide and with as many weights as they had.

    Args:
        blocks: How many blocks; the hidden size is a multiple of it.
        cell_bias: Whether cells have biases, as in experiments 3 to 6, or gates alone, as in
            experiment 1.

    Example:
        >>> import sluice
        >>> layer = sluice.nn.Recurrent(sluice.cells.MemoryBlocks(4), 7, 4)    # experiment 1
        >>> readout = 4 * 7
        >>> sum(p.numel() for p in layer.parameters()) + readout
        264
    """

    input_gate_name = "input"

    def __init__(self, blocks: int = 1, cell_bias: bool = False) -> None:
        self.sizes, self.cell_bias = {"blocks": blocks}, cell_bias
        self.input, self.output = (Gate(width="blocks", bias="input") for _ in range(2))
        self.candidate = Gate(bias="input" if cell_bias else False)
        self.i, self.o = State(width="blocks"), State(width="blocks")
        self.spread = _spread_over_cells(blocks)
        self.from_input = {unit: Map(width=width, bias=False) for unit, width in _WIDTHS.items()}
        self.from_output = {unit: Map(width=width, bias=False) for unit, width in _WIDTHS.items()}

    def step(self, x: Value, h: Value, c: Value, i: Value, o: Value) -> dict[str, Value]:
        past, gates = detach(h), (detach(i), detach(o))

        def sum_nets(unit: str) -> Value:
            net = getattr(self, unit)(x, past)
            return net + self.from_input[unit](gates[0]) + self.from_output[unit](gates[1])

        i, o = sigmoid(sum_nets("input")), sigmoid(sum_nets("output"))
        g = 4.0 * sigmoid(sum_nets("candidate")) - 2.0
        c = c + self.spread(i) * g
        h = self.spread(o) * (2.0 * sigmoid(c) - 1.0)
        return dict(h=h, c=c, i=i, o=o, candidate=g)


class ForgetMemoryBlocks(Cell):
    """Memory cell blocks with forget gates (Gers, Schmidhuber & Cummins 2000).

    Gates and cells read the input and all cell outputs; gates are biased, cells are not.

    Good for: the experiments of that paper, and streams that nobody cuts into pieces.

    Args:
        blocks: How many blocks; the hidden size is a multiple of it.

    Example:
        >>> import sluice
        >>> sluice.nn.Recurrent(sluice.cells.ForgetMemoryBlocks(4), 7, 8).weight_ih_l0.shape
        torch.Size([20, 7])
    """

    forget_gate_name, input_gate_name = "forget", "input"

    def __init__(self, blocks: int = 1) -> None:
        self.sizes = {"blocks": blocks}
        self.input, self.forget, self.output = (
            Gate(width="blocks", bias="input") for _ in range(3)
        )
        self.candidate = Gate(bias=False)
        self.spread = _spread_over_cells(blocks)

    def step(self, x: Value, h: Value, c: Value) -> dict[str, Value]:
        i, f, o = (sigmoid(gate(x, h)) for gate in (self.input, self.forget, self.output))
        g = 4.0 * sigmoid(self.candidate(x, h)) - 2.0
        c = self.spread(f) * c + self.spread(i) * g
        h = self.spread(o) * (2.0 * sigmoid(c) - 1.0)
        return dict(h=h, c=c, input=i, forget=f, candidate=g, output=o)


def _spread_over_cells(blocks: int) -> Constant:
    """The map that gives each cell its block's gate."""
    return Constant(lambda cells, _: torch.ones(cells, 1), of="blocks", heads=blocks)
