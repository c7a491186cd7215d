"""Music that a sequence of tokens spells: notes to draw and sound, and a score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Note(NamedTuple):
    """A note, the token that begins it, and its place in time.

    `start` and `length` are in quarter notes, `pitch` is a MIDI number.
    """

    token: int
    start: float
    length: float
    pitch: int


@dataclass(frozen=True)
class Music:
    """What can be drawn and sounded of a sequence of tokens.

    Attributes:
        notes: in order of their start, repeats not played.
        seconds_per_quarter: the tempo.
        score: an SVG image; None where it cannot be engraved.
        tokens_by_element: the token of each of the image's elements, by the element's id.
    """

    notes: tuple[Note, ...]
    seconds_per_quarter: float = 0.5
    score: str | None = None
    tokens_by_element: Mapping[str, int] = field(default_factory=dict)
