"""A warning for what a cell declares and its step does not use."""

from __future__ import annotations

import functools
import sys
import warnings
from pathlib import Path

from sluice.cells.declarations import Constant, Gate, Map, Mask, Noise, Norm, Vector
from sluice.cells.parts import PartTable
from sluice.equations.graph import Graph

_PASSED = (str(Path(__file__).parents[1]), functools.__file__)


class UnusedDeclarationWarning(UserWarning):
    """A cell declares a part that its step does not use; the part has no parameters."""


def warn_of_unused(name: str, declared: PartTable, graph: Graph) -> None:
    """Warn of the parts in ``declared`` that ``graph`` does not hold."""
    used = {gate for stack in graph.stacks for gate, _ in stack.gates}
    for parts in (graph.vectors, graph.norms, graph.masks):
        used |= {part.name for part in parts}
    unused = [
        f"{type(one.part).__name__} '{one.name}'"
        for one in declared.parts
        if isinstance(one.part, Gate | Map | Vector | Constant | Norm | Mask | Noise)
        and one.name not in used
    ]
    if unused:
        warnings.warn(
            f"{name}: {', '.join(unused)} declared, but not used by what step returns; leave the "
            "declaration out (in a class that derives from another, set the name to None)",
            UnusedDeclarationWarning,
            stacklevel=_find_caller(),
        )


def _find_caller() -> int:
    """How far up the first function outside this package is, for the warning's place."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PASSED):
        frame, level = frame.f_back, level + 1
    return level
