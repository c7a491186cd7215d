"""Where the tunes of an ABC file begin, and what stands above the first."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from sluice.tunes.notation.remarks import Remark

_FIELD = re.compile(r"([A-Za-z]):(?!\s*[|:]|\s*\[[|\d])")
_FILE_FIELDS = "ABCDFGHILMmNOQRrSUZ"
"""Of a file's header (ABC 2.1, section 3, and Q:); K: and T: are a tune's own."""
_SECTION = re.compile(r"%%\s*(begin|end)(\w+)")
_NOTE = re.compile(r"[A-Ga-gzx]")
_WORD = re.compile(r"\b[a-z]*[h-wy][a-z]{2,}", re.IGNORECASE)


class TunePlaces(NamedTuple):
    """The places, from 0, of the lines of a file.

    Attributes:
        numbered: where tunes begin with X:.
        others: where tunes without X: begin.
        header: the lines of the file's header, whose fields are the defaults of its tunes.
        remarks: on what else is there.
    """

    numbered: tuple[int, ...]
    others: tuple[int, ...]
    header: tuple[int, ...]
    remarks: tuple[Remark, ...]


def find_tunes(lines: Sequence[str]) -> TunePlaces:
    """Where the tunes among `lines` begin.

    Above the first X: a paragraph of fields with M: or K: is a tune, if music stands in it or, for
    K:, in the next. Other fields there are the file's header. Below it a paragraph that begins with
    fields is a tune of its own if it has K:, T: or M:, and music.

    >>> find_tunes(["L:1/8", "", "X:1", "K:D", "abc|"])[:3]
    ((2,), (), (0,))
    >>> find_tunes(["M:6/8", "K:Cmaj", "c 3 |", "", "M:4/4", "K:Cdor", "c 2 |"])[:3]
    ((), (0, 4), ())
    """
    hidden = set(_find_sections(lines))
    numbered = [
        place for place, text in enumerate(lines) if text.startswith("X:") and place not in hidden
    ]
    above: list[int] = []
    header: list[int] = []
    remarks: list[Remark] = []
    key_above = None
    first = numbered[0] if numbered else len(lines)
    for paragraph in _split_paragraphs(lines, 0, first):
        places = [place for place in paragraph if place not in hidden]
        fields = {place: match[1] for place in places if (match := _FIELD.match(lines[place]))}
        rest = [place for place in places if place not in fields]
        music = rest[:1] and _is_music(lines[rest[0]])
        if music and not fields and key_above is not None:
            above.append(key_above)
            header = [place for place in header if place < key_above]
        elif music and min(fields, default=rest[0]) < rest[0] and {"M", "K"} & {*fields.values()}:
            above.append(places[0])
        elif not above and rest:
            remarks.append(Remark("text above the first tune, left out", rest[0] + 1))
        elif not above:
            header += [place for place, letter in fields.items() if letter in _FILE_FIELDS]
        key_above = places[0] if "K" in fields.values() and not rest else None
    others = (*above, *_find_later_tunes(lines, numbered, hidden))
    return TunePlaces(tuple(numbered), others, tuple(header), tuple(remarks))


def _find_later_tunes(
    lines: Sequence[str], numbered: Sequence[int], hidden: Collection[int]
) -> Iterator[int]:
    """Where tunes without X: begin below those with it, whose K: was seen."""
    for start, end in pairwise([*numbered, len(lines)]):
        has_key = False
        for paragraph in _split_paragraphs(lines, start, end):
            places = [place for place in paragraph if place not in hidden]
            matches = [_FIELD.match(lines[place]) for place in places]
            letters = {match[1] for match in matches if match}
            music = [place for place, match in zip(places, matches, strict=True) if not match]
            is_tune = has_key and "K" in letters and not letters.isdisjoint("TM")
            if is_tune and matches[0] and music and _is_music(lines[music[0]]):
                yield places[0]
            has_key = has_key or "K" in letters


def _split_paragraphs(lines: Sequence[str], start: int, stop: int) -> Iterator[list[int]]:
    """The places of the lines between empty ones; comments are no part of a paragraph."""
    paragraph: list[int] = []
    for place in range(start, stop):
        if not lines[place].strip():
            yield paragraph
            paragraph = []
        elif not lines[place].startswith("%"):
            paragraph.append(place)
    yield paragraph


def _is_music(text: str) -> bool:
    """Whether a line has notes, and a bar line or no word."""
    plain = re.sub(r'"[^"]*"|![^!]*!', "", text)
    return _NOTE.search(plain) is not None and ("|" in plain or _WORD.search(plain) is None)


def _find_sections(lines: Sequence[str]) -> Iterator[int]:
    """The places from `%%beginNAME` to `%%endNAME`, between which nothing is ABC."""
    start, name = None, ""
    for place, text in enumerate(lines):
        match = _SECTION.match(text)
        if match is None:
            continue
        if match[1] == "begin" and start is None:
            start, name = place, match[2]
        elif match[1] == "end" and start is not None and match[2] == name:
            yield from range(start, place + 1)
            start = None
