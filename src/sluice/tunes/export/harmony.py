"""Simple chords to a tune: of all progressions the one that fits best, by dynamic programming.

A chord may change with the bar and, in meters of two beats, with the half bar. Each mode has the
few triads that accompanists of this music use; a chord fits by the notes above it, weighted by
their length and beat (the pitch-class templates of Pardo & Birmingham 2002, "Algorithms for
chordal analysis"), and a sequence of chords by which follows which (Viterbi 1967).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import NamedTuple

from sluice.tunes.notation.annotations import Annotation, has_chords, split_items
from sluice.tunes.notation.chord_symbols import NO_CHORD, ChordSymbol, parse_first
from sluice.tunes.notation.score import Bar, Score
from sluice.tunes.notation.transcription import Transcription
from sluice.tunes.theory.dances import beat_length

# From the commonest to the rarest.
_CHORDS = {
    "maj": "C G F Am Dm Em",
    "mix": "C Bb F Gm Dm Am",
    "lyd": "C D G Am Em Bm",
    "dor": "Cm Bb F Eb Gm Dm",
    "min": "Cm Bb Eb Ab Fm Gm",
    "phr": "Cm Db Bb Eb Fm Ab",
    "loc": "Eb Dbm Fm Gb Ab Bbm",
}
_RARITY_COSTS = (0.0, 0.05, 0.05, 0.2, 0.25, 0.35)
_CHORD_TONE_WEIGHTS = (1.0, 0.8, 0.9)
_FOREIGN_TONE_WEIGHT = -0.6
_CHANGE_COST_INBbAR, _CHANGE_COST = 0.3, 0.05
_TONIC_BONUS = 0.15


class _ChordSlot(NamedTuple):
    """Where a chord may begin: bar, place in it (eighths), and the weight of each pitch class."""

    bar: int
    offset: Fraction
    weights: Mapping[int, float]


Chords = dict[int, list[tuple[Fraction, ChordSymbol | None]]]
"""By bar the places in it (in eighths) and the chords from there on; None is silence."""


def find_chords(score: Score, tune: Transcription) -> Chords:
    """The chords of a tune on a root of C: those written above it, or else `harmonise`."""
    if has_chords(tune.annotations):
        return read_chords(score, tune.annotations)
    return {place: list(here) for place, here in harmonise(score).items()}


def read_chords(score: Score, annotations: Mapping[int, Annotation]) -> Chords:
    """The chords that symbols above the notes name, each until the next one.

    A second ending goes on from where the first one did.
    """
    found: Chords = {}
    chord: ChordSymbol | None = None
    at_ending: ChordSymbol | None = None
    first = 0
    for place, bar in enumerate(score.bars):
        before = score.bars[place - 1].ending if place else ()
        if bar.ending and bar.ending != before:
            at_ending = at_ending if before else chord
            chord = at_ending
        here: dict[Fraction, ChordSymbol | None] = {Fraction(0): chord}
        now = Fraction(0)
        for number, event in enumerate(bar.events, first):
            written = _read_symbol(annotations.get(number, Annotation()).before)
            if written:
                chord = here[now] = None if NO_CHORD.fullmatch(written) else parse_first(written)
            now += event.duration
        found[place] = list(here.items())
        first += len(bar.events)
    return found


def _read_symbol(text: str) -> str:
    """The first chord symbol in an annotation, or a sign that there is no chord, or nothing."""
    words = [item.text[1:-1] for item in split_items(text) if item.kind in ("chord", "words")]
    return next((w for w in words if NO_CHORD.fullmatch(w) or parse_first(w)), "")


def harmonise(score: Score) -> dict[int, list[tuple[Fraction, ChordSymbol]]]:
    """For each bar that gets chords its places (in eighths) and chords, the first at 0.

    An upbeat gets none.
    """
    chords = list_common_chords(score.mode)
    slots = list(_find_slots(score))
    found: dict[int, list[tuple[Fraction, ChordSymbol]]] = {}
    for slot, chord in zip(slots, _find_best_path(slots, chords), strict=True):
        here = found.setdefault(slot.bar, [])
        if not here or here[-1][1] != chord:
            here.append((slot.offset, chord))
    return found


def list_common_chords(mode: str) -> list[ChordSymbol]:
    """The chords of a mode on C, from the commonest to the rarest."""
    found = [ChordSymbol.parse(text) for text in _CHORDS[mode].split()]
    return [chord for chord in found if chord is not None]


def _find_slots(score: Score) -> Iterator[_ChordSlot]:
    meter = score.meter
    for place, bar in enumerate(score.bars):
        if 2 * bar.duration <= bar.length:
            continue
        half = bar.length / 2
        starts = [Fraction(0), *accumulate(event.duration for event in bar.events)]
        cuts = (
            [Fraction(0), half]
            if half % beat_length(meter) == 0 and half in starts
            else [Fraction(0)]
        )
        for begin, end in zip(cuts, [*cuts[1:], bar.duration], strict=True):
            if begin < end:
                yield _ChordSlot(
                    place, begin, _weigh_pitch_classes(bar, begin, end, beat_length(meter))
                )


def _weigh_pitch_classes(
    bar: Bar, begin: Fraction, end: Fraction, step: Fraction
) -> dict[int, float]:
    """How much of a stretch each pitch class holds; together one, or none of it in rests."""
    now, found = Fraction(0), dict[int, float]()
    for event in bar.events:
        if begin <= now < end:
            accent = 2.0 if now == begin else 1.5 if now % step == 0 else 1.0
            for pitch in event.pitches:
                found[pitch % 12] = found.get(pitch % 12, 0.0) + accent * float(event.duration)
        now += event.duration
    total = sum(found.values())
    return {pitch: weight / total for pitch, weight in found.items()}


def _find_best_path(
    slots: Sequence[_ChordSlot], chords: Sequence[ChordSymbol]
) -> list[ChordSymbol]:
    if not slots:
        return []
    scores = [_score_chords(slots[0], chords)]
    scores[0][0] += _TONIC_BONUS
    ways: list[list[int]] = []
    for before, slot in pairwise(slots):
        inside = before.bar == slot.bar
        steps = [
            [scores[-1][a] + _score_transition(a, b, inside) for a in range(len(chords))]
            for b in range(len(chords))
        ]
        ways.append([max(range(len(chords)), key=row.__getitem__) for row in steps])
        fits = _score_chords(slot, chords)
        scores.append([fits[b] + row[ways[-1][b]] for b, row in enumerate(steps)])
    scores[-1][0] += 2 * _TONIC_BONUS
    path = [max(range(len(chords)), key=scores[-1].__getitem__)]
    for way in reversed(ways):
        path.append(way[path[-1]])
    return [chords[place] for place in reversed(path)]


def _score_chords(slot: _ChordSlot, chords: Sequence[ChordSymbol]) -> list[float]:
    found = []
    for chord, rare in zip(chords, _RARITY_COSTS, strict=True):
        value = dict(zip(chord.pitch_classes, _CHORD_TONE_WEIGHTS, strict=True))
        fit = sum(
            weight * value.get(pitch, _FOREIGN_TONE_WEIGHT)
            for pitch, weight in slot.weights.items()
        )
        found.append(fit - rare)
    return found


def _score_transition(before: int, after: int, inside: bool) -> float:
    """What going from one chord (by rank) to another adds: changes cost, home draws."""
    if before == after:
        return 0.0
    return (_TONIC_BONUS if (before, after) == (1, 0) else 0.0) - (
        _CHANGE_COST_INBbAR if inside else _CHANGE_COST
    )


def name_chords(score: Score, tune: Transcription) -> dict[int, str]:
    """Chord names in a tune's key by the event that they stand above, where the chord changes.

    None where it is to have no chords, or has its own among its annotations. At the start of a
    part and of an ending it stands in any case.
    """
    if not tune.chords or has_chords(tune.annotations):
        return {}
    found, first, last = harmonise(score), 0, ""
    names: dict[int, str] = {}
    for place, bar in enumerate(score.bars):
        starts = [Fraction(0), *accumulate(event.duration for event in bar.events)]
        if bar.opens or (bar.ending and bar.ending != score.bars[place - 1].ending):
            last = ""
        for offset, chord in found.get(place, []):
            name = chord.transpose(*tune.interval).name
            if name != last:
                names[first + starts.index(offset)] = last = name
        first += len(bar.events)
    return names
