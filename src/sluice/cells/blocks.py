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


class _Blocks(Cell):
    """What both kinds share: how many blocks there are, and the map that spreads a gate."""

    input_gate_name = "input"
    spread = Constant(lambda cells, _: torch.ones(cells, 1), of="blocks", heads="blocks")

    def __init__(self, blocks: int = 1) -> None:
        self.blocks, self.sizes = blocks, {"blocks": blocks}


class MemoryBlocks(_Blocks):
    """Memory cell blocks, fully connected (Hochreiter & Schmidhuber 1997, sections 4 and 5).

    Every gate and cell reads the input, all cell outputs and the activations of all gates, one step
    back. g and h are 4σ(x) − 2 and 2σ(x) − 1. Errors that reach a gate or a cell's input go no
    further back in time, as in the paper; only the cell states carry them. Gates are biased, cells
    are not, as in experiment 1; in `BiasedMemoryBlocks` both are.

    Good for: the original experiments, as wide and with as many weights as they had.

    Args:
        blocks: How many blocks; the hidden size is a multiple of it.

    Example:
        >>> import sluice
        >>> layer = sluice.nn.Recurrent(sluice.cells.MemoryBlocks(4), 7, 4)    # experiment 1
        >>> readout = 4 * 7
        >>> sum(p.numel() for p in layer.parameters()) + readout
        264
    """

    input, output = Gate(width="blocks", bias="input"), Gate(width="blocks", bias="input")
    candidate = Gate(bias=False)
    input_from_input, input_from_output = (Map(width="blocks", bias=False) for _ in range(2))
    output_from_input, output_from_output = (Map(width="blocks", bias=False) for _ in range(2))
    candidate_from_input, candidate_from_output = Map(bias=False), Map(bias=False)
    i, o = State(width="blocks"), State(width="blocks")

    def step(self, x: Value, h: Value, c: Value, i: Value, o: Value) -> dict[str, Value]:
        h, i, o = detach(h), detach(i), detach(o)
        to_input = self.input(x, h) + self.input_from_input(i) + self.input_from_output(o)
        to_output = self.output(x, h) + self.output_from_input(i) + self.output_from_output(o)
        from_gates = self.candidate_from_input(i) + self.candidate_from_output(o)
        i, o = sigmoid(to_input), sigmoid(to_output)
        g = 4.0 * sigmoid(self.candidate(x, h) + from_gates) - 2.0
        c = c + self.spread(i) * g
        h = self.spread(o) * (2.0 * sigmoid(c) - 1.0)
        return dict(h=h, c=c, i=i, o=o, candidate=g)


class BiasedMemoryBlocks(MemoryBlocks):
    """`MemoryBlocks` whose cells have biases too (Hochreiter & Schmidhuber 1997,
    experiments 3 to 6).

    Good for: the original experiments with long time lags, numbers and orders.
    """

    candidate = Gate(bias="input")


class ForgetMemoryBlocks(_Blocks):
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

    input, forget, output = (Gate(width="blocks", bias="input") for _ in range(3))
    candidate = Gate(bias=False)
    forget_gate_name = "forget"

    def step(self, x: Value, h: Value, c: Value) -> dict[str, Value]:
        i, f, o = sigmoid(self.input(x, h)), sigmoid(self.forget(x, h)), sigmoid(self.output(x, h))
        g = 4.0 * sigmoid(self.candidate(x, h)) - 2.0
        c = self.spread(f) * c + self.spread(i) * g
        h = self.spread(o) * (2.0 * sigmoid(c) - 1.0)
        return dict(h=h, c=c, input=i, forget=f, candidate=g, output=o)
