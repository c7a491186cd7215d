"""What a network reads of each note of a chord: the same for a chord wherever it lies."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

OCTAVE = 12
"""Semitones; neighbours within it are read."""
_MIDDLE, _REACH = 60, 24
"""Middle C, and the distance in semitones that counts as 1."""


def count_note_inputs(clock: int, strikes: bool) -> int:
    """The width of `build_note_inputs` without its batch: numbers that a note reads.

    >>> count_note_inputs(clock=8, strikes=True)
    83
    """
    neighbours = 2 * OCTAVE + 1
    return 1 + OCTAVE + neighbours * (1 + strikes) + OCTAVE + clock


def build_note_inputs(roll: Tensor, clock: Tensor, lowest: int, strikes: bool) -> Tensor:
    """The inputs of every note (Johnson 2015), (time, batch, notes, width), of the roll's dtype.

    In this order: how high the note is, two octaves from middle C being 1; its pitch class, one
    of twelve; which of the notes up to an octave below and above it sound, from the lowest; with
    `strikes` which of them are struck; how many notes of each pitch class sound, from the note's
    own upwards; the clock.

    Args:
        roll: (time, batch, notes), 0 for a silent note, 1 for one that sounds on, 2 for one that
            is struck.
        clock: (time, batch, width), where in the bar the step to predict is.
        lowest: the MIDI number of the first note.
        strikes: whether the roll says which notes are struck.

    >>> roll = torch.zeros(1, 1, 13)
    >>> roll[0, 0, [0, 12]] = 2.0                                   # C, and C an octave above
    >>> inputs = build_note_inputs(roll, torch.zeros(1, 1, 0), lowest=60, strikes=False)
    >>> inputs[0, 0, 12, 13:38].nonzero().flatten().tolist()        # itself, and an octave below
    [0, 12]
    >>> inputs[0, 0, 0, 38:].tolist()[:3]                           # two Cs
    [2.0, 0.0, 0.0]
    """
    time, batch, notes = roll.shape
    sounds = (roll > 0).to(roll.dtype)
    pitches = torch.arange(lowest, lowest + notes, device=roll.device)
    shape = (time, batch, notes)
    height = ((pitches - _MIDDLE) / _REACH).to(roll.dtype)
    classes = functional.one_hot(pitches % OCTAVE, OCTAVE).to(roll.dtype)
    # Of a chord's notes of each class, those n semitones above the note's own.
    counts = sounds @ classes
    relative = (pitches[:, None] + torch.arange(OCTAVE, device=roll.device)) % OCTAVE
    parts = [
        height[:, None].expand(*shape, 1),
        classes.expand(*shape, OCTAVE),
        _list_neighbours(sounds),
        *([_list_neighbours((roll > 1).to(roll.dtype))] if strikes else []),
        counts[..., relative],
        clock[:, :, None].expand(*shape, clock.shape[-1]),
    ]
    return torch.cat(parts, dim=-1)


def _list_neighbours(marks: Tensor) -> Tensor:
    """(time, batch, notes, 25): the marks from an octave below each note to one above."""
    return functional.pad(marks, (OCTAVE, OCTAVE)).unfold(-1, 2 * OCTAVE + 1, 1)
