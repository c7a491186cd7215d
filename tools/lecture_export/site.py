"""Everything that is made of the lecture's sources, by its path below ``lecture/`` of the site."""

from __future__ import annotations

from collections.abc import Collection

from lecture_export.execution import execute_parts
from lecture_export.exercises import (
    write_exercise_notebook,
    write_exercises,
    write_solutions,
)
from lecture_export.notebooks import write_notebook
from lecture_export.pages import write_page
from lecture_export.parts import LANGUAGES, Part, read_parts
from lecture_export.sheets import write_sheets
from lecture_export.slides import write_slides

_LINKS = {
    "en": "[This part as a notebook]({notebook}) · [all slides](slides.html)",
    "de": "[Dieser Teil als Notebook]({notebook}) · [alle Folien](slides.html)",
}


def write_files(names: Collection[str] | None = None) -> dict[str, str | bytes]:
    """Pages, their pictures, notebooks and slides; English at the top, German below ``de/``.

    The code of parts that are not among ``names`` is not run: they have no pictures.
    """
    parts = read_parts()
    execute_parts([part for part in parts if names is None or part.name in names])
    found: dict[str, str | bytes] = {}
    for language in LANGUAGES:
        for number, part in enumerate(parts, 1):
            page = write_page(part, language)
            heading, _, rest = page.markdown.partition("\n")
            links = _LINKS[language].format(notebook=_name_notebook(number, part))
            found[f"{folder_of(language)}{part.name}.md"] = f"{heading}\n\n{links}\n{rest}"
            for name, svg in page.pictures.items():
                found[f"{folder_of(language)}{name}"] = svg
        found[f"{folder_of(language)}exercises.md"] = write_exercises(language)
        found[f"{folder_of(language)}solutions.md"] = write_solutions(language)
        found |= write_handouts(parts, language)
    return found


def write_handouts(parts: list[Part], language: str) -> dict[str, str | bytes]:
    """What is given in a class: slides, and a notebook for each part."""
    folder = folder_of(language)
    found: dict[str, str | bytes] = {f"{folder}slides.html": write_slides(parts, language)}
    for number, part in enumerate(parts, 1):
        found[folder + _name_notebook(number, part)] = write_notebook(part, language)
    for name, page in write_sheets(language).items():
        found[f"{folder}sheets/{name}"] = page
    found[f"{folder}notebooks/exercises.ipynb"] = write_exercise_notebook(language)
    return found


def _name_notebook(number: int, part: Part) -> str:
    return f"notebooks/{number:02}-{part.name}.ipynb"


def folder_of(language: str) -> str:
    return "" if language == "en" else f"{language}/"
