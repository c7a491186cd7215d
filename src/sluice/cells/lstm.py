"""Long short-term memory and its variants."""

from __future__ import annotations

from sluice.cells.activations import ActivatedMemoryCell
from sluice.cells.cell import Cell
from sluice.cells.declarations import Gate, Map, State, Vector
from sluice.equations.ops import Value, detach, sigmoid
from sluice.equations.specs import PROJECTION


class LSTM(ActivatedMemoryCell):
    """Long short-term memory with a forget gate (Hochreiter & Schmidhuber 1997; Gers, Schmidhuber
    & Cummins 2000, section 3), as `torch.nn.LSTM` has it. Its options are those of
    `ActivatedMemoryCell`: other activation functions, and bounds.

    Good for: the first thing to try on any sequence; its cell state keeps for hundreds of steps.
    """

    input, forget, candidate, output = Gate(), Gate(), Gate(), Gate()
    forget_gate_name, input_gate_name = "forget", "input"

    def step(self, x: Value, h: Value, c: Value) -> dict[str, Value]:
        sigma, phi = self.gate_activation, self.activation
        i = sigma(self.input(x, h))  # where to write
        f = sigma(self.forget(x, h))  # what to keep
        g = phi(self.candidate(x, h))  # what to write
        o = sigma(self.output(x, h))  # what to show
        c = self.bound_memory(f * c + i * g)  # the cell state changes only linearly
        return dict(h=o * self.cell_activation(c), c=c, input=i, forget=f, candidate=g, output=o)


class ProjectedLSTM(ActivatedMemoryCell):
    """The LSTM with a recurrent projection (Sak, Senior & Beaufays 2014, equations 7 to 12, without
    peepholes and the non-recurrent projection), as `torch.nn.LSTM(proj_size=...)` has it.

    Good for: large memories with few weights; speech recognisers keep thousands of cells behind a
    narrow h.
    """

    h = State(width=PROJECTION)
    input, forget, candidate, output = Gate(), Gate(), Gate(), Gate()
    projection = Map(width=PROJECTION, bias=False, parameter="hr")
    forget_gate_name, input_gate_name = "forget", "input"

    def step(self, x: Value, h: Value, c: Value) -> dict[str, Value]:
        sigma, phi = self.gate_activation, self.activation
        i = sigma(self.input(x, h))
        f = sigma(self.forget(x, h))
        g = phi(self.candidate(x, h))
        o = sigma(self.output(x, h))
        c = self.bound_memory(f * c + i * g)
        h = self.projection(o * self.cell_activation(c))
        return dict(h=h, c=c, input=i, forget=f, candidate=g, output=o)


class LSTM1997(Cell):
    """The LSTM as first published (Hochreiter & Schmidhuber 1997, appendix A.1): no forget gate.

    Its learning rule truncates the gradient: errors that leave the cell through a gate or the
    candidate go no further back (their section 4); only the cell state carries them.
    The squashing functions g and h are 4σ(x) − 2 and 2σ(x) − 1, as there. Left out are blocks of
    several cells, connections from gates, and units without a bias: `MemoryBlocks` has them.

    It leaves out what the paper's experiments have around these equations: memory cell blocks of
    several cells that share their gates (a block here is one cell), recurrent input from the gates'
    own activations, conventional hidden units beside the blocks, connections from the input to the
    output layer (a layer's readout reads h alone), and biases for some units only.

    Good for: the original experiments, and sequences cut into short pieces: without a forget gate
    its state can only grow.
    """

    input, candidate, output = Gate(), Gate(), Gate()
    input_gate_name = "input"

    def step(self, x: Value, h: Value, c: Value) -> dict[str, Value]:
        past = detach(h)
        i = sigmoid(self.input(x, past))
        g = 4.0 * sigmoid(self.candidate(x, past)) - 2.0
        o = sigmoid(self.output(x, past))
        c = c + i * g
        return dict(h=o * (2.0 * sigmoid(c) - 1.0), c=c, input=i, candidate=g, output=o)


class PeepholeLSTM(ActivatedMemoryCell):
    """The LSTM whose gates see the cell state (Gers, Schraudolph & Schmidhuber 2002; with a
    squashed candidate and output, as in Graves 2013, equations 7 to 11).

    Good for: precise timing and counting, where gates must see the cell state itself.
    """

    input, forget, candidate, output = Gate(), Gate(), Gate(), Gate()
    peep_input, peep_forget, peep_output = Vector(), Vector(), Vector()
    forget_gate_name, input_gate_name = "forget", "input"

    def step(self, x: Value, h: Value, c: Value) -> dict[str, Value]:
        sigma, phi = self.gate_activation, self.activation
        i = sigma(self.input(x, h) + self.peep_input * c)
        f = sigma(self.forget(x, h) + self.peep_forget * c)
        g = phi(self.candidate(x, h))
        c = self.bound_memory(f * c + i * g)
        o = sigma(self.output(x, h) + self.peep_output * c)
        return dict(h=o * self.cell_activation(c), c=c, input=i, forget=f, candidate=g, output=o)


class CIFG(ActivatedMemoryCell):
    """The LSTM with coupled input and forget gates, i = 1 − f (Greff et al. 2017, section III,
    variant CIFG).

    Good for: what an LSTM does with a quarter less to compute.
    """

    forget, candidate, output = Gate(), Gate(), Gate()
    forget_gate_name = "forget"

    def step(self, x: Value, h: Value, c: Value) -> dict[str, Value]:
        sigma, phi = self.gate_activation, self.activation
        f = sigma(self.forget(x, h))
        g = phi(self.candidate(x, h))
        o = sigma(self.output(x, h))
        c = self.bound_memory(f * c + (1.0 - f) * g)
        return dict(h=o * self.cell_activation(c), c=c, forget=f, candidate=g, output=o)
