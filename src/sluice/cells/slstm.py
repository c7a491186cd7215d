"""The sLSTM: exponential gates, a normaliser and a stabiliser."""

from __future__ import annotations

from sluice.cells.cell import Cell
from sluice.cells.declarations import Gate
from sluice.equations.ops import Value, exp, log_sigmoid, maximum, sigmoid, tanh


class SLSTM(Cell):
    """The scalar LSTM of xLSTM (Beck et al. 2024, equations 8 to 17), its recurrence block-diagonal
    over ``heads``.

    ``forget`` is ``"sigmoid"`` or ``"exponential"``. The stabiliser m cancels in h, so the recorded
    gates are the stabilised ones, i′ and f′. ``hidden`` must be divisible by ``heads``.

    Good for: revising what is stored: exponential gates can outweigh all that was written before.
    """

    input, forget, candidate, output = (Gate(heads="heads") for _ in range(4))
    forget_gate_name, input_gate_name = "forget", "input"

    def __init__(self, heads: int = 1, forget: str = "sigmoid") -> None:
        if forget not in ("sigmoid", "exponential"):
            raise ValueError(f"forget must be 'sigmoid' or 'exponential', got {forget!r}")
        self.heads = heads
        self.forget_activation = forget

    def step(self, x: Value, h: Value, c: Value, n: Value, m: Value) -> dict[str, Value]:
        log_i = self.input(x, h)
        log_f = self.forget(x, h)
        if self.forget_activation == "sigmoid":
            log_f = log_sigmoid(log_f)
        z = tanh(self.candidate(x, h))
        o = sigmoid(self.output(x, h))
        stable = maximum(log_f + m, log_i)
        i = exp(log_i - stable)
        f = exp(log_f + m - stable)
        c = f * c + i * z
        n = f * n + i
        return dict(h=o * (c / n), c=c, n=n, m=stable, input=i, forget=f, candidate=z, output=o)
