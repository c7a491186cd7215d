"""`Roll`: a piece as what every note does in every time step, and where in the bar a step is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sluice.chorales.errors import ChoraleError
from sluice.sequence.models.biaxial import HELD, SILENT, STRUCK

PITCHES = 128
"""The numbers of MIDI, the columns of a roll; middle C is 60."""
States = NDArray[np.uint8]
_BEATS = 4
_AHEAD = 4
"""Quarter notes from which the clock sees a fermata, or the end of the piece."""
FINEST_BEAT = 128
"""The largest lower number of a time signature."""
CLOCK_WIDTH = 11 + _AHEAD
"""The columns of `Roll.clock`."""


class RollNote(NamedTuple):
    """A note as it is played: start and end in quarter notes, MIDI number, and its part."""

    start: Fraction
    end: Fraction
    pitch: int
    part: int = 0


class RollBar(NamedTuple):
    """A bar or a part of one: its start, its length, and how far into the bar it starts.

    All in quarter notes; `meter` is the whole bar's length, which a pickup does not fill.
    `beat_type` is the lower number of the time signature: 6/8 and 3/4 are equally long.
    """

    start: Fraction
    length: Fraction
    offset: Fraction
    meter: Fraction
    beat_type: int = 4


@dataclass(frozen=True, eq=False)
class Roll:
    """A piece on a grid of time steps.

    Attributes:
        states: (steps, 128), uint8: 0 where a note is silent, 1 where it sounds on, 2 where it is
            struck. Column p is MIDI number p.
        grid: steps in a quarter note.
        places: (steps,), int64: steps since the bar line.
        meters: (steps,), int64: steps in the bar.
        fermatas: (steps,), bool: where a fermata stands, at which a phrase ends.
        name: what it is called.
        strikes: whether it is known which notes are struck; else none is marked so.
        is_metered: whether it is known where the bars are.
        tempo: quarter notes a minute, if the file says so.
        beat_types: (steps,), int64: the lower number of the time signature; None is 4 throughout.
    """

    states: States
    grid: int
    places: NDArray[np.int64]
    meters: NDArray[np.int64]
    fermatas: NDArray[np.bool_]
    name: str = ""
    strikes: bool = True
    is_metered: bool = True
    tempo: float | None = None
    beat_types: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.states)

    @property
    def span(self) -> tuple[int, int]:
        """The lowest and the highest note that sounds; (0, -1) if none does."""
        sounding = np.flatnonzero((self.states > SILENT).any(axis=0))
        return (int(sounding[0]), int(sounding[-1])) if len(sounding) else (0, -1)

    def read_meter(self, step: int) -> tuple[int, int]:
        """The time signature at a step, such as (6, 8); a bar of an odd length has a finer one."""
        below = 4 if self.beat_types is None else int(self.beat_types[step])
        beats = Fraction(int(self.meters[step]) * below, 4 * self.grid)
        while beats.denominator > 1 and below < FINEST_BEAT:
            beats, below = 2 * beats, 2 * below
        return max(1, round(beats)), below

    def transpose(self, semitones: int) -> Roll:
        """The piece so many semitones higher.

        Raises:
            ChoraleError: notes would be beyond MIDI's.
        """
        low, high = self.span
        if low <= high and not (low + semitones >= 0 and high + semitones < PITCHES):
            raise ChoraleError(
                f"{self.name or 'The piece'} cannot be transposed by {semitones} semitones: its "
                f"notes {low} to {high} would leave MIDI's, 0 to {PITCHES - 1}."
            )
        return replace(self, states=np.roll(self.states, semitones, axis=1))

    def clock(self) -> NDArray[np.float32]:
        """Where each step is, (steps, 15): what a model reads beside the notes.

        One of four columns for the step within its quarter note and one of four for the quarter
        of the bar (the last for all later ones), then whether the bar has three quarters or a
        multiple of three; where bars are known also whether a fermata stands here, whether the
        piece ends within four quarter notes, and in which of the next four the next fermata
        begins: a cadence is prepared.
        """
        clock = np.zeros((len(self), CLOCK_WIDTH), np.float32)
        rows = np.arange(len(self))
        clock[rows, self.places % self.grid * _BEATS // self.grid] = 1
        clock[rows, _BEATS + np.minimum(self.places // self.grid, _BEATS - 1)] = 1
        clock[:, 8] = self.meters % (3 * self.grid) == 0
        if self.is_metered:
            clock[:, 9] = self.fermatas
            clock[:, 10] = len(self) - rows <= _AHEAD * self.grid
            begins = np.flatnonzero(self.fermatas & ~np.append(False, self.fermatas[:-1]))
            following = np.searchsorted(begins, rows, side="right")
            distance = np.append(begins, 2 * len(self) + _AHEAD * self.grid)[following] - rows
            quarters = -(-distance // self.grid)
            sees = ~self.fermatas & (quarters <= _AHEAD)
            clock[rows[sees], 10 + quarters[sees]] = 1
        return clock

    def list_notes(self) -> list[RollNote]:
        """The notes in order of their starts and pitches; one held from the start counts."""
        notes = []
        for pitch in np.flatnonzero((self.states > SILENT).any(axis=0)):
            column = self.states[:, pitch]
            before = np.concatenate(([SILENT], column[:-1]))
            starts = np.flatnonzero((column == STRUCK) | ((column == HELD) & (before == SILENT)))
            for start in starts.tolist():
                later = np.flatnonzero(column[start + 1 :] != HELD)
                end = start + 1 + (int(later[0]) if len(later) else len(column) - start - 1)
                notes.append(
                    RollNote(Fraction(start, self.grid), Fraction(end, self.grid), int(pitch))
                )
        return sorted(notes)


def make_roll(
    notes: Sequence[RollNote],
    bars: Sequence[RollBar],
    *,
    grid: int = 4,
    fermatas: Sequence[tuple[Fraction, Fraction]] = (),
    name: str = "",
    tempo: float | None = None,
) -> Roll:
    """A roll of notes and bars; times are rounded to the grid, and no note is lost.

    A note that several parts share is held as long as the longest of them, and struck where any
    strikes it. Silence at the end is part of its last bar.

    Args:
        notes: in any order.
        bars: one after the other from time 0.
        grid: steps in a quarter note.
        fermatas: from where to where they last, in quarter notes.
        name, tempo: as in `Roll`.

    Raises:
        ChoraleError: no notes, or bars that are no whole number of steps.
    """
    if not notes:
        raise ChoraleError(f"{name or 'The piece'} holds no notes.")
    ends = [round(bar.start * grid) for bar in bars[1:]]
    last = max(round(note.end * grid) for note in notes)
    steps = max(1, last, round((bars[-1].start + bars[-1].length) * grid))
    states = np.zeros((steps, PITCHES), np.uint8)
    placed: dict[int, list[tuple[int, int]]] = {}
    for note in notes:
        span = (round(note.start * grid), round(note.end * grid))
        placed.setdefault(note.pitch, []).append(span)
    for pitch, spans in placed.items():
        begins, stops = np.array(spans).T
        changes = np.zeros(steps + 2, np.int64)
        np.add.at(changes, begins, 1)
        np.add.at(changes, np.maximum(stops, begins + 1), -1)
        states[changes.cumsum()[:steps] > 0, pitch] = HELD
        states[np.minimum(begins, steps - 1), pitch] = STRUCK
    places, meters, beat_types = (np.zeros(steps, np.int64) for _ in range(3))
    for bar, end in zip(bars, [*ends, steps], strict=True):
        whole = bar.meter * grid
        if whole.denominator != 1 or whole < 1:
            raise ChoraleError(
                f"{name or 'The piece'} has bars of {bar.meter} quarter notes, which are no whole "
                f"number of steps at {grid} steps a quarter note; choose another grid."
            )
        begin = round(bar.start * grid)
        meters[begin:end], beat_types[begin:end] = int(whole), bar.beat_type
        places[begin:end] = (np.arange(end - begin) + round(bar.offset * grid)) % int(whole)
    marks = np.zeros(steps, np.bool_)
    for first, after in fermatas:
        marks[round(first * grid) : round(after * grid)] = True
    return Roll(states, grid, places, meters, marks, name, tempo=tempo, beat_types=beat_types)
