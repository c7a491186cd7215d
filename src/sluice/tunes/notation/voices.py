"""Which of a tune's voices is read: the first."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sluice.tunes.notation.abc_lines import Line

VOICE_FIELD = re.compile(r"\[V:([^\]]*)\]")
_MUSIC = re.compile(r"[A-Ga-gzxZX\[]")


def choose_voice(names: Sequence[str], lines: Sequence[Line]) -> tuple[str, bool]:
    """The first voice with music, and whether music stands before all fields that name one.

    Args:
        names: voices in the order of the header.
        lines: the lines of music.
    """
    found = dict.fromkeys(_list_voices(lines))
    if "" in found:
        return (names[0] if names else "1"), True
    return next((name for name in names if name in found), next(iter(found), "")), False


def _list_voices(lines: Sequence[Line]) -> list[str]:
    """The voice of each piece of music; empty before any is named."""
    found: list[str] = []
    voice = ""
    for line in lines:
        if line.field is not None:
            voice = get_voice_name(line.field[1]) if line.field[0] == "V" else voice
            continue
        for number, piece in enumerate(VOICE_FIELD.split(line.text)):
            if number % 2:
                voice = get_voice_name(piece)
            elif _MUSIC.search(piece):
                found.append(voice)
    return found


def get_voice_name(value: str) -> str:
    """The name in the value of a V: field."""
    return (value.split() or [""])[0]
