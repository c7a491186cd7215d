"""Kinds of dance tune: the meters they are written in, their speed, and how even notes swing."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from sluice.tunes.errors import TuneError


class Dance(NamedTuple):
    """How a dance is written and played.

    Attributes:
        meters: the meters it is written in, the usual first.
        tempo: beats per minute (`beat_length`).
        swing: how many times longer the first of two even notes is played than the second.
        tempo_in_four: that in 4/4, where a dancer's beat is a quarter but the meter counts halves.
    """

    meters: tuple[str, ...]
    tempo: int
    swing: float = 1.0
    tempo_in_four: int | None = None


DANCES = {
    "jig": Dance(("6/8",), 112),
    "slip jig": Dance(("9/8",), 112),
    "slide": Dance(("12/8",), 132),
    "reel": Dance(("4/4", "2/2"), 112),
    "hornpipe": Dance(("2/2", "4/4"), 92, swing=2.0),
    "clog": Dance(("2/2",), 92),
    "polka": Dance(("2/4",), 132),
    "march": Dance(("2/4", "4/4", "6/8"), 117, tempo_in_four=59),
    "strathspey": Dance(("4/4",), 56),
    "waltz": Dance(("3/4", "3/8"), 132),
    "air": Dance(("3/4", "4/4", "6/8"), 60, tempo_in_four=30),
}
"""Reel, jig and strathspey as in Scottish country dancing (112; 108 to 118; 56 beats of half a
bar: nanaimoscd.com), hornpipe, polka and slide as in Irish set dancing (92 to 100, 132 to 140
both: sydneyirishceilidancers.com.au; polkas of 126 to 144 quarters: thesession.org, discussion
2618, and Mudcat, thread 104018), the march as at ceilidhs (117 to 123 steps: Mudcat, thread
114316; 118 quarters in 4/4: una.ie/sound/tune-type-learning-order). Clogs are danced as
hornpipes. Waltz and air are played at all speeds, and these are middling ones.

At these tempi the printed collections have 5 notes a second in jigs, slip jigs and slides, 7 in
reels, 6 in hornpipes, 5 in marches, 4 in strathspeys, 3 in waltzes and 2 in airs, on average.

A hornpipe is played dotted where it is written even, at 2 to 1 as by abc2midi (its manual: "note
timings are adjusted to give a broken rhythm"); strathspeys are written dotted."""

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


LEARNT_AS = {"waltz": "air"}
"""The dance whose tunes a model composes where it knows too few of another: the printed
collections have four waltzes, and their airs in 3/4 are what is played as waltzes today."""


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
    name = normalise_dance(rhythm)
    return max((dance for dance in DANCES if dance in name), key=len, default="")


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
    if not dance:
        return DEFAULT_TEMPO
    known = DANCES[dance]
    return known.tempo_in_four or known.tempo if meter == "4/4" else known.tempo


def default_swing(rhythm: str) -> float:
    """The swing of a dance, one where it has none or is unknown.

    >>> default_swing("hornpipe"), default_swing("reel")
    (2.0, 1.0)
    """
    dance = classify_rhythm(rhythm)
    return DANCES[dance].swing if dance else 1.0


MAX_SWING = 4.0


def check_swing(swing: float) -> float:
    """A swing that can be played, unchanged.

    Raises:
        TuneError: it is not in 1 to `MAX_SWING`.
    """
    if not 1 <= swing <= MAX_SWING:
        raise TuneError(
            "The swing is how many times longer the first of two even notes is, from 1 (even) to "
            f"{MAX_SWING:g}, got {swing:g}."
        )
    return swing


def swing_unit(meter: str) -> Fraction | None:
    """The notes that swing in pairs, in eighths: sixteenths in 2/4 and 3/8, else eighths.

    None in compound and free meters, which have no even pairs within a beat.

    >>> [str(swing_unit(meter)) for meter in ("4/4", "2/2", "2/4", "6/8")]
    ['1', '1', '1/2', 'None']
    """
    if "/" not in meter or is_compound(meter):
        return None
    return Fraction(1, 2) if meter == "2/4" or meter.endswith("/8") else Fraction(1)
