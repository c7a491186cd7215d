"""The events of a tune that is composed, as they are sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from fractions import Fraction
from typing import Any

from sluice.studio.composing.models import LoadedModel
from sluice.studio.composing.options import ComposingOptions
from sluice.studio.composing.stored_tune import store_tune
from sluice.tunes.composition.live import TuneStream
from sluice.tunes.composition.live_events import (
    TuneCompleted,
    TuneGrown,
    TuneRejected,
    TuneStarted,
)
from sluice.tunes.export.growing_abc import GrowingAbc
from sluice.tunes.notation import score
from sluice.tunes.theory.keys import is_pitch
from sluice.tunes.tune import Tune

_MOST_TOKENS = 24
"""Of one event, where no bar line comes."""
_PAUSE = 0.015
"""Seconds for which tokens gather behind the first note, so that many tunes cost little."""

EventData = tuple[str, dict[str, Any]]
"""The kind of an event, and what it says."""


async def compose_live(
    model: LoadedModel, options: ComposingOptions, stream: TuneStream
) -> AsyncGenerator[EventData, None]:
    """The events of a tune: tokens up to its first note, then bar by bar.

    They depend on the model and the options alone.

    Raises:
        SluiceError: as the stream.
    """
    groups = _TokenGroups()
    async for event in stream:
        if isinstance(event, TuneGrown):
            for found in groups.add(event):
                yield found
            if groups.has_note:
                await asyncio.sleep(_PAUSE)
            continue
        for found in groups.flush():
            yield found
        if isinstance(event, TuneStarted):
            groups = _TokenGroups()
            yield "start", describe_start(model, options, event)
        elif isinstance(event, TuneRejected):
            yield "again", {"seed": str(options.seed), "attempt": event.attempt}
        elif isinstance(event, TuneCompleted):
            yield "done", describe_tune(model, event.tune, event.octaves)


def describe_start(
    model: LoadedModel, options: ComposingOptions, begun: TuneStarted | Tune
) -> dict[str, Any]:
    """The data of `start`."""
    dance = begun.dance if isinstance(begun, TuneStarted) else begun.rhythm
    attempt = begun.attempt if isinstance(begun, TuneStarted) else 1
    return {
        "options": options.to_mapping() | {"seed": str(options.seed)},
        "seed": str(options.seed),
        "model": model.info.fingerprint,
        "key": begun.key.name,
        "meter": begun.meter,
        "dance": dance,
        "title": begun.title,
        "attempt": attempt,
    }


def describe_tune(model: LoadedModel, tune: Tune, octaves: int = 0) -> dict[str, Any]:
    """The data of `done`."""
    found = {
        "abc": tune.abc(),
        "title": tune.title,
        "tokens": [*tune.tokens],
        "key": tune.key.name,
        "meter": tune.meter,
        "dance": tune.rhythm,
        "octaves": octaves,
        "measures": _measure(tune),
        "tune": store_tune(tune),
    }
    if model.keeps_training_tunes:
        nearest = model.composer.index.find_nearest(tune.tokens[2:])
        if nearest is not None:
            found["nearest"] = {"title": nearest.title, "tokens": nearest.run}
    return found


def _measure(tune: Tune) -> dict[str, Any]:
    """Counts of a tune: bars, how many of them differ, notes, and whether the last is the tonic."""
    music = tune.score
    events = [event for event in music.events if event.pitches]
    bars = [tune.tokens[bar.start : bar.stop] for bar in music.bars]
    full = [bar for bar in music.bars if bar.duration == bar.length]
    last = events[-1]
    return {
        "bars": len(bars),
        "different_bars": len(set(bars)),
        "full_bars": len(full),
        "notes": len(events),
        "ends_on_tonic": any(pitch % 12 == 0 for pitch in last.pitches),
        "ends_long": last.duration >= Fraction(2),
    }


class _TokenGroups:
    """The tokens of a tune in groups that end with its first note and with each bar line."""

    def __init__(self) -> None:
        self._abc: GrowingAbc | None = None
        self._tokens: list[str] = []
        self._has_grown = False
        self.has_note = False

    def add(self, event: TuneGrown) -> Iterator[EventData]:
        """Take new tokens, however many came at once; what there is to send."""
        new = event.tokens
        if self._abc is None:
            self._abc, new = GrowingAbc(event.unfinished), new[2:]
            self._tokens += event.tokens[:2]
        for token in new:
            self._tokens.append(token)
            self._has_grown = self._abc.add(token) or self._has_grown
            is_bar = score.BAR_LINE.fullmatch(token) is not None
            if not self.has_note and is_pitch(token):
                self.has_note = True
                yield self._send(self._abc.text_with_last_bar)
            elif (self.has_note and is_bar) or len(self._tokens) >= _MOST_TOKENS:
                yield from self.flush()

    def flush(self) -> Iterator[EventData]:
        """What has not been sent."""
        if self._tokens and self._abc is not None:
            yield self._send(self._abc.text if self._has_grown else "")

    def _send(self, abc: str) -> EventData:
        tokens, self._tokens, self._has_grown = self._tokens, [], False
        return "tokens", {"t": tokens, "abc": abc} if abc else {"t": tokens}
