"""The exercises by name: what they ask, their hints, what a student starts from, a solution."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from sluice.errors import SluiceError
from sluice.lecture.exercises import solutions
from sluice.lecture.exercises.feedback import Language, Sentence
from sluice.lecture.exercises.statements import HINTS, STATEMENTS, TITLES


class UnknownExerciseError(SluiceError, KeyError):
    """There is no exercise of that name; the message lists those there are."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class Exercise:
    """What one exercise asks.

    Attributes:
        name: of the function to write, and of its check: ``check_NAME``.
        title, statement, hint: in two languages.
        stub: the Python that a student starts from.
        solution: the Python of one right answer.
    """

    name: str
    title: Sentence
    statement: Sentence
    hint: Sentence
    stub: str
    solution: str


def list_exercises() -> dict[str, Exercise]:
    """All exercises by name, in the order of the lecture.

    >>> from sluice.lecture import exercises
    >>> next(iter(exercises.list_exercises()))
    'elman_step'
    """
    return {name: _describe(name) for name in STATEMENTS}


def hint(name: str, language: Language = "en") -> str:
    """A hint for a student who is stuck.

    Raises:
        UnknownExerciseError: there is no such exercise.
        ValueError: a language that there is no text in.

    >>> from sluice.lecture import exercises
    >>> exercises.hint("gradient_norm")
    'A rotation does not change a norm. What does each step multiply the norm by?'
    """
    return _find(name).hint.in_language(language)


def solution(name: str) -> str:
    """The code of a right answer, for teachers.

    Raises:
        UnknownExerciseError: there is no such exercise.

    >>> from sluice.lecture import exercises
    >>> print(exercises.solution("gradient_norm"))
    def gradient_norm(s: float, steps: int) -> float:
        return s**steps
    """
    return _find(name).solution


def _find(name: str) -> Exercise:
    if name not in STATEMENTS:
        known = ", ".join(STATEMENTS)
        raise UnknownExerciseError(f"there is no exercise {name!r}; there are: {known}")
    return _describe(name)


def _describe(name: str) -> Exercise:
    function: Callable[..., object] = getattr(solutions, name)
    arguments = ", ".join(inspect.signature(function).parameters)
    return Exercise(
        name,
        TITLES[name],
        STATEMENTS[name],
        HINTS[name],
        f"def {name}({arguments}):\n    ...",
        inspect.getsource(function).rstrip(),
    )
