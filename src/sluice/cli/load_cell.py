"""The cell that a command's argument names."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.cli.errors import fail, report_errors

if TYPE_CHECKING:
    from sluice.cells import Cell


def load_cell(name: str) -> Cell:
    """The cell that a command's argument names, its equations traced; else refuse."""
    from sluice.cells.registry import get_cell

    path, colon, kind = name.rpartition(":")
    with report_errors(ValueError):
        made = _load_user_cell(Path(path), kind) if colon else get_cell(name)
        _ = made.graph
    return made


def _load_user_cell(path: Path, kind: str) -> Cell:
    """A user's own cell: the class ``kind`` (or a cell made there) of a Python file."""
    from sluice.cells import Cell

    if not path.is_file():
        fail(f"there is no file {str(path)!r}; write path/to/file.py:ClassName")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        fail(f"{str(path)!r} is not a Python file; write path/to/file.py:ClassName")
    module = importlib.util.module_from_spec(spec)
    with report_errors(Exception):
        spec.loader.exec_module(module)
        found = getattr(module, kind, None)
        if isinstance(found, type) and issubclass(found, Cell):
            found = found()
    if not isinstance(found, Cell):
        cells = [n for n, v in vars(module).items() if _is_cell(v, module.__name__)]
        fail(f"{path} has no cell {kind!r}; its cells are {', '.join(cells) or 'none'}")
    return found


def _is_cell(value: object, module: str) -> bool:
    from sluice.cells import Cell

    if isinstance(value, type):
        return issubclass(value, Cell) and value.__module__ == module
    return isinstance(value, Cell)
