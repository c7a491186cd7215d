"""The state of a tune between two of its tokens."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from sluice.tunes.grammar.sections import SectionState
from sluice.tunes.theory.durations import OpenTuplet


class Position(IntEnum):
    """Where a state stands in relation to bar lines."""

    BODY_START = 0
    """Behind meter and mode: a note, a rest or `|:` may follow, or a line that counts bars."""
    BAR_LINE = 1
    """Behind a bar line: the next bar, a new meter, the second ending or the end."""
    BAR_START = 2
    """Where only the notes of a bar may follow."""
    IN_BAR = 3
    """In a bar that has begun."""


class OpenEvent(NamedTuple):
    """An unfinished note, chord or rest (no pitch); `ticks` is its written duration, or 0."""

    pitches: frozenset[int]
    in_chord: bool = False
    ticks: int = 0
    is_tied: bool = False


class TuneState(NamedTuple):
    """Between two tokens.

    Attributes:
        has_rhythm: whether a dance stands in front.
        meter: as in `6/8`; empty before it.
        mode: whether the mode has been read.
        section: its state as this bar began.
        position: in relation to bar lines.
        elapsed: ticks of the bar's complete events.
        tuplet: the unfinished one.
        event: the unfinished one.
        tied_pitches: those that a tie requires of the next event.
        has_note: whether there was a note.
    """

    has_rhythm: bool = False
    meter: str = ""
    mode: bool = False
    section: SectionState = SectionState()
    position: Position = Position.BODY_START
    elapsed: int = 0
    tuplet: OpenTuplet | None = None
    event: OpenEvent | None = None
    tied_pitches: frozenset[int] = frozenset()
    has_note: bool = False
