"""Cells from cells: zoneout and held values of any cell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from math import isfinite

from sluice.cached import cached_property
from sluice.cells.cell import Cell
from sluice.cells.parts import iterate_form
from sluice.cells.transform import Transform, check_rate
from sluice.equations.graph import (
    Affine,
    Elementwise,
    Graph,
    Leaf,
    Node,
    RowMap,
    RowNorm,
    X,
)
from sluice.equations.op_table import apply
from sluice.equations.ops import Value, detach, greater, where
from sluice.equations.specs import MaskSpec, VectorSpec
from sluice.equations.symbol import EquationError
from sluice.equations.trace import Declarations, Interpreter


class Zoneout(Transform):
    """What `zoneout` makes."""

    def __init__(self, inner: Cell | type[Cell], rates: Mapping[str, float]) -> None:
        super().__init__(inner)
        states = {state.name for state in self.inner.declarations.states}
        rates = self._expand_counts(rates)
        for state, rate in rates.items():
            if state not in states:
                raise ValueError(
                    f"{self.inner.name} has no state '{state}'; its states are "
                    f"{', '.join(sorted(states))}"
                )
            check_rate(rate)
        self.rates = rates

    def _expand_counts(self, rates: Mapping[str, float]) -> dict[str, float]:
        """The rates with each of the states of a count by its own name."""
        forms, found = self.inner.parts.forms, dict[str, float]()
        for state, rate in rates.items():
            form = forms.get(state)
            found |= dict.fromkeys([p.name for p in iterate_form(form)] if form else [state], rate)
        return found

    @cached_property
    def declarations(self) -> Declarations:
        inner = self.inner.declarations
        widths = {state.name: state.width for state in inner.states}
        taken = {one.name for one in (*inner.masks, *inner.states, *inner.inputs)}
        for state in self.rates:
            if f"zoneout_{state}" in taken:
                raise EquationError(
                    f"zoneout calls the mask of '{state}' 'zoneout_{state}', but {self.inner.name} "
                    "has something of that name; choose another there, and hold a state only once"
                )
        masks = tuple(
            MaskSpec(f"zoneout_{state}", rate, 0.0, 1.0, rate, False, widths[state])
            for state, rate in self.rates.items()
        )
        return replace(inner, masks=inner.masks + masks)

    def step(self, x: Value, **values: Value) -> dict[str, Value]:
        masks = {state: values.pop(f"zoneout_{state}") for state in self.rates}
        found = self.inner.bind_interpreter(self.interpreter).call_step(x, values)
        for state, held in masks.items():
            found[state] = held * values[state] + (1.0 - held) * found[state]
        return found


class ClampedGates(Transform):
    """What `clamp_gates` makes."""

    def __init__(self, inner: Cell | type[Cell], values: Mapping[str, float]) -> None:
        super().__init__(inner)
        _check_names(self.inner, values)
        for name, value in values.items():
            if not isfinite(value):
                raise ValueError(f"the value of '{name}' must be a finite number, got {value}")
        self.values = {name: float(value) for name, value in values.items()}

    @cached_property
    def declarations(self) -> Declarations:
        return self.inner.declarations

    def step(self, x: Value, **given: Value) -> dict[str, Value]:
        return _evaluate_with_substitutes(
            self.inner.graph, self.interpreter, x, given, self._clamp_value
        )

    def _clamp_value(self, name: str, value: Value) -> Value:
        return _substitute_constant(value, self.values[name]) if name in self.values else value


class ClampedUnits(Transform):
    """What `clamp_units` makes."""

    def __init__(self, inner: Cell | type[Cell], names: tuple[str, ...]) -> None:
        super().__init__(inner)
        _check_names(self.inner, names)
        self.names = names

    @cached_property
    def declarations(self) -> Declarations:
        inner, named = self.inner.declarations, self.inner.graph.outputs_by_name
        vectors = [
            VectorSpec(f"{part}_{name}", named[name].width, 0.0)
            for name in self.names
            for part in ("held", "at")
        ]
        return replace(inner, vectors=(*inner.vectors, *vectors))

    def step(self, x: Value, **given: Value) -> dict[str, Value]:
        return _evaluate_with_substitutes(
            self.inner.graph, self.interpreter, x, given, self._clamp_value
        )

    def _clamp_value(self, name: str, value: Value) -> Value:
        if name not in self.names:
            return value
        held, at = (self.interpreter.vector(f"{part}_{name}") for part in ("held", "at"))
        return where(greater(held, 0.5), at, value)


def _check_names(cell: Cell, names: Iterable[str]) -> None:
    for name in names:
        if name not in cell.graph.outputs_by_name:
            raise ValueError(
                f"{cell.name} has no value '{name}'; its values are "
                f"{', '.join(cell.graph.outputs_by_name)}"
            )


def _evaluate_with_substitutes(
    graph: Graph,
    interpreter: Interpreter,
    x: Value,
    leaves: dict[str, Value],
    substitute: Callable[[str, Value], Value],
) -> dict[str, Value]:
    """A step of a graph in which all that reads a named value reads what is there instead."""
    values: dict[Node, Value] = {}
    for node in graph.nodes:
        values[node] = evaluate_node(node, values, interpreter, x, leaves)
        for name in (name for name, named in graph.outputs if named is node):
            values[node] = substitute(name, values[node])
    return {name: values[node] for name, node in graph.outputs}


def evaluate_node(
    node: Node,
    values: dict[Node, Value],
    interpreter: Interpreter,
    x: Value,
    leaves: dict[str, Value],
) -> Value:
    """What a node of a graph is under ``interpreter``, given what its operands are."""
    operands = tuple(values[operand] for operand in node.operands)
    if isinstance(node, Elementwise):
        return apply(node.op, *operands)
    if isinstance(node, Affine):
        return interpreter.affine(node.stack, node.gate, operands[0])
    if isinstance(node, RowNorm):
        return interpreter.norm(node.norm, operands)[node.index]
    if isinstance(node, RowMap):
        return interpreter.row_map(node.op, operands[0], node.width)
    assert isinstance(node, Leaf)
    if node.kind == "constant":
        return float(node.name)
    if node.kind == "vector":
        return interpreter.vector(node.name)
    if node.kind == "size":
        return interpreter.size(node.name)
    return x if node is X else leaves[node.name]


def _substitute_constant(value: Value, number: float) -> Value:
    """The number, in a form that keeps the parameters of what it replaces: v > v never holds."""
    unread = detach(value)
    return where(greater(unread, unread), unread, number)


def zoneout(cell: Cell | type[Cell], **rates: float) -> Cell:
    """``cell`` whose states keep, at random, their previous value (Krueger et al. 2017, section 3).

    ``rates`` gives each state's probability, as in ``zoneout(LSTM, h=0.05, c=0.5)``; in evaluation
    a state moves by the expected value. Raises ValueError for an unknown state or a rate outside
    [0, 1).

    Example:
        >>> from sluice.cells import LSTM, zoneout
        >>> [mask.name for mask in zoneout(LSTM, h=0.05, c=0.5).declarations.masks]
        ['zoneout_h', 'zoneout_c']
    """
    return Zoneout(cell, rates)


def clamp_gates(cell: Cell | type[Cell], **values: float) -> Cell:
    """``cell`` with named values held at a number: a gate open or shut, a state at rest.

    Everything in the step that reads the value reads the number; the parameters stay, so that a
    trained layer's weights fit, and those of a held gate get gradient zero. What is held is the
    value that goes by the name: `MGU` keeps 1 − ``forget`` of its state.

    ``values`` are numbers by name, as in ``clamp_gates(LSTM, forget=1.0)``. Raises ValueError for a
    name that the cell does not return, or a number that is not finite.

    Example:
        >>> import torch, sluice
        >>> cell = sluice.cells.clamp_gates(sluice.cells.LSTM, output=0.0)
        >>> layer = sluice.nn.Recurrent(cell, 3, 8)
        >>> y, _ = layer(torch.randn(5, 2, 3))
        >>> y.abs().max().item()
        0.0
    """
    return ClampedGates(cell, values)


def clamp_units(cell: Cell | type[Cell], *names: str) -> Cell:
    """``cell`` whose named values may be held unit by unit, each by two vectors of parameters.

    Where ``held_{name}`` is above 0.5, everything in the step that reads the value reads
    ``at_{name}`` instead; both begin at 0, and the cell is what it was. Held at zero in all states,
    a unit is as if it were not there. `sluice.insight.clamp_units` does so in a trained layer.

    Raises ValueError for a name that the cell does not return.

    Example:
        >>> from sluice.cells import LSTM, clamp_units
        >>> [vector.name for vector in clamp_units(LSTM, "h", "c").declarations.vectors]
        ['held_h', 'at_h', 'held_c', 'at_c']
    """
    return ClampedUnits(cell, names)
