"""Where a tune stands between two of its tokens."""

from __future__ import annotations

from typing import NamedTuple

from sluice.tunes.grammar.sections import SectionState
from sluice.tunes.theory.durations import OpenTuplet


class OpenEvent(NamedTuple):
    """A note, chord or rest (no pitch) under way; `ticks` is what it says it lasts."""

    pitches: frozenset[int]
    in_chord: bool = False
    ticks: int = 0
    is_tied: bool = False


class TuneState(NamedTuple):
    """Between two tokens.

    Attributes:
        meter: as in `6/8`; none before it came.
        mode: whether the mode came.
        part: where the tune stood as this bar began.
        before: "start" of the body, behind a "line", where only "notes" may follow, or "" in a bar
            that has begun.
        passed: ticks of the bar's complete events.
        tuplet: the one under way.
        event: the one under way.
        held: what a tie asks the next event to be.
        sung: whether there was a note.
    """

    meter: str = ""
    mode: bool = False
    section: SectionState = SectionState()
    position: str = "start"
    elapsed: int = 0
    tuplet: OpenTuplet | None = None
    event: OpenEvent | None = None
    tied_pitches: frozenset[int] = frozenset()
    has_note: bool = False
