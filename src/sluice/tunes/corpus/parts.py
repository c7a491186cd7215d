"""How the parts of a tune begin, end and follow one another: where dancers would stumble."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from sluice.tunes.notation.score import Bar, Score

_QUARTER = Fraction(2)
"""In eighths."""


def split_parts(bars: Sequence[Bar]) -> list[list[Bar]]:
    """The bars of each part: parts end at repeat signs and double bars, not at second endings.

    >>> from sluice.tunes.notation.score import parse
    >>> score = parse("M:2/4 K:Cmaj |: c 4 | d 4 |1 e 4 :| |2 c 4 |: g 4 :|".split())
    >>> [len(part) for part in split_parts(score.bars)]
    [4, 1]
    """
    parts: list[list[Bar]] = [[]]
    for bar, after in zip(bars, [*bars[1:], None], strict=True):
        parts[-1].append(bar)
        is_before_ending = bool(after and after.ending and not after.opens)
        if after and (after.opens or ((bar.closes or bar.is_double) and not is_before_ending)):
            parts.append([])
    return parts


def measure_last_note(score: Score) -> Fraction:
    """The length of the last note in eighths, tied notes as one."""
    events = score.events
    place = max(at for at, event in enumerate(events) if event.pitches)
    last = events[place]
    length = last.duration
    for before in reversed(events[:place]):
        if not before.is_tied or not set(before.pitches) & set(last.pitches):
            break
        length += before.duration
    return length


def ends_long(score: Score) -> bool:
    """Whether the last note is a quarter or longer."""
    return measure_last_note(score) >= _QUARTER


def is_turn_broken(score: Score) -> bool | None:
    """Whether the last bar of the first part and the pickup of the second make no bar.

    None but for tunes of two parts without endings, the first of two bars or more.
    """
    if len(parts := _find_plain_parts(score)) != 2 or len(parts[0]) < 2:
        return None
    last, opening = parts[0][-1], parts[1][0]
    return last.duration + _measure_pickup(opening) != last.length


def has_long_pickup(score: Score) -> bool | None:
    """Whether a part has a pickup longer than half a bar; None as for `is_turn_broken`."""
    if len(parts := _find_plain_parts(score)) != 2 or len(parts[0]) < 2:
        return None
    return any(_measure_pickup(part[0]) > part[0].length / 2 for part in parts)


def has_unopened_repeat(score: Score) -> bool | None:
    """Whether a repeat after the first part is closed but never opened; None if there is none.

    That of the first part goes back to the beginning of the tune, by custom.
    """
    later: dict[int, bool] = {}
    begin, is_open = 0, False
    for place, (bar, after) in enumerate(zip(score.bars, [*score.bars[1:], None], strict=True)):
        if bar.opens:
            begin, is_open = place, True
        if bar.closes and begin > 0:
            later.setdefault(begin, is_open)
        ends = bar.closes or (bar.is_double and not is_open)
        is_open = is_open and not bar.closes
        if ends and not (after and after.ending):
            begin = place + 1
    return not all(later.values()) if later else None


def _find_plain_parts(score: Score) -> list[list[Bar]]:
    """The parts of a tune without endings; none of a tune with endings."""
    return [] if any(bar.ending for bar in score.bars) else split_parts(score.bars)


def _measure_pickup(bar: Bar) -> Fraction:
    """The length of a part's first bar where it is a pickup, else nothing."""
    return bar.duration if bar.duration < bar.length else Fraction(0)
