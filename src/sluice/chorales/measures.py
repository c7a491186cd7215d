"""Measures of four-part writing: parallels, ranges, crossings, cadences, and copied runs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from sluice.chorales.key import find_key
from sluice.chorales.parts import VOICES, Parts
from sluice.chorales.roll import Roll
from sluice.sequence.models.biaxial import SILENT

_FIFTH, _OCTAVE = 7, 0
_SILENT_VOICE = -1


@dataclass(frozen=True)
class PartWriting:
    """What is counted in a piece, or the means over several.

    Attributes:
        fifths, octaves: parallel ones in a hundred chords.
        out_of_range: the share of notes outside their voice's range.
        crossings: the share of chords in which a lower voice is above a higher one.
        four_voices: the share of steps in which all four voices sound, two on one note included.
        cadences: the share of fermatas whose chord is a major or minor triad in root position;
            NaN without fermatas.
        final_tonic: whether the last chord's bass is the tonic, 1 or 0.
        longest_copy: chords in a row that a training piece has too, in some key.
    """

    fifths: float
    octaves: float
    out_of_range: float
    crossings: float
    four_voices: float
    cadences: float
    final_tonic: float
    longest_copy: float

    def to_dict(self) -> dict[str, float]:
        """The values by name."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


def measure(parts: Parts, index: ChordIndex | None = None) -> PartWriting:
    """The measures of a piece; `longest_copy` is 0 without an index of the training pieces."""
    chords = list_chords(parts)
    steps = parts.pitches
    sings = steps != _SILENT_VOICE
    low = np.array([voice.low for voice in VOICES])
    high = np.array([voice.high for voice in VOICES])
    beyond = parts.strikes & ((steps < low) | (steps > high))
    crossed = [_is_crossed(chord) for chord in chords]
    found = {distance: count_parallels(chords, distance) for distance in (_FIFTH, _OCTAVE)}
    total = max(len(chords), 1)
    return PartWriting(
        100 * found[_FIFTH] / total,
        100 * found[_OCTAVE] / total,
        float(beyond.sum()) / max(int(parts.strikes.sum()), 1),
        sum(crossed) / total,
        float(sings.all(axis=1).mean()) if len(steps) else 0.0,
        _measure_cadences(parts),
        float(_ends_on_tonic(parts.roll)),
        float(index.find_longest_copy(parts) if index is not None else 0),
    )


def average(found: Sequence[PartWriting]) -> Mapping[str, float]:
    """The mean of each measure over pieces; of the longest copy, the longest of all."""
    table = {name: [one.to_dict()[name] for one in found] for name in found[0].to_dict()}
    means = {name: float(np.nanmean(values)) for name, values in table.items()}
    return {**means, "longest_copy": max(table["longest_copy"])}


def list_chords(parts: Parts) -> NDArray[np.int64]:
    """(chords, 4): the pitches of all voices, anew wherever one begins or ends a note."""
    steps, strikes = parts.pitches, parts.strikes
    if not len(steps):
        return steps
    changed = (steps[1:] != steps[:-1]).any(axis=1) | strikes[1:].any(axis=1)
    return steps[np.concatenate(([0], np.flatnonzero(changed) + 1))]


def count_parallels(chords: NDArray[np.int64], distance: int) -> int:
    """How often two voices move from one perfect interval to the same one, neither staying.

    `distance` is 7 for fifths, 0 for octaves and unisons, in semitones modulo 12; both voices move
    in the same direction.
    """
    count = 0
    for upper in range(len(VOICES)):
        for lower in range(upper + 1, len(VOICES)):
            above, below = chords[:, upper], chords[:, lower]
            sings = (above != _SILENT_VOICE) & (below != _SILENT_VOICE)
            at = sings & ((above - below) % 12 == distance)
            moves = np.sign(np.diff(above)) * np.sign(np.diff(below)) > 0
            count += int((at[1:] & at[:-1] & moves).sum())
    return count


class ChordIndex:
    """Which chords follow each other in training pieces, in any key.

    Args:
        pieces: the training pieces.
    """

    def __init__(self, pieces: Sequence[Roll]) -> None:
        self._places: dict[tuple[int, ...], list[tuple[int, int]]] = {}
        self._lines = [_list_shapes(roll) for roll in pieces]
        for number, line in enumerate(self._lines):
            for place, shape in enumerate(line):
                self._places.setdefault(shape, []).append((number, place))

    def find_longest_copy(self, parts: Parts | Roll) -> int:
        """Chords in a row that stand in a training piece too, with the same motion of the bass."""
        line = _list_shapes(parts.roll if isinstance(parts, Parts) else parts)
        longest = 0
        runs: dict[tuple[int, int], int] = {}
        for shape in line:
            runs = {
                (number, place): runs.get((number, place - 1), 0) + 1
                for number, place in self._places.get(shape, ())
            }
            longest = max([longest, *runs.values()])
        return longest


def _list_shapes(roll: Roll) -> list[tuple[int, ...]]:
    """Each new chord as the motion of its bass and the intervals above it."""
    sounding = roll.states > SILENT
    shapes: list[tuple[int, ...]] = []
    bass: int | None = None
    before: tuple[int, ...] = ()
    for row in sounding:
        pitches = tuple(np.flatnonzero(row).tolist())
        if pitches == before:
            continue
        before = pitches
        if pitches:
            motion = 0 if bass is None else pitches[0] - bass
            shapes.append((motion, *(pitch - pitches[0] for pitch in pitches[1:])))
            bass = pitches[0]
    return shapes


def _is_crossed(chord: NDArray[np.int64]) -> bool:
    pitches = [int(pitch) for pitch in chord if pitch != _SILENT_VOICE]
    return any(upper < lower for upper, lower in itertools.pairwise(pitches))


def _measure_cadences(parts: Parts) -> float:
    """Of the chords in which fermatas end, the share of triads in root position."""
    fermatas = parts.roll.fermatas
    ends = np.flatnonzero(fermatas & ~np.append(fermatas[1:], False))
    if not len(ends):
        return float("nan")
    return sum(_is_root_position(parts.roll.states[step]) for step in ends) / len(ends)


def _is_root_position(row: NDArray[np.uint8]) -> bool:
    pitches = np.flatnonzero(row > SILENT)
    if not len(pitches):
        return False
    above = {int(pitch - pitches[0]) % 12 for pitch in pitches}
    return above in ({0, 4, 7}, {0, 3, 7}, {0, 4}, {0, 3})


def _ends_on_tonic(roll: Roll) -> bool:
    steps = np.flatnonzero((roll.states > SILENT).any(axis=1))
    if not len(steps):
        return False
    bass = int(np.flatnonzero(roll.states[steps[-1]] > SILENT)[0])
    return bass % 12 == find_key(roll).tonic
