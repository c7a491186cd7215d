"""Tunes as sound: a flute or a fiddle and, where there are chords, a guitar, in a small room."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from sluice.extras import MissingExtraError
from sluice.tunes.export.instruments import (
    SAMPLE_RATE,
    Samples,
    fade_in,
    find_instrument,
    synthesise_guitar,
)
from sluice.tunes.export.midi import Note, build_accompaniment, build_melody
from sluice.tunes.notation.transcription import Transcription
from sluice.tunes.theory.dances import beat_length

PEAK = 10 ** (-1.5 / 20)
"""The loudest sample of a tune: 1.5 dB below full scale."""
_GUITAR_LEVEL = 0.16
_REVERB_SECONDS, _REVERB_LEVEL = 0.9, 0.12


def render(tune: Transcription) -> Samples:
    """A tune played, repeats and endings included: samples (time, 2) up to `PEAK`, stereo.

    Raises:
        TuneError: an unknown instrument, or a swing out of range.
        InvalidTokensError: the tokens are no valid tune.
    """
    second = 60 / tune.beats_per_minute / float(beat_length(tune.meter))
    synthesise = find_instrument(tune.instrument).synthesise
    melody = _mix_voice(build_melody(tune), second, synthesise, beat_length(tune.meter))
    played = np.stack([melody, melody])
    if tune.chords:
        guitar = _mix_voice(build_accompaniment(tune), second, synthesise_guitar, Fraction(1))
        longest = max(len(melody), len(guitar))
        played = np.stack([np.pad(melody, (0, longest - len(melody)))] * 2)
        played[:, : len(guitar)] += _GUITAR_LEVEL * np.array([[0.8], [1.0]]) * guitar
    played = add_reverb(played)
    loudest = float(np.abs(played).max())
    return np.asarray(played.T * (PEAK / loudest))


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
    for number, (note, (start, samples)) in enumerate(zip(notes, placed, strict=True)):
        # In turn upside down, so that the first swings of many notes do not add up on one side.
        loudness = (0.82 if note.start % step else 1.0) * (-1) ** number
        mixed[start : start + len(samples)] += samples * loudness
    return mixed


def add_reverb(played: Samples) -> Samples:
    """With the reverberation of a small room: noise that dies away, another at each ear."""
    chance = np.random.default_rng(1)
    time = np.arange(round(_REVERB_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    echo = chance.standard_normal((2, len(time))) * np.exp(-time / 0.16) * fade_in(time, 0.012)
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
        TuneError: an unknown instrument, or a swing out of range.
        InvalidTokensError: the tokens are no valid tune.
    """
    return encode_wav(render(tune))


def encode_wav(samples: Samples) -> bytes:
    """Samples (time, 2) from -1 to 1 as a WAV file, 16 bits, stereo."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((samples * 32767).round().astype("<i2").tobytes())
    return buffer.getvalue()


def to_ogg(tune: Transcription) -> bytes:
    """The tune as an Ogg Vorbis file, a tenth of the size.

    Raises:
        MissingExtraError: the library soundfile is not installed.
        TuneError: an unknown instrument, or a swing out of range.
        InvalidTokensError: the tokens are no valid tune.
    """
    return encode_ogg(render(tune))


def encode_ogg(samples: Samples) -> bytes:
    """Samples (time, 2) from -1 to 1 as an Ogg Vorbis file.

    Raises:
        MissingExtraError: the library soundfile is not installed.
    """
    try:
        import soundfile
    except ImportError:
        raise MissingExtraError("soundfile", "tunes") from None
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer, "w", samplerate=SAMPLE_RATE, channels=2, format="OGG", subtype="VORBIS"
    ) as file:
        for start in range(
            0, len(samples), SAMPLE_RATE
        ):  # libsndfile overflows its stack on long ones
            file.write(samples[start : start + SAMPLE_RATE])
    return bytes(buffer.getvalue())
