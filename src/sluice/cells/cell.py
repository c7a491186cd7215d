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
from typing import Any, Self, cast

from torch import Tensor

from sluice.cached import cached_property
from sluice.cells.collection import read_declarations
from sluice.equations.evaluation import TensorInterpreter
from sluice.equations.graph import Graph, Node
from sluice.equations.ops import Value
from sluice.equations.specs import Sizes
from sluice.equations.symbol import EquationError
from sluice.equations.text import to_text
from sluice.equations.trace import Declarations, Interpreter, trace


class Cell:
    """A recurrent cell, written once as its update equations.

    Subclasses declare gates, maps, vectors, norms and masks as class attributes, and write
    ``step(self, x, h, ...)``. Python attributes of an instance are constants of the equations.

    ``forget_gate_name`` and ``input_gate_name`` name the gates that keep and write the state, for
    the initialisations that need them (``forget_bias=``, ``chrono=`` of the layers). ``sizes``
    holds the sizes of the cell's own widths, such as that of ``State(width="slots")``, where the
    layer is not given them.
    """

    forget_gate_name: str | None = None
    input_gate_name: str | None = None
    sizes: Mapping[str, int] = MappingProxyType({})
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
        return read_declarations(self)

    @cached_property
    def graph(self) -> Graph:
        """The cell's equations, traced from its ``step``. Raises `EquationError`."""

        def step(interpreter: Interpreter, x: Node, values: dict[str, Node]) -> Mapping[str, Value]:
            return self.bind_interpreter(interpreter).step(x, **values)

        return trace(self.name, self.declarations, step, self.step)

    @cached_property
    def text(self) -> str:
        """The canonical text of the cell's graph."""
        return to_text(self.graph)

    def __getstate__(self) -> dict[str, object]:
        derived = ("declarations", "graph", "text", "_interpreter")
        return {name: value for name, value in vars(self).items() if name not in derived}
