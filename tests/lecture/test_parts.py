"""The lecture's sources: two languages side by side, and every picture in words."""

from __future__ import annotations

import json
import re

import pytest

pytest.importorskip("jupytext")
from lecture_export.exercises import write_exercise_notebook
from lecture_export.notebooks import write_notebook
from lecture_export.pages import write_page
from lecture_export.parts import LANGUAGES, Part, list_tags, read_parts

PARTS = {part.name: part for part in read_parts()}


def _outline(part: Part, language: str) -> list[object]:
    """What the two languages must share: kinds of cells, tags, levels of headings, addresses."""
    return [
        (cell.cell_type, list_tags(cell), re.findall(r"^#+ |https?:[^)]+", cell.source, re.M))
        if cell.cell_type == "markdown"
        else cell.source.replace('language="de"', 'language="en"')
        for cell in part.select_cells(language)
    ]


@pytest.mark.parametrize("name", PARTS)
def test_both_languages_have_the_same_outline_and_differ_in_words(name: str) -> None:
    part = PARTS[name]
    assert _outline(part, "en") == _outline(part, "de")
    for cell in part.notebook.cells:
        assert cell.cell_type == "code" or cell.metadata.lang in LANGUAGES
        assert ("alt" in cell.metadata) == ("alt_de" in cell.metadata)
    prose = [
        [cell.source for cell in part.select_cells(language) if cell.cell_type == "markdown"]
        for language in LANGUAGES
    ]
    assert not set(prose[0]) & set(prose[1])


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_notebook_has_the_code_and_one_language_and_no_links_into_the_site(language: str) -> None:
    for part in PARTS.values():
        notebook = json.loads(write_notebook(part, language))
        code = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
        own = [cell.source for cell in part.select_cells(language) if cell.cell_type == "code"]
        assert code[1:] == own and not any(cell.get("outputs") for cell in notebook["cells"])
        text = "".join(line for cell in notebook["cells"] for line in cell["source"])
        assert not re.search(r"\]\((?!https?:)", text)
    asked = json.loads(write_exercise_notebook(language))
    checks = [c for c in asked["cells"] if "exercises.check_" in "".join(c["source"])]
    assert len(checks) == sum("def " in "".join(cell["source"]) for cell in asked["cells"]) > 5


def test_a_page_has_no_picture_without_words() -> None:
    for part in PARTS.values():
        for language in LANGUAGES:
            assert "![](" not in write_page(part, language).markdown
