"""The equations of a sketch's steps, to be read below it."""

from __future__ import annotations

from sluice.render.latex import format_equations
from sluice.render.sketch.placement import Placement


def build_captions(placement: Placement) -> list[list[str]]:
    """For each step the equations of what is new in it, in LaTeX."""
    found: list[list[str]] = [[] for _ in placement.steps]
    for line in format_equations(placement.graph).lines:
        part = placement.elements.by_value.get(line.node)
        step = placement.positions[part].step if part in placement.positions else 0
        if found:
            found[step].append(line.latex)
    return found
