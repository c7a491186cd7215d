"""For mkdocs: the gallery of cells, ``<!-- cells -->``, each with its equations and its sketch."""

from __future__ import annotations

import inspect
import textwrap
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from sluice.cells import Cell
from sluice.cells.registry import describe_cell, list_cells
from sluice.render import format_equations
from sluice.render.picture import encode_figure
from sluice.render.sketch import draw_sketch


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a sketch of each cell to the site, ``pictures/cells/NAME.svg``."""
    for name, kind in list_cells().items():
        picture = encode_figure(draw_sketch(kind().graph), "svg")
        files.append(File.generated(config, f"pictures/cells/{name}.svg", content=picture))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page with every cell where the comment stands."""
    mark = "<!-- cells -->"
    return markdown.replace(mark, list_gallery()) if mark in markdown else markdown


def list_gallery() -> str:
    """A section for each cell: what it is, its sketch, its equations and its definition."""
    return "\n".join(_format_cell(name, kind) for name, kind in list_cells().items())


def _format_cell(name: str, kind: type[Cell]) -> str:
    found, code = describe_cell(kind), textwrap.dedent(inspect.getsource(kind))
    return "\n".join(
        [
            f"## {name}",
            f"\n{found.summary}",
            f"\n**Good for** {found.purpose}" if found.purpose else "",
            f"\n![Sketch of {name}](pictures/cells/{name}.svg)",
            f"\n```text\n{format_equations(kind().graph).plain()}\n```",
            f'\n??? note "Definition"\n{textwrap.indent(f"```python{chr(10)}{code}```", "    ")}\n',
        ]
    )
