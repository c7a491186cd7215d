"""Which equations belong to which step of a sketch, and how a reverse layer writes them."""

from __future__ import annotations

import re

from sluice.render.latex import format_equations
from sluice.render.sketch.placement import Placement


def build_captions(placement: Placement, reverse: bool = False) -> list[list[str]]:
    """For each step the equations of what is new in it, in LaTeX."""
    found: list[list[str]] = [[] for _ in placement.steps]
    for line in format_equations(placement.graph, reverse).lines:
        part = placement.elements.by_value.get(line.node)
        step = placement.positions[part].step if part in placement.positions else 0
        if found:
            found[step].append(line.latex)
    return found


def shift_time(latex: str, by: int = 0, reverse: bool = False) -> str:
    """Symbols of another step: with ``reverse`` the step before is t + 1.

    >>> shift_time("c_{t-1}", reverse=True), shift_time("c_{t-1}", 2), shift_time("u_{1,t}", -1)
    ('c_{t+1}', 'c_{t+1}', 'u_{1,t-1}')
    """

    def write(found: re.Match[str]) -> str:
        before = (1 if reverse else -1) if found[2] else 0
        return f"{found[1]}t{before + by:+d}}}" if before + by else f"{found[1]}t}}"

    return re.sub(r"([{,])t(-1)?\}", write, latex)
