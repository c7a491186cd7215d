"""The simple recurrent cells: Elman (1990) and Jordan (1986)."""

from __future__ import annotations

from sluice.cells.activations import ActivatedCell, ActivationFunction
from sluice.cells.declarations import Gate, Map
from sluice.equations.ops import Value


class Elman(ActivatedCell):
    """The simple recurrent network (Elman 1990, "Finding Structure in Time", figure 2).

    h_t = tanh(W x_t + b + R h_{t-1} + b'), as `torch.nn.RNN` has it. ``activation`` (or, as torch
    calls it, ``nonlinearity``) and ``clip`` are those of `ActivatedCell`.

    Good for: short sequences, finite state machines, and seeing a gradient vanish.
    """

    hidden = Gate()

    def __init__(
        self,
        activation: ActivationFunction = "tanh",
        *,
        nonlinearity: ActivationFunction | None = None,
        clip: float | None = None,
    ) -> None:
        super().__init__(activation if nonlinearity is None else nonlinearity, clip=clip)

    def step(self, x: Value, h: Value) -> dict[str, Value]:
        return dict(h=self.activation(self.hidden(x, h)))


class Jordan(ActivatedCell):
    """The network that feeds back its output (Jordan 1986, "Serial Order", figure 2).

    h_t = tanh(W x_t + R y_{t-1} + b) and y_t = sigmoid(U h_t + b_y): the state is the output y.

    Good for: sequences whose next step depends on the last output: control, serial order.
    """

    hidden = Gate()
    output = Map()

    def step(self, x: Value, y: Value) -> dict[str, Value]:
        h = self.activation(self.hidden(x, y))
        return dict(y=self.gate_activation(self.output(h)), hidden=h)
