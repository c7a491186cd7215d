"""What transforms of cells share: a cell that runs another, and an interpreter in between."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from sluice.cached import cached_property
from sluice.cells.cell import Cell
from sluice.equations.graph import Graph
from sluice.equations.ops import Value
from sluice.equations.specs import Sizes
from sluice.equations.trace import Interpreter


class Transform(Cell):
    """A cell made from another, ``inner``."""

    def __init__(self, inner: Cell | type[Cell]) -> None:
        self.inner = inner() if isinstance(inner, type) else inner
        self.forget_gate_name, self.input_gate_name = (
            self.inner.forget_gate_name,
            self.inner.input_gate_name,
        )
        self.sizes = dict(self.inner.sizes)

    @property
    def name(self) -> str:
        own = type(self).__name__
        return f"{own}({self.inner.name})" if Transform in type(self).__bases__ else own

    def compute_constants(self, sizes: Sizes) -> dict[str, Tensor]:
        return self.inner.compute_constants(sizes)

    @cached_property
    def graph(self) -> Graph:
        """The equations; what is wrong with those of the inner cell is told in its name."""
        _ = self.inner.graph
        return super().graph

    def step(self, x: Value, **values: Value) -> dict[str, Value]:
        return self.inner.bind_interpreter(self.interpreter).call_step(x, values)


@dataclass
class InnerInterpreter:
    """What a transformed cell's own gates are made of: all but its maps as they are."""

    interpreter: Interpreter

    def vector(self, name: str) -> Value:
        return self.interpreter.vector(name)

    def norm(self, name: str, group: tuple[Value, ...]) -> tuple[Value, ...]:
        return self.interpreter.norm(name, group)

    def row_map(self, op: str, operand: Value, width: str) -> Value:
        return self.interpreter.row_map(op, operand, width)

    def size(self, width: str) -> Value:
        return self.interpreter.size(width)


def check_rate(rate: float) -> None:
    """Raise ValueError unless ``rate`` is one at which something may be dropped."""
    if not 0.0 <= rate < 1.0:
        raise ValueError(f"rate must be a probability in [0, 1), got {rate}")
