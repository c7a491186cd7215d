"""The lecture's parts: ``lecture/NN_name.py``, cells of code with prose in two languages.

A source is a script in jupytext's percent format. A cell of prose says its language in its header,
``lang="en"`` or ``lang="de"``; a cell of code belongs to both. ``alt`` and ``alt_de`` describe the
picture that a cell draws. Tags:

- of prose: ``slide`` begins a slide, which shows that cell; other prose is for the page, and for
  the speaker;
- of code, on slides: ``show`` puts the code there too, ``quiet`` puts nothing there, ``each`` gives
  every picture a slide of its own;
- of code, on the page: ``fold`` folds it away;
- of code, ``translate``: it runs once for each language, in German with ``language="de"`` in place
  of ``language="en"``.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import jupytext
from nbformat import NotebookNode

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "lecture"
LANGUAGES = ("en", "de")


@dataclass(frozen=True)
class Part:
    """A part: its name in addresses, and its cells, of both languages."""

    name: str
    notebook: NotebookNode

    def select_cells(self, language: str) -> list[NotebookNode]:
        """The code, and the prose in that language."""
        cells: list[NotebookNode] = self.notebook.cells
        return [cell for cell in cells if cell.metadata.get("lang", language) == language]

    def find_title(self, language: str) -> str:
        """What stands behind ``#`` in the first cell."""
        first: str = self.select_cells(language)[0].source
        return first.splitlines()[0].removeprefix("# ")


def list_tags(cell: NotebookNode) -> list[str]:
    tags: list[str] = cell.metadata.get("tags", [])
    return tags


def read_parts(folder: Path = FOLDER) -> list[Part]:
    """All parts, in their order, without outputs."""
    found = []
    for path in sorted(folder.glob("[0-9]*.py")):
        notebook = jupytext.read(path, fmt="py:percent")
        notebook.cells = [one for cell in notebook.cells for one in _translate(cell)]
        found.append(Part(path.stem.partition("_")[2].replace("_", "-"), notebook))
    return found


def _translate(cell: NotebookNode) -> list[NotebookNode]:
    """The cell; one for each language where it is to be translated."""
    if "translate" not in list_tags(cell):
        return [cell]
    english, german = copy.deepcopy(cell), copy.deepcopy(cell)
    english.metadata["lang"], german.metadata["lang"] = LANGUAGES
    german.id = f"{cell.id}-de"
    german.source = cell.source.replace('language="en"', 'language="de"')
    return [english, german]
