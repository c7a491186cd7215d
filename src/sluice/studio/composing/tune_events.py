"""The events of a tune that is composed, as they are sent."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from fractions import Fraction
from typing import Any

from sluice.studio.composing.growing_abc import GrowingAbc
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
from sluice.tunes.notation import score
from sluice.tunes.tune import Tune

_MOST_TOKENS = 24
"""Of one event, where no bar line comes."""

EventData = tuple[str, dict[str, Any]]
"""The kind of an event, and what it says."""


async def compose_live(
    model: LoadedModel, options: ComposingOptions, stream: TuneStream
) -> AsyncGenerator[EventData, None]:
    """The events of a tune: tokens one by one until its first bar is complete, then bar by bar.

    They depend on the model and the options alone.

    Raises:
        SluiceError: as the stream.
    """
    grouped = _TokenGroups()
    async for event in stream:
        if isinstance(event, TuneGrown):
            if (found := grouped.add(event)) is not None:
                yield found
            continue
        if (found := grouped.flush()) is not None:
            yield found
        if isinstance(event, TuneStarted):
            grouped = _TokenGroups()
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
    """The tokens of a tune in groups, and its ABC where it has grown by a note or a bar."""

    def __init__(self) -> None:
        self._abc: GrowingAbc | None = None
        self._tokens: list[str] = []
        self._has_bar = self._has_grown = False

    def add(self, event: TuneGrown) -> EventData | None:
        """Take new tokens; what there is to send."""
        body = event.tokens
        if self._abc is None:
            self._abc, body = GrowingAbc(event.unfinished), body[2:]
        for token in body:
            self._has_grown = self._abc.add(token) or self._has_grown
        self._tokens += event.tokens
        self._has_bar = self._has_bar or self._has_grown
        is_bar = score.BAR_LINE.fullmatch(event.tokens[-1]) is not None
        if self._has_bar and not is_bar and len(self._tokens) < _MOST_TOKENS:
            return None
        if not self._has_bar and (text := event.abc):
            return self._send(text)
        return self.flush()

    def flush(self) -> EventData | None:
        """What has not been sent."""
        if not self._tokens:
            return None
        return self._send(self._abc.text if self._abc is not None and self._has_grown else "")

    def _send(self, abc: str) -> EventData:
        tokens, self._tokens, self._has_grown = self._tokens, [], False
        return "tokens", {"t": tokens, "abc": abc} if abc else {"t": tokens}
