"""Swing: even pairs of notes played long and short, as hornpipes are, however they are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from sluice.tunes.notation.score import METER, Bar, Event, Score
from sluice.tunes.notation.transcription import Transcription
from sluice.tunes.theory.dances import swing_unit


def swing_score(tune: Transcription) -> Score:
    """The music of a tune as it is played: within a beat, of two even notes the first is longer.

    The pairs are of eighths, in 2/4 of sixteenths, where a dancer would count them (`ta ka`); bars
    and all other notes, among them dotted ones and triplets, keep their places. A rest may be one
    of a pair. Compound meters are left alone. abc2midi does the same to `R:hornpipe` in 4/4.

    Raises:
        InvalidTokensError: the tokens are no valid tune.
        TuneError: a swing out of range.
    """
    score = tune.score
    ratio = Fraction(tune.swing_ratio).limit_denominator(1000)
    if ratio == 1:
        return score
    meter, bars = score.meter, []
    for place, bar in enumerate(score.bars):
        for token in tune.tokens[bar.start : bar.stop]:
            if match := METER.fullmatch(token):
                meter = match[1]
        unit = swing_unit(meter)
        if unit is not None:
            start = _find_offset(score.bars, place, 2 * unit)
            bar = replace(bar, events=_swing_events(bar.events, start, unit, ratio))
        bars.append(bar)
    return replace(score, bars=tuple(bars))


def _find_offset(bars: Sequence[Bar], place: int, pair: Fraction) -> Fraction:
    """How far into a pair a bar begins: a pickup ends with a pair, other bars begin with one."""
    bar = bars[place]
    is_first = place == 0 or bar.opens or bars[place - 1].closes or bars[place - 1].is_double
    return -bar.duration % pair if is_first and bar.duration < bar.length else Fraction(0)


def _swing_events(
    events: Sequence[Event], start: Fraction, unit: Fraction, ratio: Fraction
) -> tuple[Event, ...]:
    played = list(events)
    now = start
    for place, (first, second) in enumerate(pairwise(events)):
        if now % (2 * unit) == 0 and first.duration == second.duration == unit:
            long = 2 * unit * ratio / (1 + ratio)
            played[place] = first._replace(duration=long)
            played[place + 1] = second._replace(duration=2 * unit - long)
        now += first.duration
    return tuple(played)
