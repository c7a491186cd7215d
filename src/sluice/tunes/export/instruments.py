"""Instruments, note by note: a flute, a fiddle, and the guitar that accompanies them.

All add up sines that begin at zero together, so that a wave reaches as far down as up. The flute is
harmonics, each with an envelope, and a breath of noise. The fiddle is the sawtooth of a bowed
string through the resonances of a violin's body; the guitar is the ideal plucked string, harmonics
that fall off with their number, the higher dying sooner (Fletcher & Rossing 1998, "The Physics of
Musical Instruments", chapters 2, 9 and 10).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sluice.tunes.errors import TuneError

SAMPLE_RATE = 44_100
"""Samples a second."""
Samples = NDArray[np.float64]

_MAX_HERTZ = 14_000
_FLUTE_HARMONICS = np.array([1.0, 0.5, 0.22, 0.1, 0.045, 0.02])
_GUITAR_RELEASE = 0.35
"""How long a string rings on after its note's time, in seconds."""
_BODY = ((280, 50, 0.6), (460, 70, 0.5), (550, 80, 0.6), (1100, 300, 0.3), (2600, 700, 0.9))
"""A violin's resonances: the air, two of the body, and the bridge's broad ones; in hertz their
middle and half width, and how much they add to an even response."""


@lru_cache(maxsize=512)
def synthesise_flute(pitch: int, seconds: float) -> Samples:
    """One note of a flute: MIDI number and length; it dies away within its time and a little."""
    hertz, release = to_hertz(pitch), 0.045
    # Half of the fall lies within the note, so that it hands over to the next one evenly.
    seconds = max(seconds - release / 2, release / 2)
    time = np.arange(round((seconds + release) * SAMPLE_RATE)) / SAMPLE_RATE
    vibrato = 0.002 * np.clip((time - 0.25) / 0.3, 0, 1) * np.sin(2 * np.pi * 5.2 * time)
    phase = 2 * np.pi * hertz * np.cumsum(1 + vibrato) / SAMPLE_RATE
    brightness = (440 / hertz) ** 0.3
    tone = np.zeros(len(time))
    for number, level in enumerate(_FLUTE_HARMONICS):
        if (number + 1) * hertz < _MAX_HERTZ:
            partial = np.sin((number + 1) * phase)
            tone += level * brightness**number * partial * fade_in(time, 0.018 + 0.009 * number)
    envelope = fade_in(time, 0.012) * (0.85 + 0.15 * np.exp(-time / 0.08))
    return (tone + _breath_noise(len(time), hertz)) * envelope * fade_out(time, seconds, release)


@lru_cache(maxsize=512)
def synthesise_guitar(pitch: int, seconds: float) -> Samples:
    """One plucked string: MIDI number and length, after which it is damped."""
    hertz = to_hertz(pitch)
    time = np.arange(round((seconds + _GUITAR_RELEASE) * SAMPLE_RATE)) / SAMPLE_RATE
    tone = np.zeros(len(time))
    for number in range(1, min(24, int(_MAX_HERTZ / hertz)) + 1):
        level = np.sin(number * np.pi * 0.21) / number**1.5
        falling = np.exp(-time * (1.6 + 0.12 * number + 0.035 * number**2))
        tone += level * falling * np.sin(2 * np.pi * number * hertz * time)
    return tone * fade_in(time, 0.004) * fade_out(time, seconds, _GUITAR_RELEASE)


def to_hertz(pitch: int) -> float:
    """The frequency of a MIDI number, A above middle C at 440 hertz."""
    return float(440 * 2 ** ((pitch - 69) / 12))


def fade_in(time: Samples, seconds: float) -> Samples:
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.clip(time / seconds, 0, 1)))


def fade_out(time: Samples, seconds: float, release: float) -> Samples:
    """From one at `seconds` smoothly to nothing at the end, so that nothing clicks."""
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * np.clip((time - seconds) / release, 0, 1)))


def _breath_noise(length: int, hertz: float) -> Samples:
    """Noise around the note, soft: the same every time."""
    noise = np.random.default_rng(0).standard_normal(length)
    spectrum = np.fft.rfft(noise)
    distance = np.log2(np.maximum(np.fft.rfftfreq(length, 1 / SAMPLE_RATE), 1) / (2 * hertz))
    shaped = np.fft.irfft(spectrum * np.exp(-(distance**2)), length)
    return np.asarray(0.012 * shaped / shaped.std())


@lru_cache(maxsize=512)
def synthesise_fiddle(pitch: int, seconds: float) -> Samples:
    """One note of a fiddle: MIDI number and length; the bow leaves it within its time and a little.

    Long notes are played with a little vibrato.
    """
    hertz, release = to_hertz(pitch), 0.06
    seconds = max(seconds - release / 2, release / 2)
    time = np.arange(round((seconds + release) * SAMPLE_RATE)) / SAMPLE_RATE
    vibrato = 0.0025 * np.clip((time - 0.3) / 0.3, 0, 1) * np.sin(2 * np.pi * 5.6 * time)
    phase = 2 * np.pi * hertz * np.cumsum(1 + vibrato) / SAMPLE_RATE
    numbers = np.arange(1.0, int(min(_MAX_HERTZ / hertz, 40)) + 1)
    levels = _body_response(numbers * hertz) / numbers
    levels /= np.sqrt((levels**2).sum())
    tone = np.zeros(len(time))
    for number, level in zip(numbers, levels, strict=True):
        # The bow catches the string before its slower, higher motion has settled.
        rise = 0.03 + 0.002 * min(float(number), 15)
        tone += level * np.sin(number * phase) * fade_in(time, rise)
    tone += _bow_noise(len(time)) * (0.3 + 0.7 * np.exp(-time / 0.05))
    stroke = fade_in(time, 0.025) * (0.88 + 0.12 * fade_in(time, 0.2))
    return tone * stroke * fade_out(time, seconds, release)


def _body_response(hertz: Samples) -> Samples:
    """How strongly a violin's body radiates each frequency: resonances over a gentle slope."""
    response = 0.6 / (1 + (hertz / 4000) ** 2)
    for middle, half_width, level in _BODY:
        response += level / (1 + ((hertz - middle) / half_width) ** 2)
    return np.asarray(response / (1 + (hertz / 8000) ** 4))


def _bow_noise(length: int) -> Samples:
    """The hiss of rosin on a string: the same every time."""
    spectrum = np.fft.rfft(np.random.default_rng(2).standard_normal(length))
    hertz = np.asarray(np.fft.rfftfreq(length, 1 / SAMPLE_RATE), np.float64)
    shaped = np.fft.irfft(spectrum * _body_response(hertz) * (hertz > 150), length)
    return np.asarray(0.01 * shaped / max(float(shaped.std()), 1e-12))


class Instrument(NamedTuple):
    """What plays a melody: its program of General MIDI, from 0, and its notes."""

    program: int
    synthesise: Callable[[int, float], Samples]


INSTRUMENTS = {
    "flute": Instrument(73, synthesise_flute),
    "fiddle": Instrument(110, synthesise_fiddle),
}


def find_instrument(name: str) -> Instrument:
    """The instrument of that name.

    Raises:
        TuneError: an unknown one.
    """
    if name not in INSTRUMENTS:
        known = " or ".join(INSTRUMENTS)
        raise TuneError(f"The instrument must be {known}, got {name!r}.")
    return INSTRUMENTS[name]
