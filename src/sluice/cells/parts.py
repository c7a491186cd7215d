"""Where a cell's declarations stand: in its classes, its ``__init__``, lists, and counts.

However they are declared, each ends as one part with a name of its own: ``count=3`` and a list of
three under the name ``late`` are the parts ``late_0``, ``late_1`` and ``late_2``. A step finds them
in the form in which they were declared.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, TypeVar, Union, cast

from sluice.cells.declarations import (
    Constant,
    Declaration,
    Gate,
    Map,
    Mask,
    Noise,
    Norm,
    State,
    Vector,
)
from sluice.cells.inputs import Input
from sluice.equations.symbol import EquationError

if TYPE_CHECKING:
    from sluice.cells.cell import Cell

_Part = TypeVar("_Part", State, Gate, Map, Vector, Constant, Norm, Mask, Noise, Input)
Form: TypeAlias = Union["NamedPart", "tuple[Form, ...]", "dict[object, Form]"]
"""What stands under one name: a part, or parts in a sequence or by key."""
ARGUMENTS = (State, Mask, Noise, Input)
"""What a step takes as arguments; the other parts it finds in ``self``."""
_MOST, _DEEPEST = 4096, 3


@dataclass(frozen=True)
class NamedPart:
    """One declaration under its own name."""

    name: str
    part: Declaration


@dataclass(frozen=True)
class PartTable:
    """All declarations of a cell.

    ``forms`` has them by their attributes' names. Those in ``inner`` a class does not bind by
    itself: they stand in the instance, in a sequence, or under another name too. ``arguments`` are
    those that a step takes as arguments.
    """

    forms: dict[str, Form]
    inner: frozenset[str]
    arguments: frozenset[str]

    @property
    def parts(self) -> list[NamedPart]:
        """Each declaration with its name, in order."""
        return [one for form in self.forms.values() for one in iterate_form(form)]

    def select(self, kind: type[_Part]) -> dict[str, _Part]:
        """The declarations of one kind, by name."""
        return {one.name: one.part for one in self.parts if isinstance(one.part, kind)}


def iterate_form(form: Form) -> Iterator[NamedPart]:
    """The parts in a form, in order."""
    if isinstance(form, NamedPart):
        yield form
    else:
        for inside in form.values() if isinstance(form, dict) else form:
            yield from iterate_form(inside)


def find_parts(cell: Cell) -> PartTable:
    """What ``cell`` declares, those classes that it derives from first.

    The nearest that names a part counts, also where it sets the name to something else, such as
    None. Raises `EquationError` for a count that is none.
    """
    found: dict[str, object] = {}
    for owner in reversed(type(cell).__mro__):
        found |= vars(owner)
    found |= vars(cell)
    forms: dict[str, Form] = {}
    inner, arguments = set[str](), set[str]()
    for name, value in found.items():
        form = None if name.startswith("__") else _read_form(cell, name, value, 0)
        if form is not None:
            forms[name] = form
            is_bound = isinstance(form, NamedPart) and getattr(value, "name", name) == name
            if isinstance(value, ARGUMENTS) or _holds_arguments(form):
                arguments.add(name)
            elif name in vars(cell) or not is_bound:
                inner.add(name)
    return PartTable(forms, frozenset(inner), frozenset(arguments))


def _holds_arguments(form: Form) -> bool:
    parts = list(iterate_form(form))
    return bool(parts) and all(isinstance(one.part, ARGUMENTS) for one in parts)


def _read_form(cell: Cell, name: str, value: object, depth: int) -> Form | None:
    """The form of what stands under ``name``; None where nothing in it is a declaration."""
    if isinstance(value, Declaration):
        if value.count is None:
            return NamedPart(name, value)
        numbers = range(read_integer(cell, f"the count of '{name}'", value.count, 0, _MOST))
        return tuple(NamedPart(f"{name}_{k}", _take_one(value, k)) for k in numbers)
    if not isinstance(value, list | tuple | dict) or depth > _DEEPEST:
        return None
    items = value.items() if isinstance(value, dict) else enumerate(value)
    inside = {key: _read_form(cell, f"{name}_{key}", one, depth + 1) for key, one in items}
    found = {key: form for key, form in inside.items() if form is not None}
    if found and len(found) < len(value):
        raise EquationError(
            f"{cell.name}: '{name}' holds declarations and other values; keep them apart"
        )
    if not found:
        return None
    return found if isinstance(value, dict) else tuple(found.values())


def _take_one(value: Declaration, number: int) -> Declaration:
    """One of several that were declared together."""
    one = copy.copy(value)
    object.__setattr__(one, "count", None)
    if isinstance(one, Map) and one.parameter is not None:
        one.parameter = f"{one.parameter}_{number}"
    return one


def read_integer(cell: Cell, what: str, value: int | str, least: int, most: int) -> int:
    """A number that a declaration gives, or the name of an attribute of the cell that is one.

    Raises `EquationError`, in which ``what`` stands for the number.
    """
    found = getattr(cell, value, None) if isinstance(value, str) else value
    is_number = hasattr(found, "__index__") and not isinstance(found, bool)
    number = operator.index(cast(Any, found)) if is_number else least - 1
    if not least <= number <= most:
        shown = f"'{value}', which is {found!r}" if isinstance(value, str) else f"{value!r}"
        raise EquationError(
            f"{cell.name}: {what} must be a number from {least} to {most}, or the name of an "
            f"attribute of the cell that is one, got {shown}"
        )
    return number


class BoundSequence(Sequence[Any]):
    """What a step finds where several parts were declared; each is bound as it is asked for."""

    def __init__(self, cell: Cell, forms: tuple[Form, ...]) -> None:
        self._cell, self._forms = cell, forms

    def explain_call(self) -> str:
        """What to write where the whole sequence is used as one of its parts."""
        return f"{len(self)} parts are no value of the step; take one, by its number in []"

    def _refuse(self, *_: object) -> NoReturn:
        raise EquationError(self.explain_call())

    __call__ = __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _refuse
    __truediv__ = __rtruediv__ = __neg__ = __float__ = _refuse

    def __len__(self) -> int:
        return len(self._forms)

    def __getitem__(self, index: Any) -> Any:
        found = self._forms[index]
        if isinstance(index, slice):
            return BoundSequence(self._cell, cast("tuple[Form, ...]", found))
        return bind_form(self._cell, found)


class BoundMapping(Mapping[object, Any]):
    """As `BoundSequence`, by key."""

    def __init__(self, cell: Cell, forms: dict[object, Form]) -> None:
        self._cell, self._forms = cell, forms

    def __len__(self) -> int:
        return len(self._forms)

    def __iter__(self) -> Iterator[object]:
        return iter(self._forms)

    def __getitem__(self, key: object) -> Any:
        return bind_form(self._cell, self._forms[key])


def bind_form(cell: Cell, form: Form) -> Any:
    """What a step finds under a form's name."""
    if isinstance(form, NamedPart):
        return form.part.bind(cell, form.name)
    return BoundMapping(cell, form) if isinstance(form, dict) else BoundSequence(cell, form)


def group_arguments(table: PartTable, values: Mapping[str, Any]) -> dict[str, Any]:
    """A step's arguments from its values, each under its own name."""
    found = dict(values)
    for name in table.arguments:
        form = table.forms[name]
        if not isinstance(form, NamedPart):
            found[name] = _pick(form, found)
            for one in iterate_form(form):
                found.pop(one.name, None)
    return found


def _pick(form: Form, values: Mapping[str, Any]) -> Any:
    if isinstance(form, NamedPart):
        return values[form.name]
    if isinstance(form, dict):
        return {key: _pick(inner, values) for key, inner in form.items()}
    return tuple(_pick(inner, values) for inner in form)


def flatten_outputs(outputs: Any, table: PartTable) -> Any:
    """What a step returned, with sequences and dictionaries taken apart: ``late_0``, ...

    Raises `EquationError` where a name comes twice, or a sequence of states has another length.
    """
    if not isinstance(outputs, Mapping):
        return outputs
    found: dict[Any, Any] = {}
    for name, value in outputs.items():
        form = table.forms.get(name)
        if form is not None and not isinstance(form, NamedPart) and _is_of_states(form):
            given = len(value) if isinstance(value, Sequence | Mapping) else 1
            if given != len(form):
                raise EquationError(
                    f"step must return {len(form)} values as '{name}', as many as it takes, got "
                    f"{given}"
                )
        for flat, one in _flatten(name, value):
            if flat in found:
                raise EquationError(f"step returns two values under the name '{flat}'")
            found[flat] = one
    return found


def _is_of_states(form: Form) -> bool:
    return any(isinstance(one.part, State) for one in iterate_form(form))


def _flatten(name: Any, value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _flatten(f"{name}_{number}", inner)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _flatten(f"{name}_{key}", inner)
    else:
        yield name, value
