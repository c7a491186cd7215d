"""The cells that the library has, by name."""

from __future__ import annotations

from sluice import cells
from sluice.cells.cell import Cell


def known() -> dict[str, type[Cell]]:
    """Every cell of `sluice.cells` by its class's name, in alphabetical order.

    >>> from sluice.cells.known import known
    >>> known()["GRU"].__name__
    'GRU'
    """
    return {
        name: kind
        for name, kind in sorted(vars(cells).items())
        if isinstance(kind, type) and issubclass(kind, Cell) and kind is not Cell
    }
