"""What a tune sounds like, to tell two spellings of one from two settings; and its first bars."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate, islice

from sluice.studio.archive.contours import list_played_bars
from sluice.tunes.export.abc_writer import to_abc
from sluice.tunes.notation.annotations import Annotation, split_items
from sluice.tunes.notation.score import Bar, Event
from sluice.tunes.notation.transcription import Transcription

_MAX_EVENTS = 10_000
_BARS_IN_INCIPIT = 2
_EVENTS_IN_INCIPIT = 24
_SOUNDING = ("chord", "decoration", "grace")


def compute_played(tune: Transcription) -> str:
    """A hash of the notes as they sound, with ornaments and chords, repeats played.

    How the music is spelt makes no difference: unit length, bar lines, repeats, key signature.

    >>> from sluice.tunes.tune import Tune
    >>> short = Tune(tuple("M:4/4 K:Cmaj |: c 4 d 4 :|".split()))
    >>> long = Tune(tuple("M:2/2 K:Cmaj c 4 d 2 - d 2 | c 4 d 4 |".split()))
    >>> compute_played(short) == compute_played(long)
    True
    """
    hashed = hashlib.sha256()
    for sound, length in _join_sounds(islice(_list_sounds(tune), _MAX_EVENTS)):
        hashed.update(f"{sound} {length};".encode())
    return hashed.hexdigest()


Sound = tuple[tuple[int, ...], str]
"""The pitches, sorted, and what ornaments them."""


def _list_sounds(tune: Transcription) -> Iterator[tuple[Sound, Event]]:
    music = tune.score
    bars = music.bars
    starts = accumulate((len(bar.events) for bar in bars), initial=0)
    places = {id(bar): start for bar, start in zip(bars, starts, strict=False)}
    marks, semitones = tune.written_annotations, tune.interval[1]
    for bar in list_played_bars(tune, music):
        for place, event in enumerate(bar.events, places[id(bar)]):
            pitches = tuple(sorted({pitch + semitones for pitch in event.pitches}))
            yield (pitches, _select_sounding(marks.get(place))), event


def _select_sounding(annotation: Annotation | None) -> str:
    if annotation is None:
        return ""
    items = split_items(annotation.before)
    return "".join(item.text for item in items if item.kind in _SOUNDING)


def _join_sounds(sounds: Iterator[tuple[Sound, Event]]) -> Iterator[tuple[Sound, Fraction]]:
    """Each sound with its length: what is tied, and rests in a row, are one."""
    before: Sound | None = None
    length, is_held = Fraction(0), False
    for sound, event in sounds:
        if before is not None and sound[0] == before[0] and (is_held or not sound[0]):
            length += event.duration
        else:
            if before is not None:
                yield before, length
            before, length = sound, event.duration
        is_held = event.is_tied
    if before is not None:
        yield before, length


def write_incipit(tune: Transcription) -> str:
    """The first two full bars in ABC, with the fields that they need and no title.

    >>> from sluice.tunes.tune import Tune
    >>> write_incipit(Tune(tuple("M:6/8 K:Cmaj |: c | c 3 e 3 | g 6 | c 6 :|".split())))
    'X:1\\nM:6/8\\nL:1/8\\nK:Cmaj\\n|:c|c3 e3|g6|'
    """
    bars = tune.score.bars
    is_upbeat = len(bars) > 1 and bars[0].duration < bars[0].length
    shown: list[Bar] = []
    count = 0
    for bar in bars[: _BARS_IN_INCIPIT + is_upbeat]:
        count += len(bar.events)
        if shown and count > _EVENTS_IN_INCIPIT:
            break
        shown.append(bar)
    if len(shown[-1].events) > _EVENTS_IN_INCIPIT:
        return ""
    stop = shown[-1].stop
    cut = replace(
        tune, tokens=(*tune.tokens[:stop], "|"), annotations={}, lyrics=(), parts=(),
        part_order="", chords=False, fields=(), title="", tempo=None, rhythm="",
    )  # fmt: skip
    lines = to_abc(cut).splitlines()
    music = [line for line in lines if not line.startswith("T:")]
    return "\n".join(music)
