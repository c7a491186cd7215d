"""Cells from cells: layer norm, zoneout, recurrent dropout and held values of any cell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from math import isfinite

from sluice.cached import cached_property
from sluice.cells.cell import Cell
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
from sluice.equations.specs import MaskSpec, NormSpec, VectorSpec
from sluice.equations.symbol import EquationError
from sluice.equations.trace import Declarations, Interpreter


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
        return f"{own}({self.inner.name})" if type(self).__module__ == __name__ else own

    @cached_property
    def graph(self) -> Graph:
        """The equations; what is wrong with those of the inner cell is told in its name."""
        _ = self.inner.graph
        return super().graph

    def step(self, x: Value, **values: Value) -> dict[str, Value]:
        return self.inner.bind_interpreter(self.interpreter).call_step(x, values)


@dataclass
class _InnerInterpreter:
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


class LayerNormed(Transform):
    """What `layer_norm` makes."""

    def __init__(self, inner: Cell | type[Cell], span: str, epsilon: float) -> None:
        super().__init__(inner)
        if span not in ("all", "gate"):
            raise ValueError(f"span must be 'all' or 'gate', got {span!r}")
        self.span, self.epsilon = span, epsilon

    @cached_property
    def groups(self) -> dict[tuple[str, str], tuple[str, ...]]:
        """For each gate in its stack, the gates that share its mean and variance."""
        read: dict[tuple[str, Node], list[str]] = {}
        for node in self.inner.graph.nodes:
            if isinstance(node, Affine) and node.stack in ("ih", "hh"):
                read.setdefault((node.stack, node.operand), []).append(node.gate)
        found: dict[tuple[str, str], tuple[str, ...]] = {}
        for (stack, _), used in read.items():
            order = [gate for gate, _ in self.inner.graph.get_stack(stack).gates if gate in used]
            for gate in order:
                found[stack, gate] = tuple(order) if self.span == "all" else (gate,)
        return found

    def norm_name(self, stack: str, group: tuple[str, ...]) -> str:
        """The name of the norm over ``group``, as its parameters carry it."""
        whole = len(group) == len(self.inner.graph.get_stack(stack).gates) > 1
        return f"norm_{stack}" if whole else f"norm_{stack}_{'_'.join(group)}"

    @cached_property
    def declarations(self) -> Declarations:
        inner = self.inner.declarations
        paired = ("ih", "hh")
        names = {self.norm_name(stack, group) for (stack, _), group in self.groups.items()}
        norms = tuple(NormSpec(name, (), self.epsilon) for name in sorted(names))
        stacks = tuple(replace(s, bias=s.bias and s.name not in paired) for s in inner.stacks)
        return replace(inner, stacks=stacks, norms=inner.norms + norms)

    def step(self, x: Value, **values: Value) -> dict[str, Value]:
        normed = _LayerNormInterpreter(self.interpreter, self)
        return self.inner.bind_interpreter(normed).call_step(x, values)


@dataclass
class _LayerNormInterpreter(_InnerInterpreter):
    """An interpreter whose gates' maps are normed."""

    cell: LayerNormed

    def affine(self, stack: str, gate: str, operand: Value) -> Value:
        if stack not in ("ih", "hh"):
            return self.interpreter.affine(stack, gate, operand)
        group = self.cell.groups[stack, gate]
        parts = tuple(self.interpreter.affine(stack, other, operand) for other in group)
        return self.interpreter.norm(self.cell.norm_name(stack, group), parts)[group.index(gate)]


class Zoneout(Transform):
    """What `zoneout` makes."""

    def __init__(self, inner: Cell | type[Cell], rates: Mapping[str, float]) -> None:
        super().__init__(inner)
        states = {state.name for state in self.inner.declarations.states}
        for state, rate in rates.items():
            if state not in states:
                raise ValueError(
                    f"{self.inner.name} has no state '{state}'; its states are "
                    f"{', '.join(sorted(states))}"
                )
            _check_rate(rate)
        self.rates = dict(rates)

    @cached_property
    def declarations(self) -> Declarations:
        inner = self.inner.declarations
        widths = {state.name: state.width for state in inner.states}
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


class RecurrentDropout(Transform):
    """What `recurrent_dropout` makes."""

    def __init__(self, inner: Cell | type[Cell], rate: float) -> None:
        super().__init__(inner)
        _check_rate(rate)
        self.rate = rate

    @cached_property
    def declarations(self) -> Declarations:
        inner = self.inner.declarations
        widths = [stack.operand for stack in self.inner.graph.stacks if stack.name == "hh"]
        if not widths:
            raise EquationError(f"{self.inner.name} has no recurrent map to drop inputs of")
        mask = MaskSpec("dropout", self.rate, 1.0 / (1.0 - self.rate), 0.0, 1.0, True, widths[0])
        return replace(inner, masks=(*inner.masks, mask))

    def step(self, x: Value, **values: Value) -> dict[str, Value]:
        dropped = _DropoutInterpreter(self.interpreter, values.pop("dropout"))
        return self.inner.bind_interpreter(dropped).call_step(x, values)


@dataclass
class _DropoutInterpreter(_InnerInterpreter):
    """An interpreter whose recurrent maps read masked operands."""

    mask: Value

    def affine(self, stack: str, gate: str, operand: Value) -> Value:
        return self.interpreter.affine(
            stack, gate, operand * self.mask if stack == "hh" else operand
        )


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


def layer_norm(cell: Cell | type[Cell], span: str = "all", epsilon: float = 1e-5) -> Cell:
    """``cell`` with layer norm on its gates' maps (Ba, Kiros & Hinton 2016, equations 4 and 20).

    W x and R h are normed apart, each with a weight and a bias of its own, which take the place of
    the gates' biases. With ``span="all"`` mean and variance are taken over all gates that read the
    same value, as in the paper; with ``span="gate"`` over each gate alone.

    Example:
        >>> from sluice.cells import GRU, layer_norm
        >>> layer_norm(GRU).name
        'LayerNormed(GRU)'
    """
    return LayerNormed(cell, span, epsilon)


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


def recurrent_dropout(cell: Cell | type[Cell], rate: float) -> Cell:
    """``cell`` with dropout on what its recurrent maps read (Gal & Ghahramani 2016, section 4).

    One mask is drawn for a whole sequence and used at every step; kept elements are scaled by
    1 / (1 − rate). Raises ValueError for a rate outside [0, 1).

    Example:
        >>> from sluice.cells import LSTM, recurrent_dropout
        >>> recurrent_dropout(LSTM, 0.25).declarations.masks[0].shared
        True
    """
    return RecurrentDropout(cell, rate)


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


def _check_rate(rate: float) -> None:
    if not 0.0 <= rate < 1.0:
        raise ValueError(f"rate must be a probability in [0, 1), got {rate}")
