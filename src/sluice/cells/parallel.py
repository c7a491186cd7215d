"""Cells whose gates read the input alone, so that no step multiplies a state by a matrix."""

from __future__ import annotations

from sluice.cells.cell import Cell
from sluice.cells.declarations import Gate, Map, State, Vector
from sluice.equations.ops import Value, cos, exp, maximum, sigmoid, sin, sqrt, tanh
from sluice.equations.specs import INPUT


class MinGRU(Cell):
    """The minimal GRU (Feng et al. 2024, section 3.1).

    Good for: very long sequences; all its products are computed for all steps at once.
    """

    update, candidate = Gate(), Gate()
    input_gate_name = "update"

    def step(self, x: Value, h: Value) -> dict[str, Value]:
        z = sigmoid(self.update(x))
        g = self.candidate(x)
        return dict(h=(1.0 - z) * h + z * g, update=z, content=g)


class MinLSTM(Cell):
    """The minimal LSTM: forget and input gate share the whole between them (Feng et al. 2024,
    section 3.2).

    Good for: very long sequences, where keeping and writing should be learned apart.
    """

    forget, input, candidate = Gate(), Gate(), Gate()
    forget_gate_name, input_gate_name = "forget", "input"

    def step(self, x: Value, h: Value) -> dict[str, Value]:
        f = sigmoid(self.forget(x))
        i = sigmoid(self.input(x))
        g = self.candidate(x)
        total = f + i
        return dict(h=f / total * h + i / total * g, forget=f, input=i, content=g)


class SRU(Cell):
    """The simple recurrent unit (Lei et al. 2018, equations 1 to 4), with a learned map of the
    input on its highway, as where the widths differ.

    Good for: classifying and modelling text as fast as a convolution does.
    """

    forget, reset = Gate(), Gate()
    candidate, highway = Map(bias=False), Map(bias=False)
    peep_forget, peep_reset = Vector(), Vector()
    forget_gate_name = "forget"

    def step(self, x: Value, h: Value, c: Value) -> dict[str, Value]:
        f = sigmoid(self.forget(x) + self.peep_forget * c)
        r = sigmoid(self.reset(x) + self.peep_reset * c)
        g = self.candidate(x)
        c = f * c + (1.0 - f) * g
        return dict(h=r * c + (1.0 - r) * self.highway(x), c=c, forget=f, reset=r, content=g)


class QRNN(Cell):
    """The quasi-recurrent network: convolutions of width 2, then fo-pooling (Bradbury et al. 2017,
    section 2).

    Good for: language models and translation where speed counts; only the pooling is recurrent.
    """

    before = State(width=INPUT)
    candidate, forget, output = Gate(), Gate(), Gate()
    late_candidate, late_forget, late_output = (Map(bias=False) for _ in range(3))
    forget_gate_name = "forget"

    def step(self, x: Value, h: Value, c: Value, before: Value) -> dict[str, Value]:
        z = tanh(self.candidate(x) + self.late_candidate(before))
        f = sigmoid(self.forget(x) + self.late_forget(before))
        o = sigmoid(self.output(x) + self.late_output(before))
        c = f * c + (1.0 - f) * z
        return dict(h=o * c, c=c, before=x, candidate=z, forget=f, output=o)


class TypedRNN(Cell):
    """The strongly typed RNN (Balduzzi & Ghifary 2016, section 4.1): a moving average of features
    of the input.

    Good for: teaching; its state is an average that its gate weighs, and nothing else.
    """

    forget, candidate = Gate(), Map(bias=False)
    forget_gate_name = "forget"

    def step(self, x: Value, h: Value) -> dict[str, Value]:
        f = sigmoid(self.forget(x))
        g = self.candidate(x)
        return dict(h=f * h + (1.0 - f) * g, forget=f, content=g)


class LRU(Cell):
    """The linear recurrent unit: a diagonal of complex numbers inside the unit circle (Orvieto et
    al. 2023, section 3), with the real part of a complex readout.

    ``a`` and ``b`` are the state's real and imaginary part; unit k turns by exp(``angle``) a step
    and shrinks by exp(−exp(``decay``)).

    Good for: very long sequences; stacked with nonlinear layers between.
    """

    input_real, input_imaginary = Map(bias=False), Map(bias=False)
    read_real, read_imaginary, skip = Map(bias=False), Map(bias=False), Map(bias=False)
    decay, angle = Vector(), Vector()

    def step(self, x: Value, h: Value, a: Value, b: Value) -> dict[str, Value]:
        size = exp(-exp(self.decay))
        turn = exp(self.angle)
        real, imaginary = size * cos(turn), size * sin(turn)
        scale = sqrt(1.0 - size * size)
        a, b = (
            real * a - imaginary * b + scale * self.input_real(x),
            imaginary * a + real * b + scale * self.input_imaginary(x),
        )
        return dict(h=self.read_real(a) - self.read_imaginary(b) + self.skip(x), a=a, b=b)


class RWKV(Cell):
    """The time mixing of RWKV-4 (Peng et al. 2023, equations 11 to 16), stabilised as in its
    appendix: an average of values, weighed by keys and by age.

    ``before`` is the input of the step before, ``top`` the largest exponent so far.

    Good for: language models trained like a transformer's and run at constant cost a token.
    """

    before, top = State(width=INPUT), State(initial=-1e30)
    receptance, key, value, output = (Map(bias=False) for _ in range(4))
    mix_receptance, mix_key, mix_value = (Vector(0.5, width=INPUT) for _ in range(3))
    decay, bonus = Vector(), Vector()

    def step(
        self, x: Value, h: Value, a: Value, b: Value, top: Value, before: Value
    ) -> dict[str, Value]:
        late = before - x
        r = sigmoid(self.receptance(x + self.mix_receptance * late))
        k = self.key(x + self.mix_key * late)
        v = self.value(x + self.mix_value * late)
        first = maximum(top, self.bonus + k)
        old, new = exp(top - first), exp(self.bonus + k - first)
        average = (old * a + new * v) / (old * b + new)
        aged = top - exp(self.decay)
        top = maximum(aged, k)
        old, new = exp(aged - top), exp(k - top)
        a, b = old * a + new * v, old * b + new
        return dict(h=self.output(r * average), a=a, b=b, top=top, before=x, receptance=r)
