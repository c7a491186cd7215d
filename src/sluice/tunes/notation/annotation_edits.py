"""A tune whose music changed in places: what stands around the notes that stayed, stays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from fractions import Fraction
from itertools import accumulate
from typing import NamedTuple, TypeVar

from sluice.tunes.notation import score
from sluice.tunes.notation.annotations import (
    Annotation,
    Annotations,
    balance_slurs,
    split_items,
)
from sluice.tunes.notation.lyrics import HOLDS, group_words
from sluice.tunes.notation.score import Bar
from sluice.tunes.notation.transcription import GAP, Transcription

TuneType = TypeVar("TuneType", bound=Transcription)

_PLACE_MARKS = ("!segno!", "!coda!", "S", "O")
"""Decorations that mark a place in the tune and not a note."""


def replace_tokens(tune: TuneType, tokens: Sequence[str]) -> TuneType:
    """The tune with these tokens in place of its own; its fields stay.

    Annotations and syllables follow the notes that are the same as before. Where notes were
    replaced, chord symbols stay above a note that begins where the old one did, and what belongs
    to a bar line stays there; the rest goes, slurs that lost an end and words that lost a syllable
    included.
    """
    changed = replace(tune, tokens=tuple(tokens), annotations={}, lyrics=(), seed=None)
    if not tune.annotations and not tune.lyrics:
        return changed
    old = score.parse(["z" if token == GAP else token for token in tune.tokens]).bars
    new = changed.score.bars
    matches = list(_match_events(old, new))
    same = {match.old: match.new for match in matches if match.is_same}
    num_events = sum(len(bar.events) for bar in new)
    lyrics = []
    for verse in tune.lyrics:
        moved = [""] * num_events
        for word in group_words(verse):
            if all(place in same or verse[place] in HOLDS for place in word):
                for place in word:
                    if place in same:
                        moved[same[place]] = verse[place]
        lyrics.append(tuple(moved))
    annotations = _move_annotations(balance_slurs(tune.annotations, same), matches)
    return replace(changed, annotations=annotations, lyrics=tuple(lyrics))


class _EventMatch(NamedTuple):
    """An event, the one in its place, whether it is the same, and whether a bar ends there."""

    old: int
    new: int
    is_same: bool
    is_last: bool = False


def _move_annotations(
    annotations: Mapping[int, Annotation], matches: Sequence[_EventMatch]
) -> Annotations:
    found: dict[int, Annotation] = {}
    for old, new, is_same, is_last in matches:
        before, after = annotations.get(old, Annotation())
        if not is_same:
            before = "" if is_last else _keep_place_marks(before)
            after = _keep_bar_line_marks(after) if is_last else ""
        if before or after:
            known = found.get(new, Annotation())
            found[new] = Annotation(known.before + before, known.after + after)
    return Annotations(found)


def _keep_place_marks(text: str) -> str:
    return "".join(
        item.text for item in split_items(text) if item.kind == "chord" or item.text in _PLACE_MARKS
    )


def _keep_bar_line_marks(text: str) -> str:
    return "".join(item.text for item in split_items(text) if item.kind in ("words", "decoration"))


def _match_events(old: Sequence[Bar], new: Sequence[Bar]) -> Iterator[_EventMatch]:
    """Events that are the same, those that begin where a replaced one did, and ends of bars."""
    old_starts, new_starts = (
        list(accumulate((len(bar.events) for bar in bars), initial=0)) for bars in (old, new)
    )
    for before, after in _match_bars(old, new):
        first, other = old_starts[before], new_starts[after]
        for match in _match_in_bar(old[before], new[after]):
            yield match._replace(old=first + match.old, new=other + match.new)


def _match_bars(old: Sequence[Bar], new: Sequence[Bar]) -> Iterator[tuple[int, int]]:
    """Bars that take each other's place: all in turn, or by the longest runs that are equal."""
    known, music = ([_spell_bar(bar) for bar in bars] for bars in (old, new))
    if len(old) == len(new) or known[:-1] == music[: len(old) - 1]:
        yield from ((place, place) for place in range(min(len(old), len(new))))
        return
    matcher = SequenceMatcher(None, known, music, autojunk=False)
    for kind, start, stop, other, other_stop in matcher.get_opcodes():
        if kind == "equal" or (kind == "replace" and stop - start == other_stop - other):
            yield from zip(range(start, stop), range(other, other_stop), strict=True)


_Spelling = tuple[tuple[int, ...], Fraction]


def _spell_bar(bar: Bar) -> tuple[_Spelling, ...]:
    return tuple((event.pitches, event.duration) for event in bar.events)


def _match_in_bar(old: Bar, new: Bar) -> Iterator[_EventMatch]:
    """Events of a bar counted from 0: those alike at its start and its end, then the others."""
    before, after = _spell_bar(old), _spell_bar(new)
    shorter, head, tail = min(len(before), len(after)), 0, 0
    while head < shorter and before[head] == after[head]:
        head += 1
    while tail < shorter - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    for place in range(head):
        yield _EventMatch(place, place, True)
    for place in range(tail, 0, -1):
        yield _EventMatch(len(before) - place, len(after) - place, True)
    onsets = {onset: place for place, onset in enumerate(_list_onsets(after))}
    for place, onset in enumerate(_list_onsets(before)):
        if head <= place < len(before) - tail:
            at = onsets.get(onset, -1)
            if head <= at < len(after) - tail:
                yield _EventMatch(place, at, False)
    if not tail and head < len(before):
        yield _EventMatch(len(before) - 1, len(after) - 1, False, is_last=True)


def _list_onsets(events: Sequence[_Spelling]) -> list[Fraction]:
    return list(accumulate((length for _, length in events[:-1]), initial=Fraction(0)))
