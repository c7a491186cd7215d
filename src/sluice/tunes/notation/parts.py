"""Parts of a tune (`P:`), and the order in which bars are played: parts, repeats, endings."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from sluice.tunes.notation.abc_symbols import PartLabel
from sluice.tunes.notation.remarks import Remark
from sluice.tunes.notation.score import Bar

_MAX_PARTS = 200
_PIECE = re.compile(r"[A-Za-z(]|\)(\d*)|\d+|[.,\s]+")


class TunePart(NamedTuple):
    """A label of the body (`P:A`) and the number of the bar at which its part begins."""

    label: str
    bar: int


def parse_part_order(text: str) -> str:
    """The order that a `P:` of the header asks for, one letter a part.

    >>> parse_part_order("A2(BA)2.C")
    'AABABAC'

    Raises:
        ValueError: not an order of parts (ABC 2.1, section 3.1.9), or more than 200.
    """
    groups = [""]
    last = ""
    place = 0
    while place < len(text):
        match = _PIECE.match(text, place)
        if match is None:
            raise ValueError(f"P:{text} is no order of parts (as in P:AABB)")
        piece, place = match[0], match.end()
        if piece == "(":
            groups.append("")
            last = ""
        elif piece[0] == ")":
            if len(groups) == 1:
                raise ValueError(f"P:{text} closes a bracket that is not open")
            last = groups.pop() * _read_count(match[1] or "1", text)
            groups[-1] += last
        elif piece.isdigit():
            groups[-1] += last * (_read_count(piece, text) - 1)
            last = ""
        elif piece.isalpha():
            last = piece
            groups[-1] += piece
        if max(map(len, groups)) > _MAX_PARTS:
            raise _make_length_error(text)
    if len(groups) > 1:
        raise ValueError(f"P:{text} leaves a bracket open")
    return groups[0]


def _read_count(digits: str, text: str) -> int:
    if len(digits) > 3 or not int(digits):
        raise _make_length_error(text)
    return int(digits)


def _make_length_error(text: str) -> ValueError:
    return ValueError(f"P:{text} plays no part, or more than {_MAX_PARTS}")


def place_parts(
    labels: Sequence[PartLabel], bars: Sequence[Bar]
) -> tuple[tuple[TunePart, ...], list[Remark]]:
    """The bars at which the parts of these labels begin, and those that begin within one."""
    starts = [0, *accumulate(len(bar.events) for bar in bars)]
    found, remarks = [], []
    for label, num_sounds, line in labels:
        bar = bisect_left(starts, num_sounds)
        if starts[bar] != num_sounds:
            remarks.append(Remark("a part (P:) within a bar, begun at the next", line))
        if bar < len(bars):
            found.append(TunePart(label, bar))
    return tuple(found), remarks


def order_bars(bars: Sequence[Bar], parts: Sequence[TunePart] = (), order: str = "") -> list[Bar]:
    """The bars in the order in which they sound: parts in `order`, repeats and endings played.

    Without parts or order they are played as written. What stands before the first part is played
    once, and a part that the tune does not have is passed over.
    """
    if not parts or not order:
        return _expand_repeats(bars)
    ends = [*(part.bar for part in parts[1:]), len(bars)]
    sections: dict[str, Sequence[Bar]] = {}
    for part, end in zip(parts, ends, strict=True):
        sections.setdefault(part.label[:1], bars[part.bar : end])
    played = _expand_repeats(bars[: parts[0].bar])
    for letter in order:
        played += _expand_repeats(sections.get(letter, ()))
    return played


def _expand_repeats(bars: Sequence[Bar]) -> list[Bar]:
    begins = _find_section_starts(bars)
    played: list[Bar] = []
    begin, at, time = 0, 0, 1
    while at < len(bars):
        bar = bars[at]
        if begins[at] != begin:
            begin, time = begins[at], 1
        if bar.ending and time not in bar.ending:
            at += 1
            continue
        played.append(bar)
        if bar.closes and time < _count_passes(bars, begins, at):
            at, time = begin, time + 1
            continue
        at += 1
    return played


def _find_section_starts(bars: Sequence[Bar]) -> list[int]:
    """Where the section of each bar begins, to which a repeat sign goes back.

    A section begins with the tune, at `|:`, after a repeat and its endings, and after a double
    bar that stands in no open repeat.
    """
    found: list[int] = []
    begin, in_repeat = 0, False
    for at, bar in enumerate(bars):
        if bar.opens:
            begin, in_repeat = at, True
        found.append(begin)
        in_repeat = in_repeat and not bar.closes
        ending_follows = at + 1 < len(bars) and bool(bars[at + 1].ending)
        if (bar.closes or (bar.is_double and not in_repeat)) and not ending_follows:
            begin = at + 1
    return found


def _count_passes(bars: Sequence[Bar], begins: Sequence[int], at: int) -> int:
    """How often the section whose repeat sign stands at `at` is played."""
    section = (bar for bar, begin in zip(bars, begins, strict=True) if begin == begins[at])
    return max(2, *(number for bar in section for number in (0, *bar.ending)))
