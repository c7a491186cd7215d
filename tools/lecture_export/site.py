"""Everything that is made of the lecture's sources, by its path below ``lecture/`` of the site."""

from __future__ import annotations

from lecture_export.execution import execute_parts
from lecture_export.exercises import (
    write_exercise_notebook,
    write_exercises,
    write_solutions,
)
from lecture_export.notebooks import write_notebook
from lecture_export.pages import write_page
from lecture_export.parts import LANGUAGES, Part, read_parts
from lecture_export.slides import write_slides


def write_files() -> dict[str, str | bytes]:
    """Pages, their pictures, notebooks and slides; English at the top, German below ``de/``."""
    parts = read_parts()
    execute_parts(parts)
    found: dict[str, str | bytes] = {}
    for language in LANGUAGES:
        for part in parts:
            page = write_page(part, language)
            found[f"{folder_of(language)}{part.name}.md"] = page.markdown
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
        found[f"{folder}notebooks/{number:02}-{part.name}.ipynb"] = write_notebook(part, language)
    found[f"{folder}notebooks/exercises.ipynb"] = write_exercise_notebook(language)
    return found


def folder_of(language: str) -> str:
    return "" if language == "en" else f"{language}/"
