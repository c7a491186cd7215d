"""Which measures of a score in MusicXML are endings of a repeat that another ending replaces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element


class _RepeatEnding(NamedTuple):
    """The first and the last measure of an ending, counted from 0."""

    first: int
    last: int


def find_replaced_endings(parts: Iterable[Element]) -> list[range]:
    """Endings with another right after them, as ranges of measures counted from 0.

    Played once, a repeated section has only its last ending. Programs write endings into all parts
    or into the first alone, so that they count wherever they stand.
    """
    found = {ending for part in parts for ending in _list_endings(part.findall("measure"))}
    starts = {ending.first for ending in found}
    return [
        range(ending.first, ending.last + 1)
        for ending in sorted(found)
        if ending.last + 1 in starts
    ]


def _list_endings(measures: Sequence[Element]) -> Iterable[_RepeatEnding]:
    begun: int | None = None
    for number, measure in enumerate(measures):
        for mark in measure.iterfind("barline/ending"):
            if mark.get("type") == "start":
                begun = number
            elif begun is not None:
                yield _RepeatEnding(begun, number)
                begun = None
