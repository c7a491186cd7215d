"""The cells that the library has, by name."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from sluice import cells
from sluice.cells.cell import Cell

_PURPOSE = "Good for: "


@dataclass(frozen=True)
class CellDescription:
    """What a cell's documentation says of it: what it is, with its paper, and what it is good for.

    ``purpose`` is empty for a cell whose documentation does not say.
    """

    name: str
    summary: str
    purpose: str


def describe_cell(kind: type[Cell]) -> CellDescription:
    """What the documentation of ``kind`` says: its first paragraph, and that on "Good for".

    >>> from sluice.cells import MGU
    >>> from sluice.cells.registry import describe_cell
    >>> describe_cell(MGU).purpose
    'the smallest gated cell that resets.'
    """
    paragraphs = [" ".join(part.split()) for part in (inspect.getdoc(kind) or "").split("\n\n")]
    purposes = [part.removeprefix(_PURPOSE) for part in paragraphs if part.startswith(_PURPOSE)]
    return CellDescription(kind.__name__, paragraphs[0], purposes[0] if purposes else "")


def list_cells() -> dict[str, type[Cell]]:
    """Every cell of `sluice.cells` by its class's name, in alphabetical order.

    >>> from sluice.cells.registry import list_cells
    >>> list_cells()["GRU"].__name__
    'GRU'
    """
    return {
        name: kind
        for name, kind in sorted(vars(cells).items())
        if isinstance(kind, type) and issubclass(kind, Cell) and kind is not Cell
    }


def get_cell(name: str) -> Cell:
    """The cell of `sluice.cells` called ``name``, in upper or lower case, dashes left out.

    Raises ValueError, with the names that there are, where there is none.

    >>> from sluice.cells.registry import get_cell
    >>> get_cell("peephole-lstm").name
    'PeepholeLSTM'
    """
    cells = {label.lower(): kind for label, kind in list_cells().items()}
    found = cells.get(name.lower().replace("-", "").replace("_", ""))
    if found is None:
        raise ValueError(
            f"cell must be one of {', '.join(sorted(cells))}, or your own as "
            f"path/to/file.py:ClassName, got {name!r}"
        )
    return found()
