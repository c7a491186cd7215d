"""The page put together from its parts: one file, nothing to fetch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import TypedDict

from sluice._version import __version__
from sluice.report.page.cell_figure import CellFigure, theme_colours
from sluice.report.page.pack import dump_script_json, pack_text

_STYLES = ("theme.css", "layout.css", "pictures.css")
_SCRIPTS = (
    "data.js",
    "state.js",
    "colour.js",
    "time.js",
    "lines.js",
    "text.js",
    "step.js",
    "heat.js",
    "flow.js",
    "itemised.js",
    "memory.js",
    "selectivity.js",
    "matches.js",
    "difference.js",
    "model.js",
    "said.js",
    "scrubber.js",
)
_MAIN = "main.js"


class PageHead(TypedDict):
    """The title of a page, and lines of facts by their labels."""

    title: str
    facts: dict[str, str]


def render_page(head: PageHead, units: Sequence[CellFigure], data: Mapping[str, object]) -> str:
    """The whole of the HTML file; ``head`` has a title and facts, ``units`` the cells' sketches."""
    style = "\n".join(map(_read_part, (*_STYLES, *list_views("css"))))
    return Template(_read_part("page.html")).substitute(
        title=escape(head["title"]),
        facts="".join(
            f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
            for name, value in head["facts"].items()
        ),
        style=Template(style).substitute(theme_colours()),
        data=dump_script_json({**data, "figures": pack_text("".join(map(_render_cell, units)))}),
        script="\n".join(map(_read_part, (*_SCRIPTS, *list_views("js"), _MAIN))),
        version=__version__,
    )


def list_views(kind: str) -> list[str]:
    """The scripts (``js``) or styles (``css``) of the views of each kind of data."""
    folder = files(__package__) / "assets" / "views"
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(f"views/{file.name}" for file in found if file.name.endswith(f".{kind}"))


def _read_part(name: str) -> str:
    return files(__package__).joinpath("assets", *name.split("/")).read_text(encoding="utf-8")


def _render_cell(cell: CellFigure) -> str:
    name = escape(cell["name"])
    if "sketch" not in cell:
        text = f"<pre>{escape(cell['plain'])}</pre><p class=quiet>{escape(cell['note'])}</p>"
        return f'<figure class="unit" data-cell="{name}">{text}</figure>'
    plain = escape(cell["plain"], quote=True)
    return (
        f'<figure class="unit" data-cell="{name}"><div class="sketch">{cell["sketch"]}</div>'
        f'<div class="equations" role="img" aria-label="{plain}">{cell["equations"]}</div></figure>'
    )
