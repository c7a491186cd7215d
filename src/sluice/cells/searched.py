"""Cells that were found by search over equations, and two that search was compared with."""

from __future__ import annotations

from sluice.cells.cell import Cell
from sluice.cells.declarations import Gate, Map
from sluice.equations.ops import Value, relu, sigmoid, tanh


class MUT1(Cell):
    """The first cell that evolution found (Jozefowicz, Zaremba & Sutskever 2015, section 3.3); a
    learned map brings x to the state's width.

    Good for: the paper's comparison with GRU and LSTM; it led on arithmetic and music.
    """

    update, reset, candidate = Gate(), Gate(), Gate()
    forget_gate_name = None

    def step(self, x: Value, h: Value) -> dict[str, Value]:
        z = sigmoid(self.update(x))
        r = sigmoid(self.reset(x, h))
        g = tanh(self.candidate(h=r * h) + tanh(self.candidate(x)))
        return dict(h=g * z + h * (1.0 - z), update=z, reset=r, candidate=g)


class MUT2(Cell):
    """The second cell that evolution found (Jozefowicz, Zaremba & Sutskever 2015, section 3.3); a
    learned map brings x to the state's width.

    Good for: the paper's comparison with GRU and LSTM.
    """

    update, reset, candidate = Gate(), Gate(), Gate()

    def step(self, x: Value, h: Value) -> dict[str, Value]:
        z = sigmoid(self.update(x, h))
        r = sigmoid(self.reset(x, h))
        g = tanh(self.candidate(x, r * h))
        return dict(h=g * z + h * (1.0 - z), update=z, reset=r, candidate=g)


class MUT3(Cell):
    """The third cell that evolution found (Jozefowicz, Zaremba & Sutskever 2015, section 3.3): its
    update gate reads tanh(h).

    Good for: the paper's comparison with GRU and LSTM; it led on XML.
    """

    update, reset, candidate = Gate(), Gate(), Gate()

    def step(self, x: Value, h: Value) -> dict[str, Value]:
        z = sigmoid(self.update(x, tanh(h)))
        r = sigmoid(self.reset(x, h))
        g = tanh(self.candidate(x, r * h))
        return dict(h=g * z + h * (1.0 - z), update=z, reset=r, candidate=g)


class NASCell(Cell):
    """The cell that reinforcement learning found (Zoph & Le 2017, figure 8), base 8, with the order
    of operations of TensorFlow's ``NASCell``.

    Good for: language models; it was the best published on Penn Treebank in its year.
    """

    first, second, third, fourth, fifth, sixth, seventh, eighth = (Gate() for _ in range(8))

    def step(self, x: Value, h: Value, c: Value) -> dict[str, Value]:
        a = tanh(sigmoid(self.first(x, h)) * relu(self.second(x, h)))
        b = tanh(sigmoid(self.third(x, h)) + relu(self.fourth(x) * self.fourth(h=h)))
        d = tanh(tanh(self.fifth(x, h)) * sigmoid(self.sixth(x, h)))
        e = sigmoid(tanh(self.seventh(x, h)) + sigmoid(self.eighth(x, h)))
        c = tanh(a + c) * b
        return dict(h=tanh(c * tanh(d + e)), c=c)


class NestedLSTM(Cell):
    """An LSTM whose memory is an LSTM (Moniz & Krueger 2017, equations 7 to 16).

    Good for: memory on two time scales; the inner cell moves only as the outer gates let it.
    """

    input, forget, candidate, output = Gate(), Gate(), Gate(), Gate()
    inner_input, inner_forget, inner_candidate, inner_output = (Map() for _ in range(4))
    held_input, held_forget, held_candidate, held_output = (Map(bias=False) for _ in range(4))
    forget_gate_name, input_gate_name = "forget", "input"

    def step(self, x: Value, h: Value, c: Value, inner: Value) -> dict[str, Value]:
        i = sigmoid(self.input(x, h))
        f = sigmoid(self.forget(x, h))
        g = tanh(self.candidate(x, h))
        o = sigmoid(self.output(x, h))
        new, held = i * g, f * c
        inner_i = sigmoid(self.inner_input(new) + self.held_input(held))
        inner_f = sigmoid(self.inner_forget(new) + self.held_forget(held))
        inner_g = tanh(self.inner_candidate(new) + self.held_candidate(held))
        inner_o = sigmoid(self.inner_output(new) + self.held_output(held))
        inner = inner_f * inner + inner_i * inner_g
        c = inner_o * tanh(inner)
        return dict(h=o * tanh(c), c=c, inner=inner, input=i, forget=f, candidate=g, output=o)
