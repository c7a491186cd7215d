"""Words under the notes: the lines `w:` of ABC, aligned as ABC 2.1 says (section 5), and `s:`.

A verse is a tuple with the syllable of each event of the score, in ABC's spelling: `la`, `syl-`
before another syllable of its word, `_` where the one before is held, `of~the`, and nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from sluice.tunes.notation.header_fields import join_lines

_SYLLABLE = re.compile(r"\s+|\\(?!\S)|(?P<item>[*_|]|-|(?:\\\S|[^\s*_|\-\\])+-?)")
_SYMBOL = re.compile(r'\s+|(?P<item>[*|]|!(?P<name>[^!\s|:\[\]]+)!|\+(?P<old>[^+\s]+)\+|"[^"]*")')
_OPEN_WORD = re.compile(r"(?<!\\)-$")
_SPACE = re.compile(r"\s+")

HOLDS = ("_", "-")
"""What stands under a note that holds the syllable before it."""


class SungNote(NamedTuple):
    """An event that takes a syllable, and the number of its bar."""

    event: int
    bar: int


class AlignedLine(NamedTuple):
    """A line below music, with the number of symbols read before it and its line in the file."""

    letter: str
    text: str
    symbols_before: int
    line: int


def align_syllables(text: str, notes: Sequence[SungNote]) -> tuple[dict[int, str], int]:
    """The syllables of a `w:` line by event, and how many have no note.

    >>> notes = [SungNote(event, bar) for event, bar in ((0, 0), (1, 0), (3, 1), (4, 1))]
    >>> align_syllables("syl-la | of~the * day", notes)
    ({0: 'syl-', 1: 'la', 3: 'of~the'}, 1)
    """
    return _align((match["item"] for match in _SYLLABLE.finditer(text) if match["item"]), notes)


def align_symbols(text: str, notes: Sequence[SungNote]) -> tuple[dict[int, str], int] | None:
    """The decorations and chord symbols of an `s:` line by event, or None if it has others.

    >>> align_symbols('!trill! * "^slow"', [SungNote(event, 0) for event in range(3)])
    ({0: '!trill!', 2: '"^slow"'}, 0)
    """
    items, place = [], 0
    while place < len(text):
        match = _SYMBOL.match(text, place)
        if match is None:
            return None
        name = match["name"] or match["old"]
        items += [f"!{name}!" if name else match["item"]] if match["item"] else []
        place = match.end()
    return _align(iter(items), notes)


def _align(items: Iterator[str], notes: Sequence[SungNote]) -> tuple[dict[int, str], int]:
    found: dict[int, str] = {}
    at, surplus, bar = 0, 0, notes[0].bar if notes else 0
    for item in items:
        if item == "|":
            bar = max(bar, notes[at - 1].bar if at else bar) + 1
            while at < len(notes) and notes[at].bar < bar:
                at += 1
        elif at == len(notes):
            surplus += item != "*"
        else:
            if item != "*":
                found[notes[at].event] = item
            at += 1
    return found, surplus


class LyricLine(NamedTuple):
    """A verse's syllables by event between two lines of words."""

    verse: int
    syllables: dict[int, str]


def collect_verses(lines: Sequence[LyricLine], num_events: int) -> tuple[tuple[str, ...], ...]:
    """Verses from their lines."""
    verses = [[""] * num_events for _ in range(max((line.verse + 1 for line in lines), default=0))]
    for line in lines:
        for event, syllable in line.syllables.items():
            verses[line.verse][event] = syllable
    while verses and not any(verses[-1]):
        verses.pop()
    return tuple(map(tuple, verses))


def group_words(verse: Sequence[str]) -> list[list[int]]:
    """The events of each word of a verse, those that hold its syllables included.

    >>> group_words(["a-", "", "bi-", "de", "_", "with"])
    [[0, 2, 3, 4], [5]]
    """
    words: list[list[int]] = []
    is_open = False
    for event, syllable in enumerate(verse):
        if not syllable:
            continue
        is_hold = syllable in HOLDS
        if words and (is_open or is_hold):
            words[-1].append(event)
        else:
            words.append([event])
        if not is_hold:
            is_open = bool(_OPEN_WORD.search(syllable))
    return words


def write_verses(
    verses: Sequence[Sequence[str]], lines: Sequence[Sequence[int]]
) -> list[list[str]]:
    """For each line of music, given the events on it that are sung, the `w:` lines below it.

    A line of music above the last one with words gets a `w:` line even if it has none itself:
    else the next one would begin there.

    >>> write_verses([["", "", "la", "", "lu-"]], [[0, 1], [2, 4]])
    [['w: *'], ['w: la lu-']]
    """
    return [
        [
            _write_line([_get_syllable(verse, event) for event in events])
            for number, verse in enumerate(verses)
            if _goes_on(verses, number, lines, place)
        ]
        for place, events in enumerate(lines)
    ]


def _get_syllable(verse: Sequence[str], event: int) -> str:
    return verse[event] if event < len(verse) else ""


def _goes_on(
    verses: Sequence[Sequence[str]], number: int, lines: Sequence[Sequence[int]], place: int
) -> bool:
    """Whether a line of music needs a line of words for a verse."""
    here = any(_get_syllable(verse, event) for verse in verses[number:] for event in lines[place])
    after = [event for events in lines[place + 1 :] for event in events]
    return here or (
        number == 0 and any(_get_syllable(verse, event) for verse in verses for event in after)
    )


def _write_line(syllables: Sequence[str]) -> str:
    # A syllable is one item: what would end it, or the line, cannot stand in it.
    items = [_SPACE.sub("~", join_lines(syllable)) or "*" for syllable in syllables]
    while len(items) > 1 and items[-1] == "*":
        items.pop()
    text = items[0] if items else "*"
    for before, item in pairwise(items):
        is_joined = item == "_" or (_OPEN_WORD.search(before) and item != "*")
        text += item if is_joined else f" {item}"
    return f"w: {text}"
