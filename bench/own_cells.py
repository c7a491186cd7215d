"""User-defined cells: the LSTM under another name, and two new ones."""

from __future__ import annotations

from typing import Any

from sluice import Cell, Gate, Vector, exp, greater, maximum, sigmoid, tanh, where


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


class Surge(Cell):
    """Two products one after another, decay by exp, and above a level a bend without a kink."""

    reset, write, candidate = Gate(), Gate(), Gate()
    rate, level = Vector(), Vector()

    def step(self, x: Any, h: Any, c: Any) -> dict[str, Any]:
        r, w = sigmoid(self.reset(x, h)), sigmoid(self.write(x, h))
        g = tanh(self.candidate(x, r * h))
        c = exp(-maximum(self.rate * self.rate, 0.01)) * c + w * g
        over = c - self.level
        c = where(greater(c, self.level), self.level + over * exp(-over), c)
        return dict(h=tanh(c) * w, c=c, reset=r, write=w, candidate=g)
