"""The exercises of `sluice.lecture` as a page, a notebook for students, and solutions."""

from __future__ import annotations

import textwrap

import nbformat

from lecture_export.notebooks import join_cells
from sluice.lecture import exercises

_WORDS = {
    "en": {
        "title": "Exercises",
        "intro": "Write each function, and have it checked: the check says what is right, and in "
        "a sentence what is not. `exercises.hint(name)` helps.",
        "page": "The same as a notebook: [exercises.ipynb](notebooks/exercises.ipynb). "
        "For teachers: [solutions](solutions.md), or `exercises.solution(name)`.",
        "hint": "Hint",
        "solutions": "Solutions",
        "for_teachers": "One right answer to each of the [exercises](exercises.md).",
    },
    "de": {
        "title": "Übungen",
        "intro": "Schreibe die Funktionen und lass sie prüfen: Die Prüfung sagt, was stimmt, und "
        'in einem Satz, was nicht. `exercises.hint(name, "de")` hilft weiter.',
        "page": "Dasselbe als Notebook: [exercises.ipynb](notebooks/exercises.ipynb). "
        "Für Lehrende: [Lösungen](solutions.md), oder `exercises.solution(name)`.",
        "hint": "Hinweis",
        "solutions": "Lösungen",
        "for_teachers": "Je eine richtige Antwort auf die [Übungen](exercises.md).",
    },
}
_IMPORTS = "import torch\n\nfrom sluice.lecture import exercises"


def write_exercises(language: str) -> str:
    """The page: what each exercise asks, what to start from, and a folded hint."""
    words = _WORDS[language]
    blocks = [f"# {words['title']}", words["intro"], words["page"], f"```python\n{_IMPORTS}\n```"]
    for number, (name, one) in enumerate(exercises.list_exercises().items(), 1):
        hint = textwrap.indent(one.hint.in_language(language), "    ")
        blocks += [
            f"## {number}. {one.title.in_language(language)}",
            one.statement.in_language(language),
            f"```python\n{one.stub}\n\n\n{_write_check(name, language)}\n```",
            f'??? tip "{words["hint"]}"\n{hint}',
        ]
    return "\n\n".join(blocks) + "\n"


def write_solutions(language: str) -> str:
    """The page for teachers."""
    words = _WORDS[language]
    blocks = [f"# {words['solutions']}", words["for_teachers"]]
    for number, one in enumerate(exercises.list_exercises().values(), 1):
        blocks += [
            f"## {number}. {one.title.in_language(language)}",
            f"```python\n{one.solution}\n```",
        ]
    return "\n\n".join(blocks) + "\n"


def write_exercise_notebook(language: str) -> str:
    """The notebook: for each exercise its statement, a cell to fill in, and the check."""
    words = _WORDS[language]
    cells = [
        nbformat.v4.new_markdown_cell(f"# {words['title']}\n\n{words['intro']}"),
        nbformat.v4.new_code_cell(_IMPORTS),
    ]
    for number, (name, one) in enumerate(exercises.list_exercises().items(), 1):
        heading = f"## {number}. {one.title.in_language(language)}"
        cells += [
            nbformat.v4.new_markdown_cell(f"{heading}\n\n{one.statement.in_language(language)}"),
            nbformat.v4.new_code_cell(one.stub),
            nbformat.v4.new_code_cell(_write_check(name, language)),
        ]
    return join_cells(cells)


def _write_check(name: str, language: str) -> str:
    option = "" if language == "en" else f', language="{language}"'
    return f"exercises.check_{name}({name}{option})"
