"""LSTMs whose gates or products see more than x and h."""

from __future__ import annotations

from sluice.cells.cell import Cell
from sluice.cells.declarations import Gate, Map, Vector
from sluice.equations.ops import Value, sigmoid, tanh
from sluice.equations.rows import cumulative_softmax


class MultiplicativeLSTM(Cell):
    """The multiplicative LSTM: all gates read a product of input and state (Krause et al. 2016,
    section 2.3), with h = o ⊙ tanh(c).

    Good for: bytes and characters; the sentiment neuron was found in one.
    """

    input, forget, candidate, output = Gate(), Gate(), Gate(), Gate()
    input_factor, state_factor = Map(bias=False), Map(bias=False)
    forget_gate_name, input_gate_name = "forget", "input"

    def step(self, x: Value, h: Value, c: Value) -> dict[str, Value]:
        m = self.input_factor(x) * self.state_factor(h)
        i = sigmoid(self.input(x, m))
        f = sigmoid(self.forget(x, m))
        g = tanh(self.candidate(x, m))
        o = sigmoid(self.output(x, m))
        c = f * c + i * g
        return dict(h=o * tanh(c), c=c, factor=m, input=i, forget=f, candidate=g, output=o)


class WorkingMemoryLSTM(Cell):
    """The LSTM with working memory connections: its gates read the cell state through a learned map
    and tanh (Landi et al. 2021, equations 5 to 8).

    Good for: tasks where peepholes should help and, being unbounded, do not.
    """

    input, forget, candidate, output = Gate(), Gate(), Gate(), Gate()
    peep_input, peep_forget, peep_output = (Map(bias=False) for _ in range(3))
    forget_gate_name, input_gate_name = "forget", "input"

    def step(self, x: Value, h: Value, c: Value) -> dict[str, Value]:
        i = sigmoid(self.input(x, h) + tanh(self.peep_input(c)))
        f = sigmoid(self.forget(x, h) + tanh(self.peep_forget(c)))
        g = tanh(self.candidate(x, h))
        c = f * c + i * g
        o = sigmoid(self.output(x, h) + tanh(self.peep_output(c)))
        return dict(h=o * tanh(c), c=c, input=i, forget=f, candidate=g, output=o)


class IntegrationLSTM(Cell):
    """The LSTM with multiplicative integration: W x and R h meet in a product (Wu et al. 2016,
    equation 4, in every gate).

    Good for: text, as a drop-in change of the LSTM with four vectors more a gate.
    """

    input, forget, candidate, output = (Gate(bias=False) for _ in range(4))
    both_input, both_forget, both_candidate, both_output = (Vector(1.0) for _ in range(4))
    state_input, state_forget, state_candidate, state_output = (Vector(0.5) for _ in range(4))
    new_input, new_forget, new_candidate, new_output = (Vector(0.5) for _ in range(4))
    offset_input, offset_candidate, offset_output = (Vector(0.0) for _ in range(3))
    offset_forget = Vector(1.0)

    def step(self, x: Value, h: Value, c: Value) -> dict[str, Value]:
        i = sigmoid(self._integrate("input", x, h))
        f = sigmoid(self._integrate("forget", x, h))
        g = tanh(self._integrate("candidate", x, h))
        o = sigmoid(self._integrate("output", x, h))
        c = f * c + i * g
        return dict(h=o * tanh(c), c=c, input=i, forget=f, candidate=g, output=o)

    def _integrate(self, name: str, x: Value, h: Value) -> Value:
        gate = getattr(self, name)
        a, b = gate(x), gate(h=h)
        both, state, new, offset = (
            getattr(self, f"{part}_{name}") for part in ("both", "state", "new", "offset")
        )
        joined: Value = both * a * b + state * b + new * a + offset
        return joined


class MogrifierLSTM(Cell):
    """The LSTM whose input and state gate each other first (Melis, Kočiský & Blunsom 2020,
    section 2), in four rounds with full matrices.

    Good for: small language models, where it took much off the LSTM's perplexity.
    """

    input, forget, candidate, output = Gate(), Gate(), Gate(), Gate()
    gate_x1, gate_x3 = Map(width="input"), Map(width="input")
    gate_h2, gate_h4 = Map(), Map()
    forget_gate_name, input_gate_name = "forget", "input"

    def step(self, x: Value, h: Value, c: Value) -> dict[str, Value]:
        x = 2.0 * sigmoid(self.gate_x1(h)) * x
        h = 2.0 * sigmoid(self.gate_h2(x)) * h
        x = 2.0 * sigmoid(self.gate_x3(h)) * x
        h = 2.0 * sigmoid(self.gate_h4(x)) * h
        i = sigmoid(self.input(x, h))
        f = sigmoid(self.forget(x, h))
        g = tanh(self.candidate(x, h))
        o = sigmoid(self.output(x, h))
        c = f * c + i * g
        return dict(h=o * tanh(c), c=c, input=i, forget=f, candidate=g, output=o)


class OrderedLSTM(Cell):
    """ON-LSTM: its units are ordered, and master gates erase and write from one end (Shen et al.
    2019, equations 3 to 12), with master gates as wide as the state.

    Good for: language with its grammar; how far a master gate opens follows the parse.
    """

    forget, input, output, candidate = Gate(), Gate(), Gate(), Gate()
    master_forget, master_input = Gate(), Gate()
    forget_gate_name, input_gate_name = "forget", "input"

    def step(self, x: Value, h: Value, c: Value) -> dict[str, Value]:
        f = sigmoid(self.forget(x, h))
        i = sigmoid(self.input(x, h))
        o = sigmoid(self.output(x, h))
        g = tanh(self.candidate(x, h))
        held = cumulative_softmax(self.master_forget(x, h))
        new = 1.0 - cumulative_softmax(self.master_input(x, h))
        both = held * new
        c = (f * both + (held - both)) * c + (i * both + (new - both)) * g
        return dict(
            h=o * tanh(c),
            c=c,
            input=i,
            forget=f,
            candidate=g,
            output=o,
            master_forget=held,
            master_input=new,
        )
