"""What a check says of a student's answer, and the comparison of values behind it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from sluice.errors import SluiceError

Language = Literal["en", "de"]
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Feedback:
    """Whether an answer is right, and a sentence about it; it is true where the answer is right.

    >>> Feedback(True, "Right.")
    Right.
    """

    right: bool
    message: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return self.message

    __str__ = __repr__


@dataclass(frozen=True)
class Sentence:
    """The same sentence in two languages."""

    en: str
    de: str

    def in_language(self, language: str) -> str:
        """Raises ValueError for a language that there is no text in."""
        if language not in ("en", "de"):
            raise ValueError(f"language must be 'en' or 'de', got {language!r}")
        return self.en if language == "en" else self.de

    def fill(self, **values: object) -> Sentence:
        return Sentence(self.en.format(**values), self.de.format(**values))


@dataclass(frozen=True)
class Mistake:
    """A wrong value that is often given, and what is wrong with it."""

    value: Tensor
    sentence: Sentence


RIGHT = Sentence("Right.", "Richtig.")
_RAISED = Sentence(
    "Your function raised {kind}{place}: {error}",
    "Deine Funktion brach mit {kind} ab{place}: {error}",
)
_NOTHING = Sentence(
    "Your function returned None for {what}. Is a return missing?",
    "Deine Funktion gab für {what} None zurück. Fehlt ein return?",
)
_NO_NUMBERS = Sentence(
    "{what} must be numbers, a tensor or an array; it is of type {kind}.",
    "{what} muss aus Zahlen bestehen, als Tensor oder Array; der Typ ist {kind}.",
)
_SHAPE = Sentence(
    "{what} must have the shape {expected}; yours has {found}.",
    "{what} muss die Form {expected} haben; deins hat {found}.",
)
_NOT_FINITE = Sentence(
    "{what} has a value that is not a number (NaN) or infinite.",
    "{what} enthält einen Wert, der keine Zahl (NaN) oder unendlich ist.",
)
_DIFFERENT = Sentence(
    "{what} is not right yet: at place {place} it must be {expected:.4f}; yours is {found:.4f}.",
    "{what} stimmt noch nicht: An der Stelle {place} muss {expected:.4f} stehen; bei dir steht "
    "{found:.4f}.",
)


class WrongAnswerError(SluiceError, ValueError):
    """An answer is wrong; its sentence says how. It never leaves a check."""

    def __init__(self, sentence: Sentence) -> None:
        super().__init__(sentence.en)
        self.sentence = sentence


def give_feedback(check: Callable[[], None], language: Language) -> Feedback:
    """Run a check: it returns where the answer is right and raises `WrongAnswerError` where not."""
    RIGHT.in_language(language)  # an unknown language is refused before anything runs
    try:
        check()
    except WrongAnswerError as wrong:
        return Feedback(False, wrong.sentence.in_language(language))
    return Feedback(True, RIGHT.in_language(language))


def call_answer(answer: Callable[..., object], *arguments: object) -> object:
    """What the student's function returns; what it raises becomes a sentence with its line."""
    copies = [value.clone() if isinstance(value, Tensor) else value for value in arguments]
    try:
        return answer(*copies)
    except Exception as error:
        raise WrongAnswerError(
            _RAISED.fill(kind=type(error).__name__, place=_find_line(error), error=error)
        ) from error


def compare(what: str, found: object, expected: Tensor, mistakes: Sequence[Mistake] = ()) -> None:
    """Raise `WrongAnswerError` unless ``found`` is ``expected``; a known mistake is named."""
    values = read_numbers(what, found)
    if values.shape != expected.shape:
        shapes = {"expected": tuple(expected.shape), "found": tuple(values.shape)}
        raise WrongAnswerError(_SHAPE.fill(what=what, **shapes))
    if not values.isfinite().all():
        raise WrongAnswerError(_NOT_FINITE.fill(what=what))
    if _is_close(values, expected):
        return
    for mistake in mistakes:
        if _is_close(values, mistake.value):
            raise WrongAnswerError(mistake.sentence)
    place = int((values - expected).abs().flatten().argmax())
    numbers = {
        "expected": float(expected.flatten()[place]),
        "found": float(values.flatten()[place]),
    }
    where = [int(index) for index in torch.unravel_index(torch.tensor(place), expected.shape)]
    raise WrongAnswerError(_DIFFERENT.fill(what=what, place=where, **numbers))


def read_numbers(what: str, found: object) -> Tensor:
    """A student's numbers as float64: a tensor, an array, a list or a number."""
    if found is None:
        raise WrongAnswerError(_NOTHING.fill(what=what))
    try:
        return torch.as_tensor(found).detach().double()
    except (TypeError, ValueError, RuntimeError):
        raise WrongAnswerError(_NO_NUMBERS.fill(what=what, kind=type(found).__name__)) from None


def _is_close(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(
        one, other.double(), rtol=_TOLERANCE, atol=_TOLERANCE
    )


def _find_line(error: Exception) -> str:
    """The line of the student's code that raised: the last one outside of libraries."""
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename) != Path(__file__) and "site-packages" not in frame.filename
    ]
    return f" (line {own[-1].lineno})" if own else ""
