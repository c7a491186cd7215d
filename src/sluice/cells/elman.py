"""The simple recurrent cells: Elman (1990) and Jordan (1986)."""

from __future__ import annotations

from sluice.cells.cell import Cell
from sluice.cells.declarations import Gate, Map
from sluice.equations.ops import Value, relu, sigmoid, tanh

_NONLINEARITIES = {"tanh": tanh, "relu": relu}


class Elman(Cell):
    """The simple recurrent network (Elman 1990, "Finding Structure in Time", figure 2).

    h_t = tanh(W x_t + b + R h_{t-1} + b'), or relu; as `torch.nn.RNN` has it.

    Good for: short sequences, finite state machines, and seeing a gradient vanish.
    """

    hidden = Gate()

    def __init__(self, nonlinearity: str = "tanh") -> None:
        if nonlinearity not in _NONLINEARITIES:
            raise ValueError(f"nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}")
        self.nonlinearity = nonlinearity

    def step(self, x: Value, h: Value) -> dict[str, Value]:
        return dict(h=_NONLINEARITIES[self.nonlinearity](self.hidden(x, h)))


class Jordan(Cell):
    """The network that feeds back its output (Jordan 1986, "Serial Order", figure 2).

    h_t = tanh(W x_t + R y_{t-1} + b) and y_t = sigmoid(U h_t + b_y): the state is the output y.

    Good for: sequences whose next step depends on the last output: control, serial order.
    """

    hidden = Gate()
    output = Map()

    def step(self, x: Value, y: Value) -> dict[str, Value]:
        h = tanh(self.hidden(x, y))
        return dict(y=sigmoid(self.output(h)), hidden=h)
