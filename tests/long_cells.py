"""Cells with many values: shared ones, chains, doublings, states."""

from __future__ import annotations

from typing import Any

from sluice import Cell, Gate, Map, State, exp, sigmoid, tanh


class SharedValues(Cell):
    """Values without a name that are read twice each."""

    write = Gate()

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def step(self, x: Any, h: Any) -> dict[str, Any]:
        for _ in range(self.count):
            u = exp(h * 0.1)
            h = tanh(u + u * u * h)
        return dict(h=h + self.write(x))


class Chain(Cell):
    """A thousand operations, none of them named."""

    write = Gate()

    def step(self, x: Any, h: Any) -> dict[str, Any]:
        value = self.write(x, h)
        for index in range(1000):
            value = tanh(value) if index % 3 else value * 0.5 + h
        return dict(h=value)


class Doubles(Cell):
    """A sum that would be written four thousand times if it were written out."""

    write, read = Gate(), Map()

    def step(self, x: Any, h: Any) -> dict[str, Any]:
        value = self.write(x, h)
        for _ in range(12):
            value = value + value
        for _ in range(12):
            value = sigmoid(value) + self.read(value)
        return dict(h=value)


def build_wide_cell(count: int) -> Cell:
    """As many states, each mixed with the one before it."""
    names = [f"s{index}" for index in range(count)]
    body = "".join(f"        s{k} = tanh(s{k} * 0.5 + s{k - 1})\n" for k in range(1, count))
    source = (
        f"def step(self, x, {', '.join(names)}):\n"
        f"        s0 = tanh(self.write(x, s{count - 1}))\n{body}"
        f"        return dict({', '.join(f'{name}={name}' for name in names)})\n"
    )
    scope: dict[str, Any] = {"tanh": tanh}
    exec(source, scope)
    states = {name: State() for name in names}
    return type("Wide", (Cell,), {"write": Gate(), "step": scope["step"], **states})()  # type: ignore[no-any-return]


LONG_CELLS = {
    "3 shared": SharedValues(3).graph,
    "40 shared": SharedValues(40).graph,
    "200 shared": SharedValues(200).graph,
    "chain": Chain().graph,
    "doubles": Doubles().graph,
    "64 states": build_wide_cell(64).graph,
}
