"""Cells for samples at irregular times: a step is given more than x."""

from __future__ import annotations

from sluice.cells.cell import Cell
from sluice.cells.declarations import Gate, Map, State, Vector
from sluice.cells.inputs import Input
from sluice.equations.ops import (
    Value,
    detach,
    exp,
    floor,
    greater,
    relu,
    sigmoid,
    tanh,
    where,
)
from sluice.equations.specs import INPUT


class GRUD(Cell):
    """GRU-D, for values that are missing (Che et al. 2018, equations 10 to 17): what was last seen
    decays to a mean, and the state to zero.

    A layer is called ``layer(x, observed=m, since=d)``: m is 1 where a value of x was observed, d
    the time since its last observation, both as wide as x. ``mean`` begins at 0: standardise x, or
    set it to the mean.

    Good for: clinical and other irregular records, where what is missing tells something.
    """

    last = State(width=INPUT)
    observed, since = Input(width=INPUT), Input(width=INPUT)
    reset, update, candidate = Gate(), Gate(), Gate()
    reset_mask, update_mask, candidate_mask = (Map(bias=False) for _ in range(3))
    decay = Map()
    input_decay, input_decay_bias = Vector(width=INPUT), Vector(width=INPUT)
    mean = Vector(0.0, width=INPUT)
    input_gate_name = "update"

    def step(
        self, x: Value, h: Value, last: Value, *, observed: Value, since: Value
    ) -> dict[str, Value]:
        m = observed
        held = exp(-relu(self.input_decay * since + self.input_decay_bias))
        last = m * x + (1.0 - m) * last
        x = m * x + (1.0 - m) * (held * last + (1.0 - held) * self.mean)
        h = exp(-relu(self.decay(since))) * h
        r = sigmoid(self.reset(x, h) + self.reset_mask(m))
        z = sigmoid(self.update(x, h) + self.update_mask(m))
        g = tanh(self.candidate(x, r * h) + self.candidate_mask(m))
        return dict(h=(1.0 - z) * h + z * g, last=last, reset=r, update=z, candidate=g)


class TimeLSTM(Cell):
    """The Time-LSTM, in its first form: a gate for the time to the next step (Zhu et al. 2017,
    equations 9 to 11). A layer is called ``layer(x, dt=...)``.

    Good for: what a person does next, where the time between two events tells much.
    """

    input, forget, candidate, output, interest = (Gate() for _ in range(5))
    span, span_out = Map(bias=False), Map(bias=False)
    forget_gate_name, input_gate_name = "forget", "input"

    def step(self, x: Value, h: Value, c: Value, *, dt: Value) -> dict[str, Value]:
        i = sigmoid(self.input(x, h))
        f = sigmoid(self.forget(x, h))
        g = tanh(self.candidate(x, h))
        t = sigmoid(self.interest(x) + sigmoid(self.span(dt)))
        c = f * c + i * t * g
        o = sigmoid(self.output(x, h) + self.span_out(dt))
        return dict(h=o * tanh(c), c=c, input=i, forget=f, candidate=g, output=o, interest=t)


class PhasedLSTM(Cell):
    """The phased LSTM: each unit is open in a part of a period of its own (Neil, Pfeiffer & Liu
    2016, equations 6 to 10). A layer is called ``layer(x, time=...)`` with the time of each step.

    ``ratio`` is the part of a period in which a unit is open, ``leak`` how much a closed one lets
    through. ``period`` begins at 2: set it to the time scales of the data.

    Good for: events from sensors that sample at different rates.
    """

    time = Input(width=1)
    input, forget, candidate, output = Gate(), Gate(), Gate(), Gate()
    period, shift = Vector(initial=2.0), Vector()
    forget_gate_name, input_gate_name = "forget", "input"

    def __init__(self, ratio: float = 0.05, leak: float = 0.001) -> None:
        self.ratio, self.leak = ratio, leak

    def step(self, x: Value, h: Value, c: Value, *, time: Value) -> dict[str, Value]:
        turns = (time - self.shift) / self.period
        phase = turns - detach(floor(turns))
        rising = 2.0 * phase / self.ratio
        closing = where(greater(self.ratio, phase), 2.0 - rising, self.leak * phase)
        k = where(greater(self.ratio / 2.0, phase), rising, closing)
        i = sigmoid(self.input(x, h))
        f = sigmoid(self.forget(x, h))
        g = tanh(self.candidate(x, h))
        o = sigmoid(self.output(x, h))
        new = f * c + i * g
        return dict(
            h=k * (o * tanh(new)) + (1.0 - k) * h,
            c=k * new + (1.0 - k) * c,
            openness=k,
            input=i,
            forget=f,
            candidate=g,
            output=o,
        )


class ODERNN(Cell):
    """The ODE-RNN: between inputs h follows a learned differential equation (Rubanova, Chen &
    Duvenaud 2019, section 3.1), here in ``steps`` Euler steps of a two-layer network.

    A layer is called ``layer(x, dt=...)`` with the time since the step before.

    Good for: irregular samples of something that moves smoothly in between.
    """

    hidden = Gate()
    inner, outer = Map(), Map()

    def __init__(self, steps: int = 2) -> None:
        if steps < 1:
            raise ValueError(f"steps must be at least 1, got {steps}")
        self.steps = steps

    def step(self, x: Value, h: Value, *, dt: Value) -> dict[str, Value]:
        for _ in range(self.steps):
            h = h + dt / self.steps * self.outer(tanh(self.inner(h)))
        return dict(h=tanh(self.hidden(x, h)))


class LTC(Cell):
    """The liquid time-constant network: one step of its fused solver (Hasani et al. 2021,
    equation 3). A layer is called ``layer(x, dt=...)``.

    ``target`` is what a driven unit tends to, ``rate`` one over its time constant at rest.

    Good for: control with few units, whose time constants depend on what they see.
    """

    drive = Gate()
    target, rate = Vector(), Vector(initial=1.0)

    def step(self, x: Value, h: Value, *, dt: Value) -> dict[str, Value]:
        f = sigmoid(self.drive(x, h))
        return dict(h=(h + dt * f * self.target) / (1.0 + dt * (self.rate + f)), drive=f)


class CfC(Cell):
    """The closed-form continuous-time network, without its shared backbone (Hasani et al. 2022,
    equation 10). A layer is called ``layer(x, dt=...)``.

    Good for: irregular samples, at the cost of a gated cell and with no solver.
    """

    rate, shift, early, late = Gate(), Gate(), Gate(), Gate()

    def step(self, x: Value, h: Value, *, dt: Value) -> dict[str, Value]:
        k = sigmoid(self.rate(x, h) * dt + self.shift(x, h))
        early, late = tanh(self.early(x, h)), tanh(self.late(x, h))
        return dict(h=early * (1.0 - k) + late * k, mix=k, early=early, late=late)
