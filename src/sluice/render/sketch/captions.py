"""The equations of a sketch's steps, to be read below it."""

from __future__ import annotations

from sluice.equations.graph import Node
from sluice.render.latex import format_equations
from sluice.render.sketch.placement import Placement


def build_captions(placement: Placement) -> list[list[str]]:
    """For each step the equations of what is new in it, in LaTeX."""
    found: list[list[str]] = [[] for _ in placement.steps]
    lines = format_equations(placement.graph)
    extra = {words.latex: node for node, words in lines.notation.shared_symbols.items()}
    for line in lines.lines:
        node: Node | None = placement.graph.outputs_by_name.get(line.name)
        if node is None:
            node = extra.get(line.left.latex.removesuffix("_{t}"))
        part = None if node is None else placement.elements.by_value.get(node)
        step = placement.positions[part].step if part in placement.positions else 0
        if found:
            found[step].append(line.latex)
    return found
