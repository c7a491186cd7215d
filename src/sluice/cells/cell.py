"""What a cell's definition may say: `Cell`, and `State`, `Gate`, `Map`, `Vector`, `Norm`, `Mask`.

A cell is a class with a ``step``: its update equations, in ordinary Python. The arguments after
``x`` are its states (and masks); the keys of the dictionary returned are the names of its values.

    class Leaky(Cell):
        '''A tanh unit that keeps part of what it had.'''

        candidate, leak = Gate(), Gate()

        def step(self, x, h):
            k = sigmoid(self.leak(x, h))
            g = tanh(self.candidate(x, h))
            return dict(h=k * h + (1 - k) * g, leak=k, candidate=g)
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self, TypeVar, cast, overload

from torch import Tensor

from sluice.equations import specs
from sluice.equations.evaluation import TensorInterpreter
from sluice.equations.graph import Graph, Node
from sluice.equations.ops import Value
from sluice.equations.specs import HIDDEN, Sizes
from sluice.equations.symbol import EquationError
from sluice.equations.text import to_text
from sluice.equations.trace import Declarations, Interpreter, trace


@dataclass(frozen=True)
class State:
    """A value carried from step to step.

    ``width`` is ``"hidden"`` or ``"projection"``; ``initial`` is its value before the first step.
    A state of width hidden that starts at 0 need not be declared: naming it in ``step`` is enough.
    """

    width: str = HIDDEN
    initial: float = 0.0


class _Declaration:
    """A part that a step reaches through ``self``, under the name it is declared by."""

    name: str = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name


@dataclass
class Gate(_Declaration):
    """A learned map of the input and of a state: ``gate(x, h)`` is W x + b + R h + b'.

    ``gate(x)`` and ``gate(h=h)`` are its two halves; a gate used by one half has only that half's
    parameters. Its value is a pre-activation: put sigmoid or tanh around it. ``heads`` (a number,
    or the name of an attribute of the cell) makes R block-diagonal, ``input_heads`` W. ``width`` is
    as for `State`.
    """

    width: str = HIDDEN
    heads: int | str = 1
    bias: bool = True
    input_heads: int | str = 1

    @overload
    def __get__(self, cell: None, owner: type) -> Self: ...

    @overload
    def __get__(self, cell: Cell, owner: type) -> _BoundGate: ...

    def __get__(self, cell: Cell | None, owner: type) -> Self | _BoundGate:
        return self if cell is None else _BoundGate(cell, self.name)


@dataclass(frozen=True)
class _BoundGate:
    cell: Cell
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


@dataclass
class Map(_Declaration):
    """A learned map of one value of the step: ``map(v)`` is W v (+ b), of the given width.

    Unlike a gate it has parameters of its own, ``weight_{name}`` and ``bias_{name}``; another
    ``parameter`` name may be given. What it maps may have been computed within the step. ``heads``
    makes W block-diagonal, as for a `Gate`.
    """

    width: str = HIDDEN
    bias: bool = True
    parameter: str | None = None
    heads: int | str = 1

    @overload
    def __get__(self, cell: None, owner: type) -> Self: ...

    @overload
    def __get__(self, cell: Cell, owner: type) -> _BoundMap: ...

    def __get__(self, cell: Cell | None, owner: type) -> Self | _BoundMap:
        return self if cell is None else _BoundMap(cell, self.name, self.parameter or self.name)


@dataclass(frozen=True)
class _BoundMap:
    cell: Cell
    name: str
    stack: str

    def __call__(self, operand: Value) -> Value:
        return self.cell.interpreter.affine(self.stack, self.name, operand)


@dataclass
class Vector(_Declaration):
    """A learned number for each unit; used as a value, ``self.peephole * c``.

    ``initial`` is where each begins; None draws them uniformly from ±1/√hidden.
    """

    initial: float | None = None
    width: str = HIDDEN

    @overload
    def __get__(self, cell: None, owner: type) -> Self: ...

    @overload
    def __get__(self, cell: Cell, owner: type) -> Value: ...

    def __get__(self, cell: Cell | None, owner: type) -> Self | Value:
        return self if cell is None else cell.interpreter.vector(self.name)


@dataclass
class Norm(_Declaration):
    """Layer norm with a learned weight and bias: ``norm(a)``, or over several, ``norm(a, b)``.

    Over several values it takes mean and variance over all of them together and returns as many.
    """

    epsilon: float = 1e-5

    @overload
    def __get__(self, cell: None, owner: type) -> Self: ...

    @overload
    def __get__(self, cell: Cell, owner: type) -> _BoundNorm: ...

    def __get__(self, cell: Cell | None, owner: type) -> Self | _BoundNorm:
        return self if cell is None else _BoundNorm(cell, self.name)


@dataclass(frozen=True)
class _BoundNorm:
    cell: Cell
    name: str

    @overload
    def __call__(self, operand: Value, /) -> Value: ...

    @overload
    def __call__(self, first: Value, second: Value, /, *more: Value) -> tuple[Value, ...]: ...

    def __call__(self, *group: Value) -> Value | tuple[Value, ...]:
        parts = self.cell.interpreter.norm(self.name, group)
        return parts[0] if len(group) == 1 else parts


@dataclass(frozen=True)
class Mask:
    """A random value given to each step under its name, as an argument of ``step``.

    While training each element is ``keep_value`` with probability ``1 - rate``, else
    ``drop_value``, drawn from torch's generator by the layer; in evaluation it is ``eval_value``.
    ``shared`` masks are drawn once for a whole sequence, the others at every step.
    """

    rate: float
    keep_value: float = 1.0
    drop_value: float = 0.0
    eval_value: float = 1.0
    shared: bool = False
    width: str = HIDDEN


_Part = TypeVar("_Part", State, Gate, Map, Vector, Norm, Mask)


@dataclass
class _DeclarationTable:
    """The declarations of a class, by kind."""

    by_name: dict[str, object] = field(default_factory=dict)

    def select(self, kind: type[_Part]) -> dict[str, _Part]:
        return {name: part for name, part in self.by_name.items() if isinstance(part, kind)}


class Cell:
    """A recurrent cell, written once as its update equations.

    Subclasses declare gates, maps, vectors, norms and masks as class attributes, and write
    ``step(self, x, h, ...)``. Python attributes of an instance are constants of the equations.

    ``forget_gate_name`` and ``input_gate_name`` name the gates that keep and write the state, for
    the initialisations that need them (``forget_bias=``, ``chrono=`` of the layers).
    """

    forget_gate_name: str | None = None
    input_gate_name: str | None = None
    _interpreter: Interpreter | None = None

    def step(self, x: Value, *states: Any, **named: Any) -> dict[str, Value]:
        """One time step: from the input and the states found to all named values."""
        raise NotImplementedError(f"{type(self).__name__} must define step(self, x, h)")

    @property
    def name(self) -> str:
        """The cell's name, without spaces."""
        return type(self).__name__

    @property
    def interpreter(self) -> Interpreter:
        """What gates and vectors stand for now; set by `bind_interpreter` and `bind`."""
        if self._interpreter is None:
            raise EquationError(
                f"{self.name}'s gates have no parameters yet; run it in a layer, "
                "sluice.nn.Recurrent(cell, ...), or call cell.bind(parameters, sizes).step(...)"
            )
        return self._interpreter

    def bind_interpreter(self, interpreter: Interpreter) -> Self:
        """A copy of this cell whose gates, vectors and norms are those of ``interpreter``."""
        other = copy.copy(self)
        other._interpreter = interpreter
        return other

    def bind(self, parameters: Mapping[str, Tensor], sizes: Sizes) -> Self:
        """A copy of this cell whose ``step`` computes on tensors with these parameters.

        ``parameters`` are named as `Graph.parameters` names them (``weight_ih``, ...), shaped for
        ``sizes``. The step maps ``(batch, input)`` and states ``(batch, hidden)`` to a dictionary.
        """
        graph = self.graph
        interpreter = TensorInterpreter(graph.stacks, graph.norms, sizes, parameters)
        return self.bind_interpreter(cast(Interpreter, interpreter))  # its step is given tensors

    @cached_property
    def declarations(self) -> Declarations:
        """Everything that this cell declares, as data."""
        found = _DeclarationTable()
        for owner in reversed(type(self).__mro__):
            kinds = (State, Gate, Map, Vector, Norm, Mask)
            found.by_name |= {n: p for n, p in vars(owner).items() if isinstance(p, kinds)}
        masks = found.select(Mask)
        states = [name for name in _step_arguments(self) if name not in masks]
        declared = found.select(State)
        return Declarations(
            states=tuple(_state_spec(name, declared.get(name, State())) for name in states),
            stacks=_gate_stacks(self, found.select(Gate)) + _map_stacks(self, found.select(Map)),
            vectors=tuple(
                specs.VectorSpec(n, v.width, v.initial) for n, v in found.select(Vector).items()
            ),
            norms=tuple(
                specs.NormSpec(n, (), norm.epsilon) for n, norm in found.select(Norm).items()
            ),
            masks=tuple(specs.MaskSpec(n, **vars(mask)) for n, mask in masks.items()),
        )

    @cached_property
    def graph(self) -> Graph:
        """The cell's equations, traced from its ``step``. Raises `EquationError`."""

        def step(interpreter: Interpreter, x: Node, values: dict[str, Node]) -> Mapping[str, Value]:
            return self.bind_interpreter(interpreter).step(x, **values)

        return trace(self.name, self.declarations, step)

    @cached_property
    def text(self) -> str:
        """The canonical text of the cell's graph."""
        return to_text(self.graph)

    def __getstate__(self) -> dict[str, object]:
        derived = ("declarations", "graph", "text", "_interpreter")
        return {name: value for name, value in vars(self).items() if name not in derived}


def _step_arguments(cell: Cell) -> list[str]:
    """The names of step's arguments after the input."""
    found = inspect.signature(cell.step).parameters.values()
    if not found or any(p.kind not in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) for p in found):
        raise EquationError(
            f"{cell.name}: step must take the input and the states by name, as in step(self, x, h)"
        )
    names = [p.name for p in found][1:]
    if not names:
        raise EquationError(
            f"{cell.name}: step must take at least one state, as in step(self, x, h)"
        )
    return names


def _state_spec(name: str, state: State) -> specs.StateSpec:
    return specs.StateSpec(name, state.width, float(state.initial))


def _gate_stacks(cell: Cell, gates: dict[str, Gate]) -> tuple[specs.StackSpec, ...]:
    if not gates:
        return ()
    heads = {
        (_count_heads(cell, g.input_heads), _count_heads(cell, g.heads)) for g in gates.values()
    }
    biases = {gate.bias for gate in gates.values()}
    if len(heads) > 1 or len(biases) > 1:
        raise EquationError(
            f"{cell.name}: all gates of a cell must have the same heads and the same bias"
        )
    named, bias = tuple((name, gate.width) for name, gate in gates.items()), biases.pop()
    of_input, of_state = heads.pop()
    return (
        specs.StackSpec("ih", named, specs.INPUT, of_input, bias),
        specs.StackSpec("hh", named, HIDDEN, of_state, bias),
    )


def _map_stacks(cell: Cell, maps: dict[str, Map]) -> tuple[specs.StackSpec, ...]:
    return tuple(
        specs.StackSpec(
            m.parameter or name, ((name, m.width),), HIDDEN, _count_heads(cell, m.heads), m.bias
        )
        for name, m in maps.items()
    )


def _count_heads(cell: Cell, heads: int | str) -> int:
    """The number of heads of a declaration: its own, or that of the attribute that it names."""
    return int(getattr(cell, heads) if isinstance(heads, str) else heads)
