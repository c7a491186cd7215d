"""The key and octave in which a tune is playable on a fiddle or a whistle."""

from __future__ import annotations

import random
from dataclasses import replace

from sluice.tunes.errors import TuneError
from sluice.tunes.theory.keys import MODES, Key
from sluice.tunes.tune import Tune

PLAYABLE = {
    "maj": ("D", "G", "A"),
    "min": ("E", "A", "B"),
    "dor": ("E", "A", "D"),
    "mix": ("D", "A", "G"),
    "lyd": ("G", "C"),
    "phr": ("E", "B"),
    "loc": ("B",),
}
"""The tonics that session players use for each mode."""
_WHISTLE = range(62, 84)
"""D4 to B5, as MIDI numbers."""
_FIDDLE = range(55, 89)
"""G3 to E6, in first position."""
_OCTAVES = (0, -1, 1, -2, 2)
"""The smallest moves first."""


def parse_key(text: str, mode: str | None = None) -> Key:
    """The key that a musician names, as in `D`, `Em` or `Ador`; `mode` is that of a bare letter.

    >>> parse_key("em").name, parse_key("A", "dor").name
    ('Em', 'Ador')

    Raises:
        TuneError: no key, or one whose mode is not `mode`.
    """
    known = ", ".join(Key.of(tonic, m).name for m in ("maj", "min", "dor") for tonic in PLAYABLE[m])
    plain = text.strip()
    try:
        key = Key.parse(plain[:1].upper() + plain[1:])
    except ValueError:
        raise TuneError(f"The key must be one such as {known}, got {text!r}.") from None
    if mode is None:
        return key
    if mode not in MODES:
        raise TuneError(f"The mode must be one of {', '.join(MODES)}, got {mode!r}.")
    if len(plain.rstrip("#b")) > 1 and key.mode != mode:
        raise TuneError(f"The key {text!r} is not of the mode {mode!r}; name one of the two.")
    return Key.of(key.tonic, mode)


def choose_tonic(mode: str, seed: int) -> str:
    """One of the two commonest tonics of a mode, whatever the notes are."""
    tonics = PLAYABLE[mode]
    return tonics[random.Random(seed).randrange(2) if len(tonics) > 1 else 0]


def transpose(tune: Tune, tonic: str | None, seed: int) -> Tune:
    """The tune in that key, else in the one that `choose_tonic` says, in the best octave.

    That octave has the fewest notes outside the range of a whistle (D4 to B5); among equals the
    fewest outside that of a fiddle in first position (G3 to E6), and then the smallest move.
    """
    tonic = choose_tonic(tune.mode, seed) if tonic is None else tonic
    ways = [replace(tune, tonic=tonic, octave=octave) for octave in _OCTAVES]
    pitches = [pitch for event in tune.score.events for pitch in event.pitches]
    return min(ways, key=lambda way: _count_outside(way, pitches))


def _count_outside(tune: Tune, pitches: list[int]) -> tuple[int, int]:
    """How many notes lie outside the range of a whistle, and of a fiddle."""
    _, up = tune.interval
    moved = [pitch + up for pitch in pitches]
    whistle, fiddle = (sum(pitch not in known for pitch in moved) for known in (_WHISTLE, _FIDDLE))
    return whistle, fiddle
