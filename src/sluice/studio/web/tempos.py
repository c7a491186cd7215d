"""How fast dances are played, for the player of the pages: they sound as a tune's OGG file does."""

from __future__ import annotations

from sluice.tunes.theory.dances import (
    DANCES,
    beat_length,
    default_swing,
    default_tempo,
    swing_unit,
)

_METERS = (
    "2/2", "3/2", "2/4", "3/4", "4/4", "5/4", "6/4", "3/8", "5/8", "6/8", "7/8", "9/8", "12/8"
)  # fmt: skip


def list_tempos() -> dict[str, dict[str, tuple[float, float, float]]]:
    """For each dance and meter quarter notes a minute, swing, and the notes that swing.

    The dance of no name is any other; swing is how many times longer the first of two even notes
    lasts, and the notes that swing are in whole notes, 0 where none do.
    """
    return {dance: {meter: _describe(dance, meter) for meter in _METERS} for dance in ("", *DANCES)}


def _describe(dance: str, meter: str) -> tuple[float, float, float]:
    quarters = default_tempo(dance, meter) * float(beat_length(meter)) / 2
    unit = swing_unit(meter)
    return quarters, default_swing(dance), float(unit / 8) if unit else 0.0
