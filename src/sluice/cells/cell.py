"""A cell, written once as its update equations: `Cell`.

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
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self, cast

import torch
from torch import Tensor

from sluice.cached import cached_property
from sluice.cells.collection import read_declarations
from sluice.cells.constants import compute_constant
from sluice.cells.declarations import Constant, Declaration
from sluice.cells.declarations import Gate as Gate
from sluice.cells.declarations import Map as Map
from sluice.cells.declarations import Mask as Mask
from sluice.cells.declarations import Norm as Norm
from sluice.cells.declarations import State as State
from sluice.cells.declarations import Vector as Vector
from sluice.cells.names import explain_collision
from sluice.cells.parts import (
    PartTable,
    bind_form,
    find_parts,
    flatten_outputs,
    group_arguments,
)
from sluice.cells.repeated_trace import trace_repeatably
from sluice.cells.unused import warn_of_unused
from sluice.equations.evaluation import TensorInterpreter
from sluice.equations.graph import Graph, Node
from sluice.equations.ops import Value
from sluice.equations.specs import Sizes
from sluice.equations.symbol import EquationError
from sluice.equations.text import to_text
from sluice.equations.trace import Declarations, Interpreter, format_definition, trace


class Cell:
    """A recurrent cell, written once as its update equations.

    Subclasses declare gates, maps, vectors, norms and masks as class attributes, and write
    ``step(self, x, h, ...)``. Python attributes of an instance are constants of the equations.

    ``forget_gate_name`` and ``input_gate_name`` name the gates that keep and write the state, for
    the initialisations that need them (``forget_bias=``, ``chrono=`` of the layers). ``sizes``
    holds the sizes of the cell's own widths, such as that of ``State(width="slots")``, where the
    layer is not given them. ``output`` names what a layer gives out, ``output = "y"`` or several
    values side by side, ``output = ("h", "c")``. By default, and where a gate has that name, it is
    the first state.
    """

    forget_gate_name: str | None = None
    input_gate_name: str | None = None
    sizes: Mapping[str, int] = MappingProxyType({})
    _interpreter: Interpreter | None = None
    _collision: str | None = None
    _own_names: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in sorted(Cell._own_names & vars(cls).keys()):
            if _replaces_own(name, vars(cls)[name]):
                cls._collision = explain_collision(name)  # told when the cell is used
                delattr(cls, name)

    def __setattr__(self, name: str, value: object) -> None:
        if name in self._own_names and _replaces_own(name, value):
            raise EquationError(f"{type(self).__name__}: {explain_collision(name)}")
        if vars(self).get("_interpreter") is not None and name != "_interpreter":
            raise EquationError(
                f"a step cannot keep a value in self.{name}, as it is read once and run for every "
                f"step; what goes from step to step is a state: step(self, x, h, {name})"
            )
        super().__setattr__(name, value)

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
        own = vars(other)
        own["parts"] = self.parts
        own["_unbound"] = {name: own[name] for name in self.parts.inner if name in own}
        for name in self.parts.inner:
            own[name] = bind_form(other, self.parts.forms[name])
        return other

    def bind(self, parameters: Mapping[str, Tensor], sizes: Sizes) -> Self:
        """A copy of this cell whose ``step`` computes on tensors with these parameters.

        ``parameters`` are named as `Graph.parameters` names them (``weight_ih``, ...), shaped for
        ``sizes``; constants may be left out. The step maps ``(batch, input)`` and states
        ``(batch, hidden)`` to a dictionary.
        """
        graph = self.graph
        like = next(iter(parameters.values()), torch.empty(0))
        fixed = {n: value.to(like) for n, value in self.compute_constants(sizes).items()}
        interpreter = TensorInterpreter(graph.stacks, graph.norms, sizes, {**fixed, **parameters})
        return self.bind_interpreter(cast(Interpreter, interpreter))  # its step is given tensors

    def call_step(self, x: Value, values: Mapping[str, Any]) -> dict[str, Value]:
        """``step`` on states, masks and inputs by name, those of a ``count`` each by its own.

        Returns all named values, sequences taken apart in the same way.
        """
        outputs = self.step(x, **group_arguments(self.parts, values))
        return cast(dict[str, Value], flatten_outputs(outputs, self.parts))

    @cached_property
    def parts(self) -> PartTable:
        """Every declaration of this cell with its name."""
        if self._collision is not None:
            raise EquationError(f"{type(self).__name__}: {self._collision}")
        return find_parts(self)

    @cached_property
    def declarations(self) -> Declarations:
        """Everything that this cell declares, as data."""
        return read_declarations(self)

    @cached_property
    def graph(self) -> Graph:
        """The cell's equations, traced from its ``step``. Raises `EquationError`."""

        def call(interpreter: Interpreter, x: Node, values: dict[str, Node]) -> Mapping[str, Value]:
            return self.bind_interpreter(interpreter).call_step(x, values)

        declarations = self.declarations
        graph = trace_repeatably(
            lambda: trace(self.name, declarations, call, self.step),
            f"{self.name}: {format_definition(self.step)}",
        )
        warn_of_unused(self.name, self.parts, graph)
        return graph

    @cached_property
    def text(self) -> str:
        """The canonical text of the cell's graph."""
        return to_text(self.graph)

    def compute_constants(self, sizes: Sizes) -> dict[str, Tensor]:
        """The numbers of every `Constant` that the equations use, float64, by parameter.

        Raises ValueError for one whose shape does not fit ``sizes``.
        """
        specs = {p.name: p for p in self.graph.parameters if not p.learned}
        found = {}
        for name, one in self.parts.select(Constant).items():
            parameter = name if one.of is None else f"weight_{name}"
            if parameter in specs:
                found[parameter] = compute_constant(self, name, one, specs[parameter], sizes)
        return found

    def __getstate__(self) -> dict[str, object]:
        derived = {"declarations", "graph", "text", "_interpreter", "parts", "_unbound"}
        if "_unbound" in vars(self):
            derived |= self.parts.inner
        state = {name: value for name, value in vars(self).items() if name not in derived}
        unbound: dict[str, object] = vars(self).get("_unbound", {})
        return state | unbound


Cell._own_names = frozenset(name for name in vars(Cell) if not name.startswith("_"))
_SETTINGS = frozenset({"forget_gate_name", "input_gate_name", "name", "sizes"})


def _replaces_own(name: str, value: object) -> bool:
    """Whether ``value`` would take the place of what every cell has under ``name``."""
    if isinstance(value, Declaration):
        return True
    return name not in _SETTINGS and not hasattr(value, "__get__")
