"""Notes of a sequence of tokens, as a page draws and plays them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class TokenNote(NamedTuple):
    """A note that sounds, and the token that spells it.

    Attributes:
        token: index of the token with its pitch.
        stop: index behind the last token that belongs to it (its length, a tie).
        start: when it begins, in seconds from the start.
        length: how long it sounds, in seconds.
        pitch: MIDI number.
    """

    token: int
    stop: int
    start: float
    length: float
    pitch: int


@dataclass(frozen=True)
class TokenMusic:
    """What a sequence of tokens sounds like, as written: repeats are played once.

    Attributes:
        notes: in the order in which they begin.
        bars: when each bar begins, in seconds.
        score: the score as an SVG picture; None where it cannot be drawn.
        narrow_score: the same on a page as narrow as a telephone's.
        signs: of elements of both by their ``id``: the tokens ``(first, stop)`` they stand
            for.
        remark: why there is no score, or why the music ends early.
    """

    notes: Sequence[TokenNote]
    bars: Sequence[float] = ()
    score: str | None = None
    narrow_score: str | None = None
    signs: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    remark: str = ""
