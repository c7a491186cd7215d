"""A piece in parts as MIDI and as sound: an organ, strings or a choir in a room."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from sluice.chorales.errors import ChoraleError
from sluice.chorales.parts import VOICES, Parts
from sluice.extras import MissingExtraError
from sluice.tunes.export.instruments import (
    SAMPLE_RATE,
    Samples,
    fade_in,
    fade_out,
    synthesise_fiddle,
    to_hertz,
)
from sluice.tunes.export.synthesis import PEAK, add_reverb, encode_wav

DEFAULT_TEMPO = 76.0
"""Quarter notes a minute."""
TEMPI = (20, 400)
"""The slowest and the fastest."""
LONGEST = 3600
"""Seconds of sound; longer pieces are written, not played."""
TICKS_PER_QUARTER = 480
_STOPS = ((1.0, 1.0), (2.0, 0.55), (3.0, 0.12), (4.0, 0.3), (8.0, 0.08))
"""An organ's pipes to a key, by their octaves above the first: a principal, and softer ones."""
_PIPE = (1.0, 0.32, 0.14, 0.05)
"""The partials of a pipe."""
_VOWEL = ((700, 110, 1.0), (1150, 130, 0.5), (2900, 250, 0.2), (3700, 350, 0.1))
"""The resonances of "ah": middle and half width in hertz, and how strong (Fant 1960)."""
_HALT = 1.6
"""How many times longer a note under a fermata is played."""
_MAX_HERTZ = 12_000
_PANS = (0.62, 0.54, 0.46, 0.38)
"""Where the voices stand, 0 being left."""


@lru_cache(maxsize=512)
def synthesise_organ(pitch: int, seconds: float) -> Samples:
    """One note of an organ: MIDI number and length."""
    hertz, release = to_hertz(pitch), 0.09
    time = np.arange(round((seconds + release) * SAMPLE_RATE)) / SAMPLE_RATE
    tone = np.zeros(len(time))
    levels: dict[float, float] = {}
    for octave, level in _STOPS:
        for number, part in enumerate(_PIPE, 1):
            levels[octave * number] = levels.get(octave * number, 0.0) + level * part
    for multiple, level in levels.items():
        if hertz * multiple < _MAX_HERTZ:
            tone += level * np.sin(2 * np.pi * hertz * multiple * time)
    return tone * fade_in(time, 0.035) * fade_out(time, seconds, release)


@lru_cache(maxsize=512)
def synthesise_choir(pitch: int, seconds: float) -> Samples:
    """One note of three singers on "ah", each a little out of tune, with a vibrato."""
    hertz, release = to_hertz(pitch), 0.16
    time = np.arange(round((seconds + release) * SAMPLE_RATE)) / SAMPLE_RATE
    tone = np.zeros(len(time))
    numbers = np.arange(1.0, int(min(_MAX_HERTZ / hertz, 36)) + 1)
    levels = _shape_vowel(numbers * hertz) / numbers**0.9
    levels /= np.sqrt((levels**2).sum())
    for cents, rate, at in ((-6, 5.1, 0.0), (0, 5.6, 2.1), (7, 6.0, 4.2)):
        vibrato = 0.006 * np.sin(2 * np.pi * rate * time + at) * fade_in(time, 0.35)
        phase = 2 * np.pi * hertz * 2 ** (cents / 1200) * np.cumsum(1 + vibrato) / SAMPLE_RATE
        for number, level in zip(numbers, levels, strict=True):
            tone += level * np.sin(number * phase + at * number)
    return tone * fade_in(time, 0.09) * fade_out(time, seconds, release)


def _shape_vowel(hertz: Samples) -> Samples:
    response = np.full_like(hertz, 0.02)
    for middle, half_width, level in _VOWEL:
        response += level / (1 + ((hertz - middle) / half_width) ** 2)
    return response


class PartInstrument(NamedTuple):
    """What plays all parts: its program of General MIDI, from 0, and its notes."""

    program: int
    synthesise: Callable[[int, float], Samples]


INSTRUMENTS = {
    "organ": PartInstrument(19, synthesise_organ),
    "strings": PartInstrument(48, synthesise_fiddle),
    "choir": PartInstrument(52, synthesise_choir),
}


def find_instrument(name: str) -> PartInstrument:
    """The instrument of that name.

    Raises:
        ChoraleError: an unknown one.
    """
    if name not in INSTRUMENTS:
        raise ChoraleError(f"The instrument must be {', '.join(INSTRUMENTS)}, got {name!r}.")
    return INSTRUMENTS[name]


def to_midi(
    parts: Parts, tempo: float = DEFAULT_TEMPO, instrument: str = "organ", title: str = ""
) -> bytes:
    """A MIDI file of five tracks: tempo and meters, then a track and a channel for each voice.

    Raises:
        MissingExtraError: the library mido is not installed.
        ChoraleError: an unknown instrument.
    """
    try:
        import mido
    except ImportError:
        raise MissingExtraError("mido", "tunes") from None
    program, grid = find_instrument(instrument).program, parts.roll.grid
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_QUARTER)
    head = mido.MidiTrack()
    file.tracks.append(head)
    name = title.encode("latin-1", "replace").decode("latin-1")
    head.append(mido.MetaMessage("track_name", name=name))
    head.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo)))
    now, meter = 0, (0, 0)
    for step in range(len(parts.roll)):
        before, meter = meter, parts.roll.read_meter(step)
        if meter != before:
            at = step * TICKS_PER_QUARTER // grid
            if meter[0] < 256:
                head.append(
                    mido.MetaMessage(
                        "time_signature", numerator=meter[0], denominator=meter[1], time=at - now
                    )
                )
                now = at
    for channel, voice in enumerate(VOICES):
        track = mido.MidiTrack()
        file.tracks.append(track)
        track.append(mido.MetaMessage("track_name", name=voice.name))
        track.append(mido.Message("program_change", program=program, channel=channel))
        now = 0
        for note in parts.list_notes(channel):
            first, last = (round(time * TICKS_PER_QUARTER) for time in (note.start, note.end))
            for kind, at in (("note_on", first), ("note_off", last)):
                track.append(
                    mido.Message(kind, note=note.pitch, velocity=80, channel=channel, time=at - now)
                )
                now = at
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def render(parts: Parts, tempo: float = DEFAULT_TEMPO, instrument: str = "organ") -> Samples:
    """The piece played: samples (time, 2), stereo; notes under fermatas are held longer.

    Raises:
        ChoraleError: an unknown instrument, or a piece longer than an hour.
    """
    synthesise = find_instrument(instrument).synthesise
    fermatas, grid = parts.roll.fermatas, parts.roll.grid
    durations = np.where(fermatas, _HALT, 1.0) * 60 / tempo / grid
    times = np.concatenate(([0.0], np.cumsum(durations)))
    if times[-1] > LONGEST:
        raise ChoraleError(
            f"The piece would sound for {times[-1] / 60:.0f} minutes, and {LONGEST // 60} are the "
            "most; write it without wav and ogg."
        )
    played = np.zeros((2, round((times[-1] + 1.0) * SAMPLE_RATE)))
    for voice in range(len(VOICES)):
        sides = np.array([[1 - _PANS[voice]], [_PANS[voice]]])
        for number, note in enumerate(parts.list_notes(voice)):
            start, end = times[int(note.start * grid)], times[int(note.end * grid)]
            samples = synthesise(note.pitch, round(float(end - start), 4))
            first = round(start * SAMPLE_RATE)
            samples = samples[: played.shape[1] - first]
            played[:, first : first + len(samples)] += sides * samples * (-1) ** number
    played = add_reverb(played)
    return np.asarray(played.T * (PEAK / max(float(np.abs(played).max()), 1e-9)))


def to_wav(parts: Parts, tempo: float = DEFAULT_TEMPO, instrument: str = "organ") -> bytes:
    """The piece as a WAV file, 16 bits, stereo.

    Raises:
        ChoraleError: as `render`.
    """
    return encode_wav(render(parts, tempo, instrument))
