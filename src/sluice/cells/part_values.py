"""The numbers in a cell's declarations: each is one number, and one that makes sense."""

from __future__ import annotations

import math
from numbers import Real
from typing import TYPE_CHECKING

from sluice.cells.declarations import Declaration, Mask, Noise, Norm, State, Vector
from sluice.cells.parts import PartTable
from sluice.equations.symbol import EquationError

if TYPE_CHECKING:
    from sluice.cells.cell import Cell


def check_values(cell: Cell, found: PartTable) -> None:
    """Refuse values of declarations that are no numbers, or out of range.

    Raises `EquationError`.
    """
    for one in found.parts:
        for field, value in _list_numbers(one.part):
            _require_number(cell, one.name, one.part, field, value)
        if isinstance(one.part, Mask) and not 0.0 <= one.part.rate <= 1.0:
            raise EquationError(
                f"{cell.name}: the rate of mask '{one.name}' must be in [0, 1], got {one.part.rate}"
            )


def _list_numbers(part: Declaration) -> list[tuple[str, object]]:
    if isinstance(part, State):
        return [("initial", part.initial)]
    if isinstance(part, Vector):
        return [] if part.initial is None else [("initial", part.initial)]
    if isinstance(part, Norm):
        return [("epsilon", part.epsilon)]
    if isinstance(part, Mask):
        fields = ("rate", "keep_value", "drop_value", "eval_value")
        return [(field, getattr(part, field)) for field in fields]
    if isinstance(part, Noise):
        return [(field, getattr(part, field)) for field in ("std", "mean", "eval_value")]
    return []


def _require_number(cell: Cell, name: str, part: Declaration, field: str, value: object) -> None:
    if isinstance(value, Real) and math.isfinite(value):
        return
    found = f"{value}" if isinstance(value, Real) else f"a value of {type(value).__name__}"
    hint = ""
    if isinstance(part, State):
        hint = (
            "; states that begin elsewhere in every unit are given to the layer, layer(x, states), "
            "or learned, with learn_initial_state=True"
        )
    elif isinstance(part, Vector):
        hint = "; other values are set in the layer's parameter once it is built"
    raise EquationError(
        f"{cell.name}: {field}= of '{name}' must be one finite number, got {found}{hint}"
    )
