"""What a step finds under a declaration's name: gates, maps and norms that can be called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NoReturn, Protocol, Self, overload

from sluice.equations.graph import Leaf, Node, sort_topologically
from sluice.equations.ops import Value
from sluice.equations.symbol import EquationError
from sluice.equations.trace import Interpreter


class Bindable(Protocol):
    """A cell, as its parts see it."""

    @property
    def interpreter(self) -> Interpreter:
        """What gates and vectors stand for now."""


class BoundPart:
    """A part that a step calls; whatever else is done to it is explained."""

    kind: ClassVar[str] = "gate"
    name: str

    @property
    def _form(self) -> str:
        return f"self.{self.name}({'x, h' if self.kind == 'gate' else 'value'})"

    def explain_call(self) -> str:
        """What to write where the part itself is used as a value."""
        return f"{self.kind} '{self.name}' is no value before it is called; write {self._form}"

    def _refuse(self, *_: object) -> NoReturn:
        raise EquationError(self.explain_call())

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = _refuse
    __rtruediv__ = __neg__ = __gt__ = __lt__ = __ge__ = __le__ = __pow__ = __float__ = _refuse
    __matmul__ = __rmatmul__ = __bool__ = _refuse
    if TYPE_CHECKING:  # a part declared with a count is a sequence of such parts

        def __getitem__(self, index: int) -> Self: ...
        def __iter__(self) -> Iterator[Self]: ...
        def __len__(self) -> int: ...

    else:
        __getitem__ = __iter__ = _refuse

    def __torch_function__(self, *_: object) -> NoReturn:
        self._refuse()

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise EquationError(
            f"a step cannot use .{name} of {self.kind} '{self.name}': its weights are the layer's; "
            f"write {self._form} for what it computes"
        )


@dataclass(frozen=True)
class BoundGate(BoundPart):
    cell: Bindable
    name: str

    def __call__(self, x: Value | None = None, h: Value | None = None) -> Value:
        _check_order(self.name, x, h)
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


def _check_order(gate: str, x: Value | None, h: Value | None) -> None:
    """Refuse a state where the input belongs, which would only exchange the weights' names."""
    if not isinstance(x, Node):
        return
    if h is None and isinstance(x, Leaf) and x.kind == "state":
        raise EquationError(
            f"gate '{gate}' takes the input first, got state '{x.name}' there; write "
            f"self.{gate}(h={x.name}), or declare a Map() for a map of its own"
        )
    if isinstance(h, Node) and _reads_states(x) and not _reads_states(h):
        raise EquationError(
            f"gate '{gate}' takes the input first and the state second; exchange the two, as in "
            f"self.{gate}(x, h)"
        )


def _reads_states(node: Node) -> bool:
    return any(n.kind == "state" for n in sort_topologically([node]) if isinstance(n, Leaf))


@dataclass(frozen=True)
class BoundMap(BoundPart):
    cell: Bindable
    name: str
    stack: str
    kind: ClassVar[str] = "map"

    def __call__(self, operand: Value) -> Value:
        return self.cell.interpreter.affine(self.stack, self.name, operand)


@dataclass(frozen=True)
class BoundNorm(BoundPart):
    cell: Bindable
    name: str
    kind: ClassVar[str] = "norm"

    @overload
    def __call__(self, operand: Value, /) -> Value: ...

    @overload
    def __call__(self, first: Value, second: Value, /, *more: Value) -> tuple[Value, ...]: ...

    def __call__(self, *group: Value) -> Value | tuple[Value, ...]:
        parts = self.cell.interpreter.norm(self.name, group)
        return parts[0] if len(group) == 1 else parts
