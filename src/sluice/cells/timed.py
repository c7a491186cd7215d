"""Cells for samples at irregular times: a step is given more than x."""

from __future__ import annotations

from sluice.cells.cell import Cell
from sluice.cells.declarations import Gate, Map, State, Vector
from sluice.cells.inputs import Input
from sluice.equations.ops import Value, exp, relu, sigmoid, tanh
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
