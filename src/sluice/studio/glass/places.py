"""Where in the music each token of a model stands: its bar, its note, and what is heard there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from sluice.studio.glass.units import BARS, PITCH, REPEATS, Numbers
from sluice.tunes.notation import score
from sluice.tunes.notation.model_tokens import RHYTHM, split_count
from sluice.tunes.notation.score import Score
from sluice.tunes.theory.keys import is_pitch

NOWHERE = -1


@dataclass(frozen=True)
class TokenPlaces:
    """Of each token of a tune, as a model reads it, where it stands.

    Attributes:
        bars: the number of its bar, from 0; a bar line belongs to the bar that it ends. `NOWHERE`
            in front of the first.
        notes: the number of the note, chord or rest that it belongs to, from 0; `NOWHERE` for
            tokens that sound nothing.
        lines: whether it is a bar line.
        features: for each aspect of the music, features (time, features) of what stands there:
            how far into the bar, the pitch, and how bars recur.
    """

    bars: list[int]
    notes: list[int]
    lines: list[bool]
    features: dict[str, Numbers]


def find_places(tokens: Sequence[str]) -> TokenPlaces:
    """The places of tokens as a model reads them (`sluice.tunes.notation.model_tokens`).

    Raises:
        InvalidTokensError: they spell no valid tune.
    """
    head = 3 if tokens and RHYTHM.fullmatch(tokens[0]) else 2
    names = [split_count(token)[0] for token in tokens]
    own = list(range(head - 2, len(names)))
    if len(names) > head and names[head] == "|":  # it begins a tune for a model only
        del own[2]
    music = score.parse([names[place] for place in own])
    bars, notes = [NOWHERE] * len(names), [NOWHERE] * len(names)
    for number, bar in enumerate(music.bars):
        for place in own[bar.start : bar.stop]:
            bars[place] = number
    for place, note in zip(own, _number_notes([names[place] for place in own]), strict=True):
        notes[place] = note
    lines = [bool(score.BAR_LINE.fullmatch(name)) for name in names]
    for place in range(1, len(bars)):
        if lines[place]:
            bars[place] = bars[place - 1]
    features = _build_features(music, bars, notes, lines)
    return TokenPlaces(bars, notes, lines, features)


def _number_notes(names: Sequence[str]) -> Iterator[int]:
    """Of each token of a tune the number of the note, chord or rest that it belongs to."""
    number, in_chord, in_note = NOWHERE, False, False
    for name in names:
        if name in ("z", "[") or (is_pitch(name) and not in_chord):
            number, in_note = number + 1, True
        elif not in_chord and name != "-" and not score.DURATION.fullmatch(name):
            in_note = False
        in_chord = name == "[" or (in_chord and name != "]")
        yield number if in_note else NOWHERE


def _build_features(
    music: Score, bars: Sequence[int], notes: Sequence[int], lines: Sequence[bool]
) -> dict[str, Numbers]:
    pitches = [float(np.mean(e.pitches)) if e.pitches else np.nan for e in music.events]
    elapsed = _find_elapsed(music)
    recurring_bars = _describe_bars(music)
    in_bar, sounding, recurring = [], [], []
    position, pitch = 0.0, float(np.nanmean(pitches))
    for bar, note, line in zip(bars, notes, lines, strict=True):
        if note != NOWHERE:
            position = elapsed[note]
            pitch = pitch if np.isnan(pitches[note]) else float(pitches[note])
        position = 0.0 if line else position
        in_bar.append([position, np.cos(2 * np.pi * position), float(line), float(not position)])
        sounding.append([pitch])
        recurring.append(recurring_bars[max(bar, 0)])
    return {BARS: np.array(in_bar), PITCH: np.array(sounding), REPEATS: np.array(recurring)}


def _describe_bars(music: Score) -> list[list[float]]:
    """Of each bar whether it is like one before, the number of its section, its place in that."""
    seen: dict[object, int] = {}
    section, place, closed = 0, -1, False
    found = []
    for number, bar in enumerate(music.bars):
        begins = number > 0 and (bar.opens or closed)
        section, place = (section + 1, 0) if begins else (section, place + 1)
        closed = bar.closes or bar.is_double
        recurs = seen.setdefault(bar.events, number) != number
        found.append([float(recurs), float(section), float(place)])
    return found


def _find_elapsed(music: Score) -> list[float]:
    """How far into its bar each note begins, as a fraction of the bar."""
    found = []
    for bar in music.bars:
        before = Fraction(0)
        for event in bar.events:
            found.append(float(before / max(bar.length, bar.duration)))
            before += event.duration
    return found
