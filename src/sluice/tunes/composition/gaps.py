"""Where music of a tune is to be generated: at its gaps (`*`), or in place of some of its bars."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from sluice.tunes.errors import TuneError
from sluice.tunes.notation import score
from sluice.tunes.notation.score import Bar, Event
from sluice.tunes.notation.transcription import GAP
from sluice.tunes.theory.dances import FREE_METER
from sluice.tunes.theory.durations import MAX_BAR_EIGHTHS
from sluice.tunes.tune import Tune


@dataclass(frozen=True)
class Gap:
    """Music to be generated.

    Attributes:
        start: the place of the first of the tune's tokens that it replaces.
        stop: the place of the one after the last.
        length: how long it lasts, in eighths.
        meter: its meter.
        name: gaps of one name are filled alike.
        original: the music that it must not be filled with.
        tied_pitches: MIDI numbers that are held into it.
    """

    start: int
    stop: int
    length: Fraction
    meter: str
    name: int
    original: tuple[Event, ...] = ()
    tied_pitches: frozenset[int] = frozenset()


def find_gaps(tune: Tune) -> list[Gap]:
    """The tokens `GAP` of a tune, one a bar at most.

    A gap lasts what its bar lacks; the last bar of a section lacks the upbeat as well.

    Raises:
        TuneError: no gap, two gaps in a bar, one in a tuplet or in free meter, or a bar that is
            full already.
    """
    tokens = tune.tokens
    bars = score.parse(_fill_with(["z"], tokens)).bars
    longer = score.parse(_fill_with(["z", "2"], tokens)).bars
    found: list[Gap] = []
    for place, bar in enumerate(bars):
        inside = [n for n in range(bar.start, bar.stop) if tokens[n] == GAP]
        if not inside:
            continue
        number, meter = place + 1, _find_meter(tokens, inside[0])
        if len(inside) > 1:
            raise TuneError(f"Bar {number} has {len(inside)} gaps; write one * a bar at most.")
        if longer[place].duration - bar.duration != 1:
            raise TuneError(f"Bar {number} has a * within a tuplet; write it before or after.")
        if meter == FREE_METER:
            raise TuneError(f"Bar {number} has no meter that says how long its * is; give one.")
        length = _find_target_length(tokens, bars, place) - (bar.duration - 1)
        if length <= 0:
            raise TuneError(f"Bar {number} is full without its *; leave out some notes of it.")
        tied = frozenset(_find_tied_pitches(tokens, bars, place, inside[0]))
        found.append(Gap(inside[0], inside[0] + 1, length, meter, len(found), tied_pitches=tied))
    if not found:
        raise TuneError("The tune has no gap; write a * where music is to be filled in.")
    return found


def choose_bars(tune: Tune, strength: float, rng: random.Random) -> list[Gap]:
    """Gaps in place of the part `strength` of a tune's bars, bars that are alike together.

    A bar changes only if all that are like it can: it is whole, ends no section, and hangs on no
    tie and no change of meter.

    Raises:
        TuneError: a strength outside (0, 1], a tune with gaps, or no bar that could change.
    """
    if not 0 < strength <= 1:
        raise TuneError(f"The strength must be above 0 and at most 1, got {strength}.")
    tokens = tune.tokens
    if GAP in tokens:
        raise TuneError("The tune has gaps (*); fill them before it is varied.")
    bars = tune.score.bars
    alike: dict[tuple[Event, ...], list[int]] = {}
    for place, bar in enumerate(bars):
        alike.setdefault(bar.events, []).append(place)
    free = [
        music
        for music, places in alike.items()
        if all(_may_change(tokens, bars, place) for place in places)
        and len({_find_meter(tokens, bars[place].start) for place in places}) == 1
    ]
    if not free:
        raise TuneError(
            "The tune has no bar that could change: a full one that ends no section, is tied to no "
            "other, and is like none of those; give a longer tune."
        )
    changed = rng.sample(free, max(1, round(strength * len(free))))
    gaps = [
        Gap(
            bars[place].start,
            bars[place].stop,
            bars[place].duration,
            _find_meter(tokens, bars[place].start),
            name,
            music,
        )
        for name, music in enumerate(changed)
        for place in alike[music]
    ]
    return sorted(gaps, key=lambda gap: gap.start)


def mark_bars(tune: Tune, numbers: Sequence[int]) -> list[Gap]:
    """Gaps in place of some of a tune's bars, of which those that are alike are filled alike.

    Args:
        tune: the tune.
        numbers: of the bars as they are written, from 1, pickups counted.

    Raises:
        TuneError: no number, one that the tune has not, a tune with gaps, or a bar that cannot be
            replaced: in free meter, longer than a gap may be, with a change of meter, or tied to
            the next one.
    """
    tokens = tune.tokens
    if GAP in tokens:
        raise TuneError("The tune has gaps (*); fill them before it is varied.")
    bars, names = tune.score.bars, dict[tuple[tuple[Event, ...], str], int]()
    found = []
    for place in find_places(bars, numbers):
        bar = bars[place]
        _check_replaceable(tokens, bar, place)
        tied = frozenset(_find_tied_pitches(tokens, bars, place, bar.start))
        meter = _find_meter(tokens, bar.start)
        alike = names.setdefault((bar.events, meter), place)
        name = place if tied else alike
        found.append(Gap(bar.start, bar.stop, bar.duration, meter, name, bar.events, tied))
    return found


def find_places(bars: Sequence[Bar], numbers: Sequence[int]) -> list[int]:
    """The places of bars by their numbers, which count from 1, in order.

    Raises:
        TuneError: no number, or one that is not from 1 to the number of bars.
    """
    wrong = [number for number in numbers if not 1 <= number <= len(bars)]
    if wrong or not numbers:
        got = f"got {wrong[0]}" if wrong else "got none"
        raise TuneError(f"Bars must be numbers from 1 to {len(bars)}, {got}.")
    return sorted({number - 1 for number in numbers})


def _check_replaceable(tokens: Sequence[str], bar: Bar, place: int) -> None:
    """Raise TuneError for a bar whose music cannot be replaced alone."""
    inside = tokens[bar.start : bar.stop]
    reason = ""
    if _find_meter(tokens, bar.start) == FREE_METER:
        reason = "is in free meter"
    elif any(score.METER.fullmatch(token) for token in inside):
        reason = "changes the meter"
    elif bar.duration > MAX_BAR_EIGHTHS:
        reason = "is too long"
    elif bar.events[-1].is_tied:
        reason = "is tied to the next one"
    if reason:
        raise TuneError(f"Bar {place + 1} {reason}, so it cannot be replaced; choose another.")


def split_at_gaps(spelt: Sequence[str], tune: Tune, gaps: Sequence[Gap]) -> list[Sequence[str]]:
    """What stands before, between and behind the gaps.

    Args:
        spelt: the tune as a model reads it (`ModelTokens.encode`): other tokens in front of the
            body, then one for each of the tune's.
        tune: as itself.
        gaps: its gaps in order.
    """
    offset = len(spelt) - len(tune.tokens)
    starts = [0, *(gap.stop + offset for gap in gaps)]
    stops = [*(gap.start + offset for gap in gaps), len(spelt)]
    return [spelt[start:stop] for start, stop in zip(starts, stops, strict=True)]


def insert_fillings(
    tokens: Sequence[str], gaps: Sequence[Gap], fillings: Mapping[int, Sequence[str]]
) -> tuple[str, ...]:
    """A tune's tokens with the filling of its name in each gap."""
    found: list[str] = []
    done = 0
    for gap in gaps:
        found += [*tokens[done : gap.start], *fillings[gap.name]]
        done = gap.stop
    return (*found, *tokens[done:])


def _fill_with(filling: list[str], tokens: Sequence[str]) -> list[str]:
    return [part for token in tokens for part in (filling if token == GAP else [token])]


def _find_meter(tokens: Sequence[str], place: int) -> str:
    """The meter of the music at a place."""
    meters = (score.METER.fullmatch(token) for token in reversed(tokens[:place]))
    return next(match[1] for match in meters if match is not None)


def _find_target_length(tokens: Sequence[str], bars: Sequence[Bar], place: int) -> Fraction:
    """How long a bar should be: the last of a section makes up for the section's upbeat."""
    bar = bars[place]
    if not _ends_section(bars, place):
        return bar.length
    first = place
    while first and (bars[first].ending or not _ends_section(bars, first - 1)):
        first -= 1
    upbeat = bars[first].duration
    is_upbeat = first < place and upbeat < bars[first].length
    is_upbeat = is_upbeat and GAP not in tokens[bars[first].start : bars[first].stop]
    return bar.length - upbeat if is_upbeat else bar.length


def _ends_section(bars: Sequence[Bar], place: int) -> bool:
    bar = bars[place]
    return bar.closes or bar.is_double or place == len(bars) - 1 or bars[place + 1].opens


def _find_tied_pitches(
    tokens: Sequence[str], bars: Sequence[Bar], place: int, start: int
) -> tuple[int, ...]:
    """What the music before the gap that starts at token `start` of a bar holds into it."""
    bar = ["M:4/4", "K:Cmaj", "c", *tokens[bars[place].start : start]]
    before = score.parse(bar).events[1:]
    if not before and place:
        before = list(bars[place - 1].events)
    return before[-1].tied_pitches if before else ()


def _may_change(tokens: Sequence[str], bars: Sequence[Bar], place: int) -> bool:
    """Whether a bar is whole, ends no section, and hangs on no tie, meter or neighbour."""
    bar = bars[place]
    tied = bar.events[-1].is_tied or (place and bars[place - 1].events[-1].is_tied)
    changes = any(score.METER.fullmatch(token) for token in tokens[bar.start : bar.stop])
    whole = bar.duration == bar.length <= MAX_BAR_EIGHTHS and len(bar.events) > 1
    return whole and not (tied or changes or _ends_section(bars, place))
