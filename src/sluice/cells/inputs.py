"""What a step is given beside x and its states: `Input`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sluice.cells.declarations import Declaration
from sluice.equations import specs


@dataclass(frozen=True)
class Input(Declaration):
    """A value beside x that a layer is given for every step, by its name: ``layer(x, dt=...)``.

    Each is an argument of ``step`` of the name that it is declared by. ``width`` is how many
    numbers it has: 1 for one number a step and sequence, ``"input"`` for as many as x has, or as
    for `State`. A keyword-only argument of ``step`` that is not declared is an input of width 1:
    ``def step(self, x, h, *, dt)``.
    """

    width: str | int = specs.CONSTANT
    count: int | str | None = field(default=None, kw_only=True)


def build_input_specs(
    declared: dict[str, str], taken: Sequence[str], undeclared: Sequence[str]
) -> tuple[specs.InputSpec, ...]:
    """The inputs of a step that takes these arguments, in their order.

    ``declared`` are the widths of `Input` declarations, ``undeclared`` the step's keyword-only
    arguments that no declaration names.
    """
    return tuple(
        specs.InputSpec(name, declared.get(name, specs.CONSTANT))
        for name in taken
        if name in declared or name in undeclared
    )
