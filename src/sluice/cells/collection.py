"""From a cell's class to its declarations as data: `read_declarations`."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from sluice.cells.declarations import Constant, Gate, Map, Mask, Noise, Norm, State, Vector
from sluice.cells.inputs import Input, build_input_specs
from sluice.cells.names import check_names
from sluice.cells.part_values import check_values
from sluice.cells.parts import PartTable, iterate_form, read_integer
from sluice.equations import specs
from sluice.equations.limits import MAX_SIZE
from sluice.equations.sizes import parse_width
from sluice.equations.specs import HIDDEN
from sluice.equations.symbol import EquationError
from sluice.equations.trace import Declarations

if TYPE_CHECKING:
    from sluice.cells.cell import Cell


def read_declarations(cell: Cell) -> Declarations:
    """Everything that ``cell`` declares. Raises `EquationError`."""
    found = cell.parts
    masks, noises, declared = found.select(Mask), found.select(Noise), found.select(State)
    arguments = _step_arguments(cell, found)
    undeclared = [name for name in _keyword_only(cell) if name not in found.forms]
    check_names(cell, found, arguments, undeclared)
    check_values(cell, found)
    widths = {n: _read_width(cell, n, one.width) for n, one in found.select(Input).items()}
    inputs = build_input_specs(widths, arguments, undeclared)
    beside = {*masks, *noises, *(one.name for one in inputs)}
    states = [name for name in arguments if name not in beside]
    if not states:
        raise EquationError(
            f"{cell.name}: step must take at least one state, as in step(self, x, h)"
        )
    return Declarations(
        states=tuple(_state_spec(cell, name, declared.get(name, State())) for name in states),
        stacks=_gate_stacks(cell, found.select(Gate))
        + _map_stacks(cell, found.select(Map))
        + _constant_stacks(cell, found.select(Constant)),
        vectors=_vector_specs(cell, found),
        norms=tuple(specs.NormSpec(n, (), norm.epsilon) for n, norm in found.select(Norm).items()),
        masks=(
            *(specs.MaskSpec(n, **_read_fields(cell, n, mask)) for n, mask in masks.items()),
            *(specs.NoiseSpec(n, **_read_fields(cell, n, one)) for n, one in noises.items()),
        ),
        inputs=inputs,
        output=_read_output(cell),
    )


def _read_output(cell: Cell) -> tuple[str, ...]:
    """What the cell's attribute ``output`` names; nothing where that is a gate, say, or missing."""
    found = vars(cell).get("output", inspect.getattr_static(type(cell), "output", None))
    if isinstance(found, str):
        return (found,)
    is_named = isinstance(found, tuple | list) and all(isinstance(name, str) for name in found)
    return tuple(found) if is_named else ()


def _step_arguments(cell: Cell, found: PartTable) -> list[str]:
    """The names of what step takes after the input, counted ones each by its own name."""
    arguments = list(inspect.signature(cell.step).parameters.values())
    if cell.step.__qualname__ == "Cell.step":
        raise EquationError(
            f"{cell.name} has no step; write its equations as def step(self, x, h), with its "
            "states after x, and return dict(h=...)"
        )
    if not arguments or any(
        p.kind not in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) for p in arguments
    ):
        raise EquationError(
            f"{cell.name}: step must take the input and the states by name, as in step(self, "
            "x, h); for several of a kind declare State(count=...)"
        )
    names = list[str]()
    for argument in arguments[1:]:
        if argument.default is not argument.empty:
            raise EquationError(
                f"{cell.name}: step is given a state or input '{argument.name}' each time, which "
                f"can have no default value; for a number make it an attribute, self."
                f"{argument.name}, for a first value declare State(initial=...)"
            )
        form = found.forms.get(argument.name)
        names += [one.name for one in iterate_form(form)] if form is not None else [argument.name]
    return names


def _keyword_only(cell: Cell) -> list[str]:
    found = inspect.signature(cell.step).parameters.values()
    return [p.name for p in found if p.kind is p.KEYWORD_ONLY]


def _state_spec(cell: Cell, name: str, state: State) -> specs.StateSpec:
    return specs.StateSpec(name, _read_width(cell, name, state.width), float(state.initial))


def _read_fields(cell: Cell, name: str, part: Mask | Noise) -> dict[str, Any]:
    found = vars(part) | {"width": _read_width(cell, name, part.width)}
    del found["count"]
    return found


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
    if len(heads) > 1:
        raise EquationError(f"{cell.name}: all gates of a cell must have the same heads")
    for name, gate in gates.items():
        if gate.bias not in (True, False, "input"):
            raise EquationError(
                f"{cell.name}: the bias of gate '{name}' must be True, False or 'input' (one bias, "
                f"that of the input's half), got {gate.bias!r}"
            )
    named = tuple((name, _read_width(cell, name, gate.width)) for name, gate in gates.items())
    of_input, of_state = heads.pop()
    plain = tuple(name for name, gate in gates.items() if gate.bias is False)
    half = tuple(name for name, gate in gates.items() if gate.bias is not True)
    return (
        specs.StackSpec("ih", named, specs.INPUT, of_input, len(plain) < len(gates), plain),
        specs.StackSpec("hh", named, HIDDEN, of_state, len(half) < len(gates), half),
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


def _constant_stacks(cell: Cell, constants: dict[str, Constant]) -> tuple[specs.StackSpec, ...]:
    """The constants that are matrices."""
    return tuple(
        specs.StackSpec(
            name,
            ((name, _read_width(cell, name, one.width)),),
            _read_width(cell, name, one.of),
            _count_heads(cell, one.heads),
            bias=False,
            learned=False,
        )
        for name, one in constants.items()
        if one.of is not None
    )


def _vector_specs(cell: Cell, found: PartTable) -> tuple[specs.VectorSpec, ...]:
    """The learned vectors, and the constants that are vectors."""
    learned = [
        specs.VectorSpec(name, _read_width(cell, name, one.width), one.initial)
        for name, one in found.select(Vector).items()
    ]
    fixed = [
        specs.VectorSpec(name, _read_width(cell, name, one.width), learned=False)
        for name, one in found.select(Constant).items()
        if one.of is None
    ]
    return (*learned, *fixed)


def _count_heads(cell: Cell, heads: int | str) -> int:
    """The number of heads of a declaration: its own, or that of the attribute that it names."""
    return read_integer(cell, "heads", heads, 1, MAX_SIZE)
