"""What the notes of ABC sound: key signature, accidentals, ties, clefs and transposition."""

from __future__ import annotations

from collections.abc import Mapping

from sluice.tunes.notation.abc_fields import StaffSettings
from sluice.tunes.theory.keys import ACCIDENTALS, Pitch


class PitchResolver:
    """The accidentals in force as music is read.

    An accidental holds for its letter in every octave until the bar ends (ABC 2.1's default).

    Attributes:
        signature: of the key.
        staff: what clef and transposition do.
        open_ties: the pitches, as they sound, that a tie holds into what comes next.
    """

    def __init__(self, signature: Mapping[str, int], staff: StaffSettings) -> None:
        self.signature, self.staff = signature, staff
        self.open_ties: tuple[Pitch, ...] = ()
        self._accidentals: dict[str, int] = {}

    def start_bar(self) -> None:
        """A bar line: accidentals end."""
        self._accidentals.clear()

    def resolve(self, text: str) -> Pitch:
        """What sounds: its own accidental, else one earlier in the bar, tied over, or in the key.

        Raises:
            ValueError: `text` is no pitch.
        """
        pitch, marked = Pitch.parse(text)
        interval = self.staff.interval
        if marked:
            self._accidentals[pitch.letter] = pitch.alter
            return pitch.transpose(*interval)
        alter = self._accidentals.get(pitch.letter, self.signature.get(pitch.letter, 0))
        if self.open_ties and pitch.letter not in self._accidentals:
            for other in ACCIDENTALS.values():
                tied = Pitch(pitch.step, other).transpose(*interval)
                if tied in self.open_ties:
                    return tied
        return Pitch(pitch.step, alter).transpose(*interval)
