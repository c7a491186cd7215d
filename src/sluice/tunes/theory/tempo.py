"""The tempo of a tune, as the field Q: of ABC gives it."""

from __future__ import annotations

import re
from fractions import Fraction

from sluice.tunes.theory.dances import beat_length

MIN_TEMPO, MAX_TEMPO = 20, 400
"""Beats per minute."""

_QUOTED = re.compile(r'"[^"]*"?')
_NUMBER = r"(\d{1,6}(?:\.\d{1,6})?)"
_LENGTH = r"\d{1,4}\s*/\s*\d{1,4}"
_BEATS = re.compile(rf"({_LENGTH}(?:\s+{_LENGTH})*)\s*=\s*{_NUMBER}")
_UNITS = re.compile(rf"C\s*(\d{{0,4}})(?:/(\d{{1,4}}))?\s*=\s*{_NUMBER}")
_QUARTERS = re.compile(rf"=?\s*{_NUMBER}")


def parse_tempo(value: str, meter: str, unit_length: Fraction) -> int:
    """Beats of `meter` (`beat_length`) per minute, rounded.

    The forms are `1/4=120`, with words in quotes before or after it; several beats that the number
    counts together (`1/4 3/8=40`); `C=100` and `C3=40`, of the unit note length; and `120`, of
    quarters, as abc2midi reads it.

    Raises:
        ValueError: words alone, another form, or a tempo out of range.

    >>> [parse_tempo("1/4=120", meter, Fraction(1, 8)) for meter in ("4/4", "2/4", "6/8")]
    [60, 120, 80]
    >>> parse_tempo('"Allegro" 3/8=70', "6/8", Fraction(1, 8))
    70
    """
    plain = _QUOTED.sub(" ", value).strip()
    if not plain:
        raise ValueError("a tempo (Q:) in words alone")
    if match := _BEATS.fullmatch(plain):
        lengths = [piece.split("/") for piece in re.findall(_LENGTH, match[1])]
        if any(not int(below) for _, below in lengths):
            raise ValueError("a tempo (Q:) that cannot be read")
        length = sum((Fraction(int(above), int(below)) for above, below in lengths), Fraction(0))
    elif match := _UNITS.fullmatch(plain):
        length = unit_length * Fraction(int(match[1] or 1), int(match[2] or 1) or 1)
    elif match := _QUARTERS.fullmatch(plain):
        length = Fraction(1, 4)
    else:
        raise ValueError("a tempo (Q:) that cannot be read")
    number = Fraction(match.groups()[-1])
    tempo = round(number * 8 * length / beat_length(meter))
    if not MIN_TEMPO <= tempo <= MAX_TEMPO:
        raise ValueError(f"a tempo (Q:) out of {MIN_TEMPO} to {MAX_TEMPO} beats per minute")
    return tempo
