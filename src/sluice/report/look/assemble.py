"""The page put together from its parts: one file, nothing to fetch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from sluice import __version__
from sluice.report.look.pack import script
from sluice.report.look.unit import colours

_STYLES = ("theme.css", "layout.css", "pictures.css")
_SCRIPTS = (
    "data.js",
    "state.js",
    "colour.js",
    "lines.js",
    "text.js",
    "step.js",
    "heat.js",
    "flow.js",
    "memory.js",
    "cells.js",
    "main.js",
)


def page(
    head: Mapping[str, Any], units: Sequence[Mapping[str, Any]], data: Mapping[str, Any]
) -> str:
    """The whole of the HTML file; ``head`` has a title and facts, ``units`` the cells' sketches."""
    return Template(_part("page.html")).substitute(
        title=escape(head["title"]),
        facts="".join(
            f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
            for name, value in head["facts"].items()
        ),
        units="".join(map(_unit, units)),
        style=Template("\n".join(map(_part, _STYLES))).substitute(colours()),
        data=script(dict(data)),
        script="\n".join(map(_part, _SCRIPTS)),
        version=__version__,
    )


def _part(name: str) -> str:
    return (files(__package__) / "page" / name).read_text(encoding="utf-8")


def _unit(unit: Mapping[str, Any]) -> str:
    name = escape(unit["name"])
    if "sketch" not in unit:
        text = f"<pre>{escape(unit['plain'])}</pre><p class=quiet>{escape(unit['note'])}</p>"
        return f'<figure class="unit" data-cell="{name}">{text}</figure>'
    plain = escape(unit["plain"], quote=True)
    return (
        f'<figure class="unit" data-cell="{name}"><div class="sketch">{unit["sketch"]}</div>'
        f'<div class="equations" role="img" aria-label="{plain}">{unit["equations"]}</div></figure>'
    )
