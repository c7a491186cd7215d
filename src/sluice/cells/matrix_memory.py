"""Cells whose memory is a matrix, written by outer products and read by a query."""

from __future__ import annotations

from sluice.cells.cell import Cell
from sluice.cells.declarations import Gate, Map, Norm, State
from sluice.equations.ops import (
    Value,
    absolute,
    exp,
    log_sigmoid,
    maximum,
    sigmoid,
    sqrt,
    tanh,
)
from sluice.equations.rows import dot, matvec, outer

_MATRIX = "hidden*hidden"


class MatrixLSTM(Cell):
    """The mLSTM of xLSTM, with one head (Beck et al. 2024, equations 19 to 27): a matrix of values
    by keys, its gates exponential; the key's factor 1/√d is left to its weights.

    Its memory takes hidden × hidden numbers a sequence.

    Good for: recalling many pairs of keys and values, where an LSTM's vector is too small.
    """

    query, key, value, output = Gate(), Gate(), Gate(), Gate()
    input, forget = Map(width=1), Map(width=1)
    memory, peak = State(width=_MATRIX), State(width=1)

    def step(self, x: Value, h: Value, memory: Value, norm: Value, peak: Value) -> dict[str, Value]:
        q, k, v = self.query(x), self.key(x), self.value(x)
        log_i, log_f = self.input(x), log_sigmoid(self.forget(x))
        top = maximum(log_f + peak, log_i)
        i = exp(log_i - top)
        f = exp(log_f + peak - top)
        memory = f * memory + i * outer(v, k)
        norm = f * norm + i * k
        read = matvec(memory, q) / maximum(absolute(dot(norm, q)), exp(-top))
        o = sigmoid(self.output(x))
        return dict(h=o * read, memory=memory, norm=norm, peak=top, read=read)


class DeltaNet(Cell):
    """Fast weights with the delta rule: what is stored at a key is replaced by a part (Schlag, Irie
    & Schmidhuber 2021, equations 23 to 25), with keys of length 1 as in Yang et al. 2024.

    Its memory takes hidden × hidden numbers a sequence.

    Good for: associative recall where pairs change; old values are overwritten, not added to.
    """

    query, key, value = (Map(bias=False) for _ in range(3))
    rate = Map(width=1)
    memory = State(width=_MATRIX)

    def step(self, x: Value, h: Value, memory: Value) -> dict[str, Value]:
        q, k, v = self.query(x), self.key(x), self.value(x)
        k = k / sqrt(dot(k, k) + 1e-6)
        beta = sigmoid(self.rate(x))
        old = matvec(memory, k)
        memory = memory + beta * outer(v - old, k)
        return dict(h=matvec(memory, q), memory=memory, recalled=old)


class FastWeights(Cell):
    """An Elman cell that attends to its recent past through fast weights (Ba et al. 2016, equations
    1 and 2), with one inner step and layer norm.

    ``decay`` and ``rate`` are the paper's λ and η. Its memory takes hidden × hidden numbers a
    sequence.

    Good for: short-term memory of the last tens of steps at few weights.
    """

    candidate = Gate()
    norm = Norm()
    memory = State(width=_MATRIX)

    def __init__(self, decay: float = 0.95, rate: float = 0.5) -> None:
        self.decay, self.rate = decay, rate

    def step(self, x: Value, h: Value, memory: Value) -> dict[str, Value]:
        memory = self.decay * memory + self.rate * outer(h, h)
        a = self.candidate(x, h)
        return dict(h=tanh(self.norm(a + matvec(memory, tanh(a)))), memory=memory)
