"""A part as a page of the documentation: Markdown, with its pictures beside it."""

from __future__ import annotations

import textwrap
from typing import NamedTuple

from nbformat import NotebookNode

from lecture_export.parts import Part, list_tags

_FOLDED = {"en": "The code", "de": "Der Code"}


class Page(NamedTuple):
    """Markdown, and the SVG of each picture that it shows, by name."""

    markdown: str
    pictures: dict[str, str]


def write_page(part: Part, language: str) -> Page:
    """The prose of one language, all code, and what the code printed and drew."""
    blocks, pictures = list[str](), dict[str, str]()
    for cell in part.select_cells(language):
        if cell.cell_type == "markdown":
            blocks.append(cell.source)
            continue
        blocks.append(_format_code(cell, language))
        for text in list_texts(cell):
            blocks.append(f"```text\n{text}\n```")
        for svg in list_pictures(cell):
            name = f"{part.name}-{len(pictures) + 1}.svg"
            pictures[name] = svg
            blocks.append(f"![{describe_picture(cell, language)}]({name})")
    return Page("\n\n".join(blocks) + "\n", pictures)


def _format_code(cell: NotebookNode, language: str) -> str:
    code = f"```python\n{cell.source}\n```"
    if "fold" not in list_tags(cell):
        return code
    return f'??? example "{_FOLDED[language]}"\n' + textwrap.indent(code, "    ")


def list_texts(cell: NotebookNode) -> list[str]:
    """What a cell printed, unless its last comment says so already."""
    if "  # " in cell.source.rstrip().splitlines()[-1]:
        return []
    printed = [output.text for output in cell.outputs if output.output_type == "stream"]
    return ["".join(printed).rstrip()] if printed else []


def list_pictures(cell: NotebookNode) -> list[str]:
    """What a cell drew, as SVG."""
    found = [output.data for output in cell.outputs if "data" in output]
    return [data["image/svg+xml"] for data in found if "image/svg+xml" in data]


def describe_picture(cell: NotebookNode, language: str) -> str:
    """The picture in words, for those who do not see it."""
    key = "alt" if language == "en" else f"alt_{language}"
    return str(cell.metadata.get(key, ""))
