"""A part as a notebook for students: prose of one language, code, no outputs."""

from __future__ import annotations

import re

import nbformat
from nbformat import NotebookNode

from lecture_export.execution import SETUP
from lecture_export.parts import Part, list_tags

_KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def write_notebook(part: Part, language: str) -> str:
    """The notebook's JSON; slides are marked, so that Jupyter can present it too."""
    cells = [nbformat.v4.new_code_cell(SETUP), *part.select_cells(language)]
    return join_cells([_copy_cell(cell) for cell in cells])


def join_cells(cells: list[NotebookNode]) -> str:
    """A notebook of these cells; the same cells give the same bytes."""
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": _KERNEL})
    nbformat.validate(notebook)
    text: str = nbformat.writes(notebook)
    return text


def _copy_cell(cell: NotebookNode) -> NotebookNode:
    if cell.cell_type == "code":
        return nbformat.v4.new_code_cell(cell.source)
    kind = "slide" if "slide" in list_tags(cell) else "notes"
    text = re.sub(r"\[([^\]]+)\]\((?!https?:)[^)]+\)", r"\1", cell.source)  # links within the site
    return nbformat.v4.new_markdown_cell(text, metadata={"slideshow": {"slide_type": kind}})
