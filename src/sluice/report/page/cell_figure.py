"""The unit as the page shows it: its sketch and its equations, in the page's own colours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NotRequired, TypedDict

from sluice.equations.graph import Graph
from sluice.extras import MissingExtraError
from sluice.render.latex import format_equations
from sluice.render.picture import encode_figure
from sluice.render.sketch import draw_sketch
from sluice.render.theme import THEMES, Theme
from sluice.render.typeset import typeset_equations


class CellFigure(TypedDict):
    """A cell's name and equations as text, its SVG pictures, and a note where there are none."""

    name: str
    plain: str
    note: str
    sketch: NotRequired[str]
    equations: NotRequired[str]


def name_figure(graph: Graph, reverse: bool) -> str:
    """What a cell's figure is called: layers that read from the end have one of their own."""
    return graph.name + ", from the end" * reverse


def build_cell_figure(graph: Graph, reverse: bool = False) -> CellFigure:
    """A cell's sketch and equations, SVG that may stand in a page; only text without matplotlib.

    With ``reverse`` those of a layer that reads from the end.
    """
    prefix = graph.name + "-reverse" * reverse
    found: CellFigure = {
        "name": name_figure(graph, reverse),
        "plain": format_equations(graph, reverse).plain(),
        "note": "",
    }
    try:
        sketch = draw_sketch(graph, reverse=reverse)
        found["sketch"] = _inline(encode_figure(sketch, "svg"), f"{prefix}-sketch")
        equations = typeset_equations(graph, reverse=reverse)
        found["equations"] = _inline(encode_figure(equations, "svg"), f"{prefix}-equations")
    except MissingExtraError as error:
        found["note"] = str(error)
    return found


def value_symbols(graph: Graph) -> dict[str, str]:
    """The symbol of every named value in Unicode, as f_t for forget."""
    notation = format_equations(graph).notation
    return {name: notation.value(name).plain for name in graph.outputs_by_name}


def theme_colours() -> dict[str, str]:
    """Declarations of the sketch's colours, for each theme."""
    return {
        name: "".join(f"--sketch-{part}:{colour};" for part, colour in _fills(theme))
        for name, theme in THEMES.items()
    }


def _fills(theme: Theme) -> Iterator[tuple[str, str]]:
    """The parts of a sketch by name, with their colours."""
    for part in ("page", "ink", "grid", "layer", "pointwise", "body"):
        yield part, getattr(theme, part)


def _inline(svg: bytes, prefix: str) -> str:
    """The svg element alone, its ids its own, its colours those of the page's theme."""
    text = svg.decode()
    text = re.sub(
        r"<metadata>.*?</metadata>|<!--.*?-->", "", text[text.index("<svg") :], flags=re.S
    )
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r'href="#', f'href="#{prefix}-', text)
    text = re.sub(r"url\(#", f"url(#{prefix}-", text)
    for part, colour in _fills(THEMES["light"]):
        text = text.replace(colour, f"var(--sketch-{part})")
    return re.sub(r">\s+<", "><", text)
