"""From a cell's class to its declarations as data: `read_declarations`."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from sluice.cells.declarations import Gate, Map, Mask, Noise, Norm, State, Vector
from sluice.cells.inputs import Input, build_input_specs
from sluice.equations import specs
from sluice.equations.sizes import parse_width
from sluice.equations.specs import HIDDEN
from sluice.equations.symbol import EquationError
from sluice.equations.trace import Declarations

if TYPE_CHECKING:
    from sluice.cells.cell import Cell

_Part = TypeVar("_Part", State, Gate, Map, Vector, Norm, Mask, Noise, Input)


@dataclass
class DeclarationTable:
    """The declarations of a class, by kind."""

    by_name: dict[str, object] = field(default_factory=dict)

    def select(self, kind: type[_Part]) -> dict[str, _Part]:
        return {name: part for name, part in self.by_name.items() if isinstance(part, kind)}


def find_declarations(kind: type) -> DeclarationTable:
    """What a class and those it derives from declare; the nearest class that names it counts."""
    found = DeclarationTable()
    for owner in reversed(kind.__mro__):
        kinds = (State, Gate, Map, Vector, Norm, Mask, Noise, Input)
        found.by_name |= {n: p for n, p in vars(owner).items() if isinstance(p, kinds)}
    return found


def read_declarations(cell: Cell) -> Declarations:
    """Everything that ``cell`` declares. Raises `EquationError`."""
    found = find_declarations(type(cell))
    masks, noises, declared = found.select(Mask), found.select(Noise), found.select(State)
    arguments = _step_arguments(cell)
    undeclared = [n for n in _keyword_only(cell) if n not in {**masks, **noises, **declared}]
    widths = {n: _read_width(cell, n, one.width) for n, one in found.select(Input).items()}
    inputs = build_input_specs(cell.name, widths, arguments, undeclared)
    beside = {*masks, *noises, *(one.name for one in inputs)}
    states = [name for name in arguments if name not in beside]
    if not states:
        raise EquationError(
            f"{cell.name}: step must take at least one state, as in step(self, x, h)"
        )
    return Declarations(
        states=tuple(_state_spec(cell, name, declared.get(name, State())) for name in states),
        stacks=_gate_stacks(cell, found.select(Gate)) + _map_stacks(cell, found.select(Map)),
        vectors=tuple(
            specs.VectorSpec(n, _read_width(cell, n, v.width), v.initial)
            for n, v in found.select(Vector).items()
        ),
        norms=tuple(specs.NormSpec(n, (), norm.epsilon) for n, norm in found.select(Norm).items()),
        masks=(
            *(specs.MaskSpec(n, **_read_fields(cell, n, mask)) for n, mask in masks.items()),
            *(specs.NoiseSpec(n, **_read_fields(cell, n, one)) for n, one in noises.items()),
        ),
        inputs=inputs,
    )


def _step_arguments(cell: Cell) -> list[str]:
    """The names of step's arguments after the input."""
    found = inspect.signature(cell.step).parameters.values()
    if not found or any(p.kind not in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) for p in found):
        raise EquationError(
            f"{cell.name}: step must take the input and the states by name, as in step(self, x, h)"
        )
    return [p.name for p in found][1:]


def _keyword_only(cell: Cell) -> list[str]:
    found = inspect.signature(cell.step).parameters.values()
    return [p.name for p in found if p.kind is p.KEYWORD_ONLY]


def _state_spec(cell: Cell, name: str, state: State) -> specs.StateSpec:
    return specs.StateSpec(name, _read_width(cell, name, state.width), float(state.initial))


def _read_fields(cell: Cell, name: str, part: Mask | Noise) -> dict[str, Any]:
    return vars(part) | {"width": _read_width(cell, name, part.width)}


def _read_width(cell: Cell, name: str, width: object) -> str:
    """The width that the declaration ``name`` gives. Raises `EquationError` for what is none."""
    try:
        return parse_width(width)
    except ValueError as error:
        raise EquationError(f"{cell.name}: '{name}': {error}") from None


def _gate_stacks(cell: Cell, gates: dict[str, Gate]) -> tuple[specs.StackSpec, ...]:
    if not gates:
        return ()
    heads = {
        (_count_heads(cell, gate.input_heads), _count_heads(cell, gate.heads))
        for gate in gates.values()
    }
    biases = {gate.bias for gate in gates.values()}
    if len(heads) > 1 or len(biases) > 1:
        raise EquationError(
            f"{cell.name}: all gates of a cell must have the same heads and the same bias"
        )
    named = tuple((name, _read_width(cell, name, gate.width)) for name, gate in gates.items())
    bias = biases.pop()
    of_input, of_state = heads.pop()
    return (
        specs.StackSpec("ih", named, specs.INPUT, of_input, bias),
        specs.StackSpec("hh", named, HIDDEN, of_state, bias),
    )


def _map_stacks(cell: Cell, maps: dict[str, Map]) -> tuple[specs.StackSpec, ...]:
    return tuple(
        specs.StackSpec(
            m.parameter or name,
            ((name, _read_width(cell, name, m.width)),),
            HIDDEN,
            _count_heads(cell, m.heads),
            m.bias,
        )
        for name, m in maps.items()
    )


def _count_heads(cell: Cell, heads: int | str) -> int:
    """The number of heads of a declaration: its own, or that of the attribute that it names."""
    return int(getattr(cell, heads) if isinstance(heads, str) else heads)
