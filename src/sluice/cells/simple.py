"""Recurrent cells without gates."""

from __future__ import annotations

from sluice.cells.cell import Cell
from sluice.cells.declarations import Gate, Map, Scalar, Vector
from sluice.equations.ops import Value, relu, sigmoid, tanh


class IndRNN(Cell):
    """The independently recurrent network: a unit reads, of the state, itself alone (Li et al.
    2018, equation 2), with ReLU.

    Good for: deep stacks over thousands of steps, where the recurrent weights stay near 1.
    """

    candidate = Gate()
    recurrent = Vector()

    def step(self, x: Value, h: Value) -> dict[str, Value]:
        return dict(h=relu(self.candidate(x) + self.recurrent * h))


class LeakyElman(Cell):
    """The leaky integrator (Jaeger et al. 2007, equation 2): an Elman cell that moves by a part of
    the way.

    Good for: slow signals, reservoirs and models of neurons; ``leak`` is a step over a time
    constant.
    """

    candidate = Gate()

    def __init__(self, leak: float = 0.1) -> None:
        if not 0.0 < leak <= 1.0:
            raise ValueError(f"leak must be above 0 and at most 1, got {leak}")
        self.leak = leak

    def step(self, x: Value, h: Value) -> dict[str, Value]:
        g = tanh(self.candidate(x, h))
        return dict(h=(1.0 - self.leak) * h + self.leak * g, candidate=g)


class SCRN(Cell):
    """The structurally constrained network: a slow context beside a fast state (Mikolov et al.
    2015, equations 4 to 6), both of one width.

    Good for: topics in text at the cost of an Elman cell.
    """

    candidate = Gate(bias=False)
    context, read = Map(bias=False), Map(bias=False)

    def __init__(self, alpha: float = 0.95) -> None:
        self.alpha = alpha

    def step(self, x: Value, h: Value, s: Value) -> dict[str, Value]:
        s = (1.0 - self.alpha) * self.context(x) + self.alpha * s
        return dict(h=sigmoid(self.read(s) + self.candidate(x, h)), s=s)


class MultiplicativeRNN(Cell):
    """The multiplicative RNN: each input has a transition of its own, factored (Sutskever, Martens
    & Hinton 2011, equations 5 and 6).

    Good for: characters; it was the first to write whole pages of plausible text.
    """

    candidate = Map()
    input_factor, state_factor, mixed = (Map(bias=False) for _ in range(3))

    def step(self, x: Value, h: Value) -> dict[str, Value]:
        m = self.input_factor(x) * self.state_factor(h)
        return dict(h=tanh(self.mixed(m) + self.candidate(x)), factor=m)


class IntegrationElman(Cell):
    """The Elman cell with multiplicative integration: W x and R h meet in a product (Wu et al.
    2016, equation 4).

    Good for: text, as a drop-in change of the Elman cell with three vectors more.
    """

    candidate = Gate(bias=False)
    both, of_state, of_input = Vector(1.0), Vector(0.5), Vector(0.5)
    offset = Vector(0.0)

    def step(self, x: Value, h: Value) -> dict[str, Value]:
        a, b = self.candidate(x), self.candidate(h=h)
        joined = self.both * a * b + self.of_state * b + self.of_input * a + self.offset
        return dict(h=tanh(joined))


class FastRNN(Cell):
    """An Elman cell with a learned step: h moves by ``alpha`` of the new and ``beta`` of the old,
    two numbers (Kusupati et al. 2018, equation 2).

    Good for: microcontrollers; two numbers more than an Elman cell make it train.
    """

    candidate = Gate()
    alpha, beta = Scalar(initial=-3.0), Scalar(initial=3.0)

    def step(self, x: Value, h: Value) -> dict[str, Value]:
        g = tanh(self.candidate(x, h))
        return dict(h=sigmoid(self.alpha) * g + sigmoid(self.beta) * h, candidate=g)
