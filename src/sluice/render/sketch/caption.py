"""The equations of a sketch's steps, to be read below it."""

from __future__ import annotations

from sluice.equations.graph import Node
from sluice.render.latex import equations
from sluice.render.sketch.place import Places


def captions(places: Places) -> list[list[str]]:
    """For each step the equations of what is new in it, in LaTeX."""
    found: list[list[str]] = [[] for _ in places.steps]
    lines = equations(places.graph)
    extra = {words.latex: node for node, words in lines.notation.extra.items()}
    for line in lines.lines:
        node: Node | None = places.graph.named.get(line.name)
        if node is None:
            node = extra.get(line.left.latex.removesuffix("_{t}"))
        part = None if node is None else places.parts.of.get(node)
        step = places.spots[part].step if part in places.spots else 0
        if found:
            found[step].append(line.latex)
    return found
