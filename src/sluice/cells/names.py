"""The names of a cell's declarations: each must be free, and mean one thing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sluice.cells.declarations import Constant, Declaration, Map, Mask, Noise, Vector
from sluice.cells.inputs import Input
from sluice.cells.parts import ARGUMENTS, NamedPart, PartTable, iterate_form
from sluice.equations.symbol import EquationError

if TYPE_CHECKING:
    from sluice.cells.cell import Cell

_STACKS = ("ih", "hh")
_OF_LAYERS = re.compile(r"(weight|bias|initial)_.*")
_WITH_PLACE = re.compile(r".*_l[0-9]+(_reverse)?")


def check_names(
    cell: Cell, found: PartTable, arguments: Sequence[str], inputs: Sequence[str]
) -> None:
    """Refuse names that are taken, or are no names, with the reason. Raises `EquationError`.

    ``arguments`` are those of the step after x, ``inputs`` those of them that are inputs though
    nothing declares them.
    """
    kinds = dict.fromkeys([*inputs, *found.select(Input)], "an input")
    kinds |= dict.fromkeys([*found.select(Mask), *found.select(Noise)], "a random value")
    taken: dict[str, str] = {}
    for name in arguments:
        _take(cell, taken, name, kinds.get(name, "a state"))
    for one in found.parts:
        if not isinstance(one.part, ARGUMENTS):
            _take(cell, taken, one.name, f"a {type(one.part).__name__}")
            _check_parameter(cell, one.name, one.part)
        elif one.name not in arguments:
            _refuse_idle_argument(cell, found, one)
    _check_parameters(cell, found)


def explain_collision(name: str) -> str:
    """Why a cell can have nothing else under this name of the class `Cell`."""
    return (
        f"nothing can be called '{name}', because every cell has its own '{name}'; choose another "
        "name"
    )


def _take(cell: Cell, taken: dict[str, str], name: str, kind: str) -> None:
    reason = None
    if not name.isidentifier():
        reason = "it is no name in Python"
    elif name == "x":
        reason = "x is the input in all equations"
    elif name in cell._own_names:
        raise EquationError(f"{cell.name}: {explain_collision(name)}")
    elif name.removeprefix("weight_").removeprefix("bias_") in _STACKS:
        reason = "weight_ih, weight_hh, bias_ih and bias_hh are the parameters of the gates"
    elif _WITH_PLACE.fullmatch(name):
        reason = "a layer ends its parameters' names so"
    elif name in taken:
        reason = f"{taken[name]} has it"
    if reason is not None:
        raise EquationError(
            f"{cell.name}: {kind} cannot be called '{name}', because {reason}; choose another name"
        )
    taken[name] = kind


def _check_parameter(cell: Cell, name: str, part: Declaration) -> None:
    """A vector is a parameter of its own name, a map of the name that it gives."""
    is_vector = isinstance(part, Vector) or (isinstance(part, Constant) and part.of is None)
    if is_vector and _OF_LAYERS.fullmatch(name):
        raise EquationError(
            f"{cell.name}: a {type(part).__name__} cannot be called '{name}', because a layer's "
            "parameters of gates, maps, norms and initial states begin so; choose another name"
        )
    parameter = part.parameter if isinstance(part, Map) else None
    if parameter is not None and (parameter in _STACKS or not parameter.isidentifier()):
        raise EquationError(
            f"{cell.name}: the parameter of '{name}' cannot be called {parameter!r}; choose "
            "another name"
        )


def _check_parameters(cell: Cell, found: PartTable) -> None:
    """Maps and norms have a weight and a bias under their names."""
    owners: dict[str, str] = {}
    for one in found.parts:
        if isinstance(one.part, ARGUMENTS):
            continue
        parameter = one.part.parameter if isinstance(one.part, Map) else None
        owner = owners.setdefault(parameter or one.name, one.name)
        if owner != one.name:
            raise EquationError(
                f"{cell.name}: '{owner}' and '{one.name}' have a parameter of the same name, "
                f"'{parameter or one.name}'; choose another name for one"
            )


def _refuse_idle_argument(cell: Cell, found: PartTable, one: NamedPart) -> None:
    name = next(n for n, form in found.forms.items() if one in iterate_form(form))
    kind = type(one.part).__name__
    more = " and return its new value" if kind == "State" else ""
    raise EquationError(
        f"{cell.name}: {kind} '{name}' is declared, but step does not take it; write "
        f"step(self, x, ..., {name}){more}, or leave the declaration out (in a class that derives "
        f"from another: {name} = None)"
    )
