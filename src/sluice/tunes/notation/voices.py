"""Which of a tune's voices is read: the first."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sluice.tunes.notation.abc_fields import StaffSettings, VoiceField, parse_voice
from sluice.tunes.notation.abc_lines import Line

_FIELD = re.compile(r"\[V:([^\]]*)\]")
_MUSIC = re.compile(r"[A-Ga-gzxZX\[]")


class VoiceFilter:
    """Tells the lines of the first voice that has music from those of all others.

    Args:
        named: the voices of the header.
        lines: the lines of music.
    """

    FIELD = _FIELD

    def __init__(self, named: Sequence[VoiceField], lines: Sequence[Line]) -> None:
        self.chosen = _choose_voice([voice.name for voice in named], lines)
        self.is_skipping = False
        self.is_new = False
        self._others: set[str] = set()
        self._named = {voice.name: voice.staff for voice in named}

    @property
    def staff(self) -> StaffSettings:
        """What the header says of the voice that is read."""
        return self._named.get(self.chosen, StaffSettings())

    def enter(self, value: str, line: int) -> StaffSettings | None:
        """Go on with the voice of a V: field: its clef, or None if it is not the one that is read.

        `is_new` says whether it comes for the first time.

        Raises:
            AbcSyntaxError: a property without a number.
        """
        voice = parse_voice(value, line)
        self.is_skipping = voice.name != self.chosen
        if not self.is_skipping:
            return voice.staff
        self.is_new = voice.name not in self._others
        self._others.add(voice.name)
        return None


def _choose_voice(names: Sequence[str], lines: Sequence[Line]) -> str:
    """The first voice with music, in the order of the header and then of the music."""
    found = dict.fromkeys(_list_voices(lines))
    if "" in found:
        return names[0] if names else "1"
    return next((name for name in names if name in found), next(iter(found), ""))


def _list_voices(lines: Sequence[Line]) -> list[str]:
    """The voice of each piece of music; empty before any is named."""
    found: list[str] = []
    voice = ""
    for line in lines:
        if line.field is not None:
            voice = _get_name(line.field[1]) if line.field[0] == "V" else voice
            continue
        for number, piece in enumerate(_FIELD.split(line.text)):
            if number % 2:
                voice = _get_name(piece)
            elif _MUSIC.search(piece):
                found.append(voice)
    return found


def _get_name(value: str) -> str:
    return (value.split() or [""])[0]
