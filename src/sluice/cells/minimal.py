"""Gated cells with fewer parts than the LSTM and the GRU."""

from __future__ import annotations

from sluice.cells.cell import Cell
from sluice.cells.declarations import Gate, Map, Scalar, Vector
from sluice.equations.ops import Value, relu, sigmoid, tanh


class JANET(Cell):
    """The LSTM with a forget gate alone (van der Westhuizen & Lasenby 2018, section 3).

    ``beta`` delays what is written: the candidate enters by 1 − σ(a − beta), a being the forget
    gate's pre-activation.

    Good for: long sequences on a budget; with chrono initialisation it keeps up with the LSTM at
    half its weights.
    """

    forget, candidate = Gate(), Gate()
    forget_gate_name = "forget"

    def __init__(self, beta: float = 1.0) -> None:
        self.beta = beta

    def step(self, x: Value, h: Value) -> dict[str, Value]:
        a = self.forget(x, h)
        f = sigmoid(a)
        i = 1.0 - sigmoid(a - self.beta)
        g = tanh(self.candidate(x, h))
        return dict(h=f * h + i * g, forget=f, input=i, candidate=g)


class UGRNN(Cell):
    """The update gate RNN: one gate between the old state and a new one (Collins et al. 2017,
    section 2).

    Good for: small tasks where an Elman cell forgets too fast and a GRU is more than is needed.
    """

    update, candidate = Gate(), Gate()
    forget_gate_name = "update"

    def step(self, x: Value, h: Value) -> dict[str, Value]:
        z = sigmoid(self.update(x, h))
        g = tanh(self.candidate(x, h))
        return dict(h=z * h + (1.0 - z) * g, update=z, candidate=g)


class LiGRU(Cell):
    """The light GRU: no reset gate, ReLU candidates (Ravanelli et al. 2018, equations 8 to 10,
    without their batch normalisation; `layer_norm` may take its place).

    Good for: speech recognition, where the paper found it faster to train than a GRU.
    """

    update, candidate = Gate(), Gate()
    forget_gate_name = "update"

    def step(self, x: Value, h: Value) -> dict[str, Value]:
        z = sigmoid(self.update(x, h))
        g = relu(self.candidate(x, h))
        return dict(h=z * h + (1.0 - z) * g, update=z, candidate=g)


class RAN(Cell):
    """The recurrent additive network: its state is a weighted sum of its inputs (Lee, Levy &
    Zettlemoyer 2017, equation 1, with a tanh output).

    Good for: seeing which inputs a language model holds; every state is a sum of gated words.
    """

    input, forget, candidate = Gate(), Gate(), Gate()
    forget_gate_name, input_gate_name = "forget", "input"

    def step(self, x: Value, h: Value, c: Value) -> dict[str, Value]:
        i = sigmoid(self.input(x, h))
        f = sigmoid(self.forget(x, h))
        g = self.candidate(x)
        c = i * g + f * c
        return dict(h=tanh(c), c=c, input=i, forget=f, content=g)


class ATR(Cell):
    """The addition-subtraction twin-gated recurrent network: both gates from two products (Zhang
    et al. 2018, equations 9 to 12).

    Good for: translation with few parameters; the two gates are the sum and the difference of one
    pair of products.
    """

    candidate = Gate(bias=False)
    forget_gate_name, input_gate_name = "forget", "input"

    def step(self, x: Value, h: Value) -> dict[str, Value]:
        p, q = self.candidate(x), self.candidate(h=h)
        i = sigmoid(p + q)
        f = sigmoid(p - q)
        return dict(h=i * p + f * h, input=i, forget=f)


class CFN(Cell):
    """The chaos-free network: without input its state decays to zero (Laurent & von Brecht 2017,
    equations 2 and 3).

    Good for: studies of dynamics; it has no strange attractors, whatever its weights.
    """

    forget, input = Gate(), Gate()
    candidate = Map(bias=False)
    forget_gate_name, input_gate_name = "forget", "input"

    def step(self, x: Value, h: Value) -> dict[str, Value]:
        f = sigmoid(self.forget(x, h))
        i = sigmoid(self.input(x, h))
        g = tanh(self.candidate(x))
        return dict(h=f * tanh(h) + i * g, forget=f, input=i, candidate=g)


class STAR(Cell):
    """The stackable recurrent cell (Turkoglu et al. 2021, equations 12 to 14).

    Good for: deep stacks; it was built to keep the gradient's size from layer to layer.
    """

    update, candidate = Gate(), Gate()

    def step(self, x: Value, h: Value) -> dict[str, Value]:
        k = sigmoid(self.update(x, h))
        g = tanh(self.candidate(x))
        return dict(h=tanh((1.0 - k) * h + k * g), update=k, candidate=g)


class BRC(Cell):
    """The bistable recurrent cell (Vecoven, Ernst & Drion 2021, section 3): every unit feeds back
    to itself alone.

    Where a passes 1 a unit has two stable states and holds one bit for good.

    Good for: very long memory of single events.
    """

    feedback, update, candidate = Gate(), Gate(), Gate()
    own_feedback, own_update = Vector(), Vector()
    forget_gate_name = "update"

    def step(self, x: Value, h: Value) -> dict[str, Value]:
        a = 1.0 + tanh(self.feedback(x) + self.own_feedback * h)
        z = sigmoid(self.update(x) + self.own_update * h)
        g = tanh(self.candidate(x) + a * h)
        return dict(h=z * h + (1.0 - z) * g, feedback=a, update=z, candidate=g)


class NBRC(Cell):
    """The neuromodulated bistable cell: all units set each other's feedback (Vecoven, Ernst &
    Drion 2021, section 3).

    Good for: long memory, as `BRC`, where units must agree on what to hold.
    """

    feedback, update, candidate = Gate(), Gate(), Gate()
    forget_gate_name = "update"

    def step(self, x: Value, h: Value) -> dict[str, Value]:
        a = 1.0 + tanh(self.feedback(x, h))
        z = sigmoid(self.update(x, h))
        g = tanh(self.candidate(x) + a * h)
        return dict(h=z * h + (1.0 - z) * g, feedback=a, update=z, candidate=g)


class FastGRNN(Cell):
    """A gate and a candidate of the same two products (Kusupati et al. 2018, equation 3); ``zeta``
    and ``nu`` are two numbers.

    Good for: microcontrollers; half the weights of a minimal gated unit.
    """

    shared = Gate(bias=False)
    offset_of_gate, offset_of_candidate = Vector(1.0), Vector(1.0)
    zeta, nu = Scalar(initial=1.0), Scalar(initial=-4.0)

    def step(self, x: Value, h: Value) -> dict[str, Value]:
        a = self.shared(x, h)
        z = sigmoid(a + self.offset_of_gate)
        g = tanh(a + self.offset_of_candidate)
        new = (sigmoid(self.zeta) * (1.0 - z) + sigmoid(self.nu)) * g
        return dict(h=new + z * h, gate=z, candidate=g)
