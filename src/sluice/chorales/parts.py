"""Voice separation: which of soprano, alto, tenor and bass sings which note."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sluice.chorales.errors import ChoraleError
from sluice.chorales.roll import Roll, RollNote
from sluice.sequence.models.biaxial import SILENT, STRUCK


class Voice(NamedTuple):
    """A voice: its name, the notes it sings without strain (MIDI numbers), and its clef."""

    name: str
    low: int
    high: int
    clef: str


VOICES = (
    Voice("Soprano", 60, 81, "treble"),
    Voice("Alto", 53, 76, "treble"),
    Voice("Tenor", 48, 69, "tenor"),
    Voice("Bass", 36, 64, "bass"),
)
"""From the highest; the ranges are those of Bach's chorales."""
_LEAP, _STRAIN, _CROSSING, _UNISON, _REST, _BROKEN = 1.0, 2.0, 4.0, 3.0, 12.0, 60.0
"""Costs: of a semitone's motion, of a semitone out of range or across, of two voices on one note,
of a silent voice, of a held note that another voice takes over or joins."""
_SILENT_VOICE = -1


@dataclass(frozen=True)
class Parts:
    """The voices of a piece.

    Attributes:
        pitches: (steps, 4), int64: what each voice sings, from the soprano; -1 where it is silent.
        strikes: (steps, 4), bool: where it begins a note.
        roll: the piece.
    """

    pitches: NDArray[np.int64]
    strikes: NDArray[np.bool_]
    roll: Roll

    def list_notes(self, voice: int) -> list[RollNote]:
        """The notes of a voice in order; voices count from 0, the soprano."""
        from fractions import Fraction

        grid = self.roll.grid
        notes: list[RollNote] = []
        start = 0
        column, strikes = self.pitches[:, voice], self.strikes[:, voice]
        for step in range(1, len(column) + 1):
            if step == len(column) or strikes[step] or column[step] != column[step - 1]:
                if column[step - 1] != _SILENT_VOICE:
                    begin, end = Fraction(start, grid), Fraction(step, grid)
                    notes.append(RollNote(begin, end, int(column[step - 1]), voice))
                start = step
        return notes


def separate_voices(roll: Roll, *, melody_on_top: bool = False) -> Parts:
    """Give every note to one of four voices, at the least cost for the whole piece (Viterbi).

    Cost has motion by semitones, notes out of a voice's range, voices that cross, two on one note,
    and silent ones; a voice keeps a note that is held. Where fewer than four notes sound, two
    voices may sing one.

    Args:
        roll: the piece.
        melody_on_top: the soprano sings the highest note everywhere, as under a given melody.

    Raises:
        ChoraleError: more than four notes at once; at which step.
    """
    changes = _list_changes(roll)
    if not changes:
        raise ChoraleError(f"{roll.name or 'The piece'} holds no notes.")
    table = [_list_assignments(_read_chord(roll, step)[0], melody_on_top) for step in changes]
    costs = _cost_alone(table[0])
    origins: list[NDArray[np.int64]] = []
    for place in range(1, len(changes)):
        pitches, struck = _read_chord(roll, changes[place])
        held = [p for p, new in zip(pitches, struck, strict=True) if not new]
        moves = _cost_motion(table[place - 1], table[place], held) + costs[:, None]
        origins.append(moves.argmin(axis=0))
        costs = moves.min(axis=0) + _cost_alone(table[place])
    chosen = [int(costs.argmin())]
    for origin in reversed(origins):
        chosen.append(int(origin[chosen[-1]]))
    chosen.reverse()
    whole = np.full((len(roll), len(VOICES)), _SILENT_VOICE, np.int64)
    strikes = np.zeros((len(roll), len(VOICES)), np.bool_)
    for step, end, assignments, place in zip(
        changes, [*changes[1:], len(roll)], table, chosen, strict=True
    ):
        whole[step:end] = assignments[place]
        for voice, pitch in enumerate(assignments[place]):
            if pitch != _SILENT_VOICE:
                fresh = roll.states[step, pitch] == STRUCK
                strikes[step, voice] = fresh or step == 0 or whole[step - 1, voice] != pitch
    return Parts(whole, strikes, roll)


def _list_changes(roll: Roll) -> list[int]:
    """The steps at which a note begins or ends."""
    sounding = roll.states > SILENT
    differs = (sounding[1:] != sounding[:-1]).any(axis=1) | (roll.states[1:] == STRUCK).any(axis=1)
    first = [0] if len(roll) else []
    return [*first, *(np.flatnonzero(differs) + 1).tolist()]


def _read_chord(roll: Roll, step: int) -> tuple[list[int], list[bool]]:
    pitches = np.flatnonzero(roll.states[step] > SILENT).tolist()
    if len(pitches) > len(VOICES):
        raise ChoraleError(
            f"{roll.name or 'The piece'} has {len(pitches)} notes at once at quarter note "
            f"{step / roll.grid:g}; four voices sing four at most."
        )
    return pitches, [bool(roll.states[step, pitch] == STRUCK) for pitch in pitches]


def _list_assignments(pitches: list[int], melody_on_top: bool) -> NDArray[np.int64]:
    """Every way in which the voices sing all of a chord's notes, (ways, 4)."""
    options = [_SILENT_VOICE, *pitches] if len(pitches) < len(VOICES) else pitches
    ways = [way for way in product(options, repeat=len(VOICES)) if set(pitches) <= set(way)]
    if melody_on_top and pitches:
        ways = [way for way in ways if way[0] == pitches[-1]]
    return np.array(ways, np.int64).reshape(-1, len(VOICES))


def _cost_alone(ways: NDArray[np.int64]) -> NDArray[np.float64]:
    sings = ways != _SILENT_VOICE
    low = np.array([voice.low for voice in VOICES])
    high = np.array([voice.high for voice in VOICES])
    strain = np.where(sings, np.maximum(low - ways, 0) + np.maximum(ways - high, 0), 0)
    cost = _STRAIN * strain.sum(axis=1) + _REST * (~sings).sum(axis=1)
    for upper in range(len(VOICES)):
        for lower in range(upper + 1, len(VOICES)):
            both = sings[:, upper] & sings[:, lower]
            across = np.maximum(ways[:, lower] - ways[:, upper], 0)
            cost = cost + np.where(both, _CROSSING * across, 0)
            cost = cost + _UNISON * (both & (ways[:, upper] == ways[:, lower]))
    return np.asarray(cost, np.float64)


def _cost_motion(
    before: NDArray[np.int64], after: NDArray[np.int64], held: list[int]
) -> NDArray[np.float64]:
    """(ways before, ways after)."""
    old, new = before[:, None], after[None]
    both = (old != _SILENT_VOICE) & (new != _SILENT_VOICE)
    cost: NDArray[Any] = _LEAP * np.where(both, np.abs(new - old), 0).sum(axis=-1)
    for pitch in held:  # one of the voices that sang it goes on
        kept = ((old == pitch) & (new == pitch)).any(axis=-1)
        taken = ((old != pitch) & (new == pitch)).any(axis=-1)
        cost = cost + _BROKEN * ~kept + _BROKEN * taken
    return np.asarray(cost, np.float64)
