"""User-defined cells: the LSTM under another name, and a new one."""

from __future__ import annotations

from typing import Any

from sluice import Cell, Gate, Vector, sigmoid, tanh


class Mine(Cell):
    """The LSTM's equations with other names and another order of gates."""

    show, content, write, keep = Gate(), Gate(), Gate(), Gate()

    def step(self, x: Any, h: Any, memory: Any) -> dict[str, Any]:
        r, k, w = sigmoid(self.show(x, h)), sigmoid(self.keep(x, h)), sigmoid(self.write(x, h))
        memory = w * tanh(self.content(x, h)) + memory * k
        return dict(h=tanh(memory) * r, memory=memory, show=r, keep=k, write=w)


class Highway(Cell):
    """Four gates: what is kept sees the cell state, and what is shown is mixed with what was."""

    keep, write, candidate, show = Gate(), Gate(), Gate(), Gate()
    peephole = Vector()

    def step(self, x: Any, h: Any, c: Any) -> dict[str, Any]:
        k = sigmoid(self.keep(x, h) + self.peephole * c)
        w = sigmoid(self.write(x, h))
        g = tanh(self.candidate(x, h))
        s = sigmoid(self.show(x, h))
        c = k * c + w * g
        return dict(h=s * tanh(c) + (1 - s) * h, c=c, keep=k, write=w, candidate=g, show=s)
