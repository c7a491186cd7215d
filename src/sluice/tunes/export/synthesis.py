"""Tunes as sound: a flute and, where there are chords, a guitar, in a small room.

The flute adds up harmonics, each with an envelope, and a breath of noise; the guitar is the ideal
plucked string in closed form: harmonics that fall off with their number, the higher dying sooner
(Fletcher & Rossing 1998, "The Physics of Musical Instruments", chapters 2 and 9).
"""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sluice.extras import MissingExtraError
from sluice.tunes.export.midi import Note, build_accompaniment, build_melody
from sluice.tunes.notation.transcription import Transcription
from sluice.tunes.theory.dances import beat_length

SAMPLE_RATE = 44_100
"""Samples a second."""
Samples = NDArray[np.float64]

_PEAK = 10 ** (-1.5 / 20)
_MAX_HERTZ = 14_000
_FLUTE_HARMONICS = np.array([1.0, 0.5, 0.22, 0.1, 0.045, 0.02])
_GUITAR_LEVEL = 0.16
_GUITAR_RELEASE = 0.35
"""How long a string rings on after its note's time, and the room after the last note: seconds."""
_REVERB_SECONDS, _REVERB_LEVEL = 0.9, 0.12


def render(tune: Transcription) -> Samples:
    """A tune played, repeats and endings included: samples (time, 2) in (-1, 1), stereo.

    Raises:
        InvalidTokensError: the tokens are no valid tune.
    """
    second = 60 / tune.beats_per_minute / float(beat_length(tune.meter))
    flute = _mix_voice(build_melody(tune), second, synthesise_flute, beat_length(tune.meter))
    played = np.stack([flute, flute])
    if tune.chords:
        guitar = _mix_voice(build_accompaniment(tune), second, synthesise_guitar, Fraction(1))
        longest = max(len(flute), len(guitar))
        played = np.stack([np.pad(flute, (0, longest - len(flute)))] * 2)
        played[:, : len(guitar)] += _GUITAR_LEVEL * np.array([[0.8], [1.0]]) * guitar
    played = _add_reverb(played)
    loudest = float(np.abs(played).max())
    return np.asarray(played.T * (_PEAK / loudest))


def _mix_voice(
    notes: Sequence[Note],
    second: float,
    synthesise: Callable[[int, float], Samples],
    step: Fraction,
) -> Samples:
    """All notes of an instrument, those between the beats of length `step` softer.

    `second` is how long an eighth lasts.
    """
    placed = [
        (
            round(float(note.start) * second * SAMPLE_RATE),
            synthesise(note.pitch, float(note.length) * second),
        )
        for note in notes
    ]
    mixed = np.zeros(max((start + len(samples) for start, samples in placed), default=0))
    for note, (start, samples) in zip(notes, placed, strict=True):
        mixed[start : start + len(samples)] += samples * (0.82 if note.start % step else 1.0)
    return mixed


@lru_cache(maxsize=512)
def synthesise_flute(pitch: int, seconds: float) -> Samples:
    """One note of a flute: MIDI number and length; it dies away within its time and a little."""
    hertz, release = _to_hertz(pitch), 0.045
    # Half of the fall lies within the note, so that it hands over to the next one evenly.
    seconds = max(seconds - release / 2, release / 2)
    time = np.arange(round((seconds + release) * SAMPLE_RATE)) / SAMPLE_RATE
    vibrato = 0.002 * np.clip((time - 0.25) / 0.3, 0, 1) * np.sin(2 * np.pi * 5.2 * time)
    phase = 2 * np.pi * hertz * np.cumsum(1 + vibrato) / SAMPLE_RATE
    brightness = (440 / hertz) ** 0.3
    tone = np.zeros(len(time))
    for number, level in enumerate(_FLUTE_HARMONICS):
        if (number + 1) * hertz < _MAX_HERTZ:
            partial = np.sin((number + 1) * phase + number)
            tone += level * brightness**number * partial * _attack(time, 0.018 + 0.009 * number)
    envelope = _attack(time, 0.012) * (0.85 + 0.15 * np.exp(-time / 0.08))
    return (tone + _breath_noise(len(time), hertz)) * envelope * _release(time, seconds, release)


@lru_cache(maxsize=512)
def synthesise_guitar(pitch: int, seconds: float) -> Samples:
    """One plucked string: MIDI number and length, after which it is damped."""
    hertz = _to_hertz(pitch)
    time = np.arange(round((seconds + _GUITAR_RELEASE) * SAMPLE_RATE)) / SAMPLE_RATE
    tone = np.zeros(len(time))
    for number in range(1, min(24, int(_MAX_HERTZ / hertz)) + 1):
        level = np.sin(number * np.pi * 0.21) / number**1.5
        falling = np.exp(-time * (1.6 + 0.12 * number + 0.035 * number**2))
        tone += level * falling * np.sin(2 * np.pi * number * hertz * time)
    return tone * _attack(time, 0.004) * _release(time, seconds, _GUITAR_RELEASE)


def _to_hertz(pitch: int) -> float:
    return float(440 * 2 ** ((pitch - 69) / 12))


def _attack(time: Samples, seconds: float) -> Samples:
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.clip(time / seconds, 0, 1)))


def _release(time: Samples, seconds: float, release: float) -> Samples:
    """From one at `seconds` smoothly to nothing at the end, so that nothing clicks."""
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * np.clip((time - seconds) / release, 0, 1)))


def _breath_noise(length: int, hertz: float) -> Samples:
    """Noise around the note, soft: the same every time."""
    noise = np.random.default_rng(0).standard_normal(length)
    spectrum = np.fft.rfft(noise)
    distance = np.log2(np.maximum(np.fft.rfftfreq(length, 1 / SAMPLE_RATE), 1) / (2 * hertz))
    shaped = np.fft.irfft(spectrum * np.exp(-(distance**2)), length)
    return np.asarray(0.012 * shaped / shaped.std())


def _add_reverb(played: Samples) -> Samples:
    """With the reverberation of a small room: noise that dies away, another at each ear."""
    chance = np.random.default_rng(1)
    time = np.arange(round(_REVERB_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    echo = chance.standard_normal((2, len(time))) * np.exp(-time / 0.16) * _attack(time, 0.012)
    echo *= _REVERB_LEVEL / np.sqrt((echo**2).sum(axis=1, keepdims=True))
    length = played.shape[1] + len(time)
    size = 1 << (length - 1).bit_length()
    wet = np.fft.irfft(np.fft.rfft(played, size) * np.fft.rfft(_low_pass(echo), size), size)
    mixed = wet[:, :length] * 2
    mixed[:, : played.shape[1]] += played
    return mixed


def _low_pass(echo: Samples) -> Samples:
    """Walls swallow the high tones: a low-pass of 3 kHz."""
    spectrum = np.fft.rfft(echo)
    hertz = np.fft.rfftfreq(echo.shape[1], 1 / SAMPLE_RATE)
    return np.fft.irfft(spectrum / (1 + (hertz / 3000) ** 2), echo.shape[1])


def to_wav(tune: Transcription) -> bytes:
    """The tune as a WAV file, 16 bits, stereo.

    Raises:
        InvalidTokensError: the tokens are no valid tune.
    """
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((render(tune) * 32767).round().astype("<i2").tobytes())
    return buffer.getvalue()


def to_ogg(tune: Transcription) -> bytes:
    """The tune as an Ogg Vorbis file, a tenth of the size.

    Raises:
        MissingExtraError: the library soundfile is not installed.
        InvalidTokensError: the tokens are no valid tune.
    """
    try:
        import soundfile
    except ImportError:
        raise MissingExtraError("soundfile", "tunes") from None
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer, "w", samplerate=SAMPLE_RATE, channels=2, format="OGG", subtype="VORBIS"
    ) as file:
        samples = render(tune)
        for start in range(
            0, len(samples), SAMPLE_RATE
        ):  # libsndfile overflows its stack on long ones
            file.write(samples[start : start + SAMPLE_RATE])
    return bytes(buffer.getvalue())
