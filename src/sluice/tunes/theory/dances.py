"""Kinds of dance tune: the meters they are written in and the speed at which they are played."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from sluice.tunes.errors import TuneError


class Dance(NamedTuple):
    """The meters a dance is written in, the usual first, and its beats a minute."""

    meters: tuple[str, ...]
    tempo: int


DANCES = {
    "jig": Dance(("6/8",), 112),
    "slip jig": Dance(("9/8",), 112),
    "slide": Dance(("12/8",), 132),
    "reel": Dance(("4/4", "2/2"), 112),
    "hornpipe": Dance(("2/2", "4/4"), 92),
    "polka": Dance(("2/4",), 132),
    "march": Dance(("2/4", "4/4", "6/8"), 117),
    "strathspey": Dance(("4/4",), 56),
    "waltz": Dance(("3/4", "3/8"), 132),
    "air": Dance(("3/4", "4/4", "6/8"), 60),
}
"""Reel, jig and strathspey as in Scottish country dancing (112; 108 to 118; 56 beats of half a
bar: nanaimoscd.com), hornpipe, polka and slide as in Irish set dancing (92 to 100, 132 to 140
both: sydneyirishceilidancers.com.au), the march as at ceilidhs (117 to 123: Mudcat, thread
114316). Waltz and air are played at all speeds, and these are middling ones."""

DEFAULT_TEMPO = 112
FREE_METER = "none"
"""The meter of a tune without one: its bars are as long as they are."""
_BY_METER = {
    "6/8": "jig",
    "9/8": "slip jig",
    "12/8": "slide",
    "3/4": "waltz",
    "3/8": "waltz",
    "2/4": "march",
    "4/4": "reel",
    "2/2": "reel",
}


_SPELLINGS = {
    "slipjig": "slip jig",
    "double jig": "jig",
    "single jig": "jig",
    "fling": "highland fling",
}


def normalise_dance(name: str) -> str:
    """The usual name of a dance: in lower case, `slip jig` for `Slip-Jig`, `jig` for `double jig`.

    >>> normalise_dance("Slipjig"), normalise_dance(" Hornpipe ")
    ('slip jig', 'hornpipe')
    """
    plain = " ".join(name.lower().replace("-", " ").replace("_", " ").split())
    return _SPELLINGS.get(plain, plain)


def find_dance(name: str) -> Dance:
    """The dance of that name, `slip-jig` and `Slip Jig` being one.

    Raises:
        TuneError: an unknown one.
    """
    plain = normalise_dance(name)
    if plain not in DANCES:
        raise TuneError(f"The dance must be one of {', '.join(DANCES)}, got {name!r}.")
    return DANCES[plain]


def guess_rhythm(meter: str) -> str:
    """The dance that a meter most often means in the printed collections, or none."""
    return _BY_METER.get(meter, "")


def classify_rhythm(rhythm: str) -> str:
    """The dance of `DANCES` that the name of a rhythm holds, or nothing.

    >>> classify_rhythm("double jig"), classify_rhythm("slip jig"), classify_rhythm("long dance")
    ('jig', 'slip jig', '')
    """
    return max((dance for dance in DANCES if dance in rhythm), key=len, default="")


def is_compound(meter: str) -> bool:
    """Whether a beat of this meter is a dotted note: 6/8, 9/8, 12/8, ..."""
    if meter == FREE_METER:
        return False
    beats, unit = map(int, meter.split("/"))
    return unit >= 8 and beats > 3 and beats % 3 == 0


def beat_length(meter: str) -> Fraction:
    """A beat in eighths: what a foot taps, and what a tempo counts; a quarter in free meter.

    >>> [int(beat_length(meter)) for meter in ("6/8", "4/4", "2/2", "2/4", "3/4", "3/8")]
    [3, 4, 4, 2, 2, 1]
    """
    if meter == FREE_METER:
        return Fraction(2)
    beats, unit = map(int, meter.split("/"))
    if is_compound(meter):
        return Fraction(24, unit)
    return Fraction(16, unit) if (beats, unit) == (4, 4) else Fraction(8, unit)


def bar_length(meter: str) -> Fraction | None:
    """How long a bar should be, in eighths; None in free meter.

    >>> str(bar_length("6/8")), bar_length("none")
    ('6', None)
    """
    return None if meter == FREE_METER else 8 * Fraction(meter)


def beam_length(meter: str) -> Fraction:
    """How far notes are written together, in eighths: a beat, or a bar of 3/8."""
    return max(beat_length(meter), Fraction(3)) if meter == "3/8" else beat_length(meter)


def default_tempo(rhythm: str, meter: str) -> int:
    """The tempo of a dance, or of the one that the meter suggests."""
    dance = classify_rhythm(rhythm) or guess_rhythm(meter)
    return DANCES[dance].tempo if dance else DEFAULT_TEMPO
