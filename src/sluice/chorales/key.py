"""The key of a piece, and how its notes are spelt."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sluice.chorales.roll import Roll
from sluice.sequence.models.biaxial import SILENT

_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
"""How well each note above the tonic fits a key (Krumhansl & Kessler 1982)."""
_LETTERS = "FCGDAEB"
_MINOR_SHIFT = 3
"""A minor key has the signature of the major key three semitones above."""


class ChoraleKey(NamedTuple):
    """A key: the pitch class of its tonic, and whether it is minor."""

    tonic: int
    is_minor: bool

    @property
    def fifths(self) -> int:
        """The sharps of its signature, or minus its flats, from -5 to 6."""
        major = (self.tonic + _MINOR_SHIFT * self.is_minor) % 12
        return (major * 7 + 5) % 12 - 5

    @property
    def name(self) -> str:
        """As in "F sharp minor"."""
        letter, alter = self.spell(self.tonic)
        return f"{letter}{('', ' sharp', ' flat')[alter]} {'minor' if self.is_minor else 'major'}"

    def spell(self, pitch: int) -> tuple[str, int]:
        """The letter and the accidental (1 sharp, -1 flat) of a pitch.

        Of the names of a note the one is chosen that lies nearest to the key on the line of
        fifths, from three below to eight above its major tonic, so that leading notes are sharp.

        >>> ChoraleKey(2, False).spell(66), ChoraleKey(9, True).spell(68)
        (('F', 1), ('G', 1))
        """
        place = (pitch * 7) % 12  # fifths above C
        lowest = self.fifths - 3
        place += -(-(lowest - place) // 12) * 12
        index = place + 1  # fifths above F
        return _LETTERS[index % 7], index // 7


def find_key(roll: Roll) -> ChoraleKey:
    """The key whose profile fits best how long each pitch class sounds (Krumhansl & Schmuckler).

    The last bass note counts as much as an eighth of the piece: chorales end on the tonic.
    """
    sounding = (roll.states > SILENT).astype(float)
    durations = np.zeros(12)
    np.add.at(durations, np.arange(sounding.shape[1]) % 12, sounding.sum(axis=0))
    last = np.flatnonzero(sounding.any(axis=1))
    bass = int(np.flatnonzero(sounding[last[-1]])[0]) % 12 if len(last) else 0
    durations[bass] += durations.sum() / 8
    best, key = -np.inf, ChoraleKey(0, False)
    for is_minor, profile in ((False, _MAJOR), (True, _MINOR)):
        for tonic in range(12):
            fit = float(np.corrcoef(np.roll(profile, tonic), durations)[0, 1])
            if fit > best:
                best, key = fit, ChoraleKey(tonic, is_minor)
    return key
