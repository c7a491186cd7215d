"""What a step finds under a declaration's name: gates, maps and norms that can be called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, overload

from sluice.equations.ops import Value
from sluice.equations.symbol import EquationError
from sluice.equations.trace import Interpreter


class Bindable(Protocol):
    """A cell, as its parts see it."""

    @property
    def interpreter(self) -> Interpreter:
        """What gates and vectors stand for now."""


@dataclass(frozen=True)
class BoundGate:
    cell: Bindable
    name: str

    def __call__(self, x: Value | None = None, h: Value | None = None) -> Value:
        affine = self.cell.interpreter.affine
        of_state = None if h is None else affine("hh", self.name, h)
        of_input = None if x is None else affine("ih", self.name, x)
        if of_input is not None and of_state is not None:
            return of_input + of_state
        if of_input is not None:
            return of_input
        if of_state is not None:
            return of_state
        raise EquationError(
            f"gate '{self.name}' must be called with operands, as in self.{self.name}(x, h)"
        )


@dataclass(frozen=True)
class BoundMap:
    cell: Bindable
    name: str
    stack: str

    def __call__(self, operand: Value) -> Value:
        return self.cell.interpreter.affine(self.stack, self.name, operand)


@dataclass(frozen=True)
class BoundNorm:
    cell: Bindable
    name: str

    @overload
    def __call__(self, operand: Value, /) -> Value: ...

    @overload
    def __call__(self, first: Value, second: Value, /, *more: Value) -> tuple[Value, ...]: ...

    def __call__(self, *group: Value) -> Value | tuple[Value, ...]:
        parts = self.cell.interpreter.norm(self.name, group)
        return parts[0] if len(group) == 1 else parts
