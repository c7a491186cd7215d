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
_WHISTLE = (62, 83)
_FIDDLE = (55, 88)
_OUTSIDE, _FAR_OUTSIDE, _OTHER_OCTAVE = 1, 10, 0.2


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


def transpose(tune: Tune, tonic: str | None, seed: int) -> Tune:
    """The tune in that key, or else in a usual one of its mode, in the octave that fits best.

    It should lie on a whistle (D4 to B5) and must, if it can, on a fiddle in first positions (G3
    to E6); among keys that fit alike the seed chooses.
    """
    tonics = list(PLAYABLE[tune.mode]) if tonic is None else [tonic]
    # The two commonest keys stand first and are tried first, in either order.
    start = random.Random(seed).randrange(2) if len(tonics) > 1 else 0
    tonics = tonics[start:] + tonics[:start]
    ways = [replace(tune, tonic=t, octave=octave) for t in tonics for octave in (0, -1, 1)]
    pitches = [pitch for event in tune.score.events for pitch in event.pitches]
    return min(ways, key=lambda way: _range_cost(way, pitches))


def _range_cost(tune: Tune, pitches: list[int]) -> float:
    _, up = tune.interval
    moved = [pitch + up for pitch in pitches]
    far = sum(not _FIDDLE[0] <= pitch <= _FIDDLE[1] for pitch in moved)
    outside = sum(not _WHISTLE[0] <= pitch <= _WHISTLE[1] for pitch in moved)
    other = _OTHER_OCTAVE * abs(tune.octave)
    return (_OUTSIDE * outside + _FAR_OUTSIDE * far) / len(moved) + other
