"""What happens while a tune is composed, event by event."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from sluice.cached import cached_property
from sluice.tunes.errors import InvalidTokensError
from sluice.tunes.theory.keys import Key
from sluice.tunes.tune import Tune


@dataclass(frozen=True)
class TuneStarted:
    """An attempt begins: what is known before its first note.

    Attributes:
        seed: of the tune.
        attempt: from 1. Later ones have the same dance, meter and key, unless the prompt did not
            fit those before.
        dance: such as `jig`, or nothing.
        meter: as in `6/8`.
        key: in which the tune is written.
        title: its name.
    """

    kind: ClassVar[str] = "started"
    seed: int
    attempt: int
    dance: str
    meter: str
    key: Key
    title: str


@dataclass(frozen=True)
class TuneGrown:
    """New tokens, with the prompt's at first.

    Attributes:
        tokens: the tune's new tokens, on a root of C; meter and mode come first.
        unfinished: all tokens so far as a tune; an element that is not complete may be at the end.
    """

    kind: ClassVar[str] = "tokens"
    tokens: tuple[str, ...]
    unfinished: Tune

    @cached_property
    def abc(self) -> str:
        """The tune so far in ABC, in its key: up to the last complete element, without chords.

        Nothing before the first note.
        """
        tokens = self.unfinished.tokens
        for stop in range(len(tokens), 2, -1):
            try:
                return replace(self.unfinished, tokens=tokens[:stop]).abc()
            except InvalidTokensError:
                continue
        return ""


@dataclass(frozen=True)
class TuneRejected:
    """An attempt gave no complete tune; what was shown of it is void, and another one begins.

    Attributes:
        attempt: the number of the one that begins.
    """

    kind: ClassVar[str] = "again"
    attempt: int


@dataclass(frozen=True)
class TuneCompleted:
    """The tune is complete.

    Attributes:
        tune: equal to what `Composer.compose` gives, with chords if asked for.
        octaves: by how many octaves it is moved up from where its unfinished parts stood, so that
            it lies on a whistle or a fiddle: that is known only when all notes are. 0 where a
            prompt gave notes.
    """

    kind: ClassVar[str] = "done"
    tune: Tune
    octaves: int


ComposingEvent = TuneStarted | TuneGrown | TuneRejected | TuneCompleted
