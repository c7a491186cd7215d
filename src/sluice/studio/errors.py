"""Errors of the studio, in words for the visitor who sees them."""

from __future__ import annotations

from sluice.errors import SluiceError


class StudioError(SluiceError, ValueError):
    """Something that a visitor or keeper asked for and the studio refuses.

    Attributes:
        sentence: what was expected, what came and what to do.
        field: the name of the form's field that it is about, or nothing.
    """

    def __init__(self, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.field = field


class NotFoundError(StudioError):
    """What an address names does not exist, or is hidden from this visitor."""


class ForbiddenError(StudioError):
    """This visitor may not do that."""


class LimitError(StudioError):
    """Too often in too short a time.

    Attributes:
        seconds: how long to wait.
    """

    def __init__(self, sentence: str, seconds: int) -> None:
        super().__init__(sentence)
        self.seconds = seconds


class UnavailableError(StudioError):
    """It cannot be done just now; the same request may succeed later."""
